"""A PSF given as an image: effective (pixel included) or not, oversampled or not, one per band or per source."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxblend.forward.psf import AbstractPSF, pixel_response

__all__ = ["ImagePSF"]


class ImagePSF(AbstractPSF):
    """A sampled PSF. Its sum is the fraction of a star's light that it holds; it is never renormalised.

    Parameters
    ----------
    image
        (C, h, w), or (K, C, h, w) for one PSF per source. The centre is the pixel ((w - 1) / 2, (h - 1) / 2).
    oversampling
        Samples per image pixel along each axis.
    includes_pixel
        True for an effective PSF: each sample is the light that an image pixel centred there would collect.
    centre
        (..., 2), offset (x, y) in samples of the PSF's origin from the middle of the array.
    """

    image: Float[Any, "*sources C h w"]
    centre: Float[Any, "*sources C 2"]
    oversampling: int = eqx.field(static=True)
    includes_pixel: bool = eqx.field(static=True)

    def __init__(self, image, *, oversampling=1, includes_pixel=True, centre=None):
        self.image = image
        self.centre = np.zeros((*np.shape(image)[:-2], 2), np.float32) if centre is None else centre
        self.oversampling = int(oversampling)
        self.includes_pixel = bool(includes_pixel)

    @property
    def n_bands(self):
        """Number of bands."""
        return self.image.shape[-3]

    def transfer(self, frame):
        """Discrete Fourier transform on the frame's grid, times the pixel if the samples lack it."""
        fine = tuple(n * self.oversampling for n in frame.padded)
        spectrum = jnp.fft.rfft2(_wrap(jnp.asarray(self.image), fine))
        spectrum = _crop(spectrum, fine, tuple(n * frame.oversampling for n in frame.padded))
        ky, kx = (k / self.oversampling for k in frame.pixel_wavenumbers())
        middle = np.array([_middle_offset(n) for n in self.image.shape[:-3:-1]])
        x, y = jnp.moveaxis(jnp.asarray(self.centre) + middle, -1, 0)[..., None, None]
        spectrum = spectrum * jnp.exp(1j * (kx * x)) * jnp.exp(1j * (ky * y))
        spectrum = spectrum if self.includes_pixel else spectrum * pixel_response(frame)
        return spectrum.astype(jnp.result_type(jnp.asarray(0.0, dtype=float), jnp.complex64))


def _middle_offset(n: int) -> float:
    """Distance of the middle of n samples from the sample n // 2, which ``_wrap`` puts at the origin."""
    return (n - 1) / 2 - n // 2


def _wrap(image, size):
    """The image on a periodic grid with sample n // 2 at index 0; what reaches beyond the grid is folded in.

    Folding is exact: the transfer function is then sampled at the grid's wavenumbers.
    """
    for axis, n in ((-2, size[0]), (-1, size[1])):
        length = image.shape[axis]
        total = -(-length // n) * n
        widths = [(0, 0)] * image.ndim
        widths[axis % image.ndim] = (0, total - length)
        image = jnp.roll(jnp.pad(image, widths), -(length // 2), axis)
        split = list(image.shape)
        split[axis % image.ndim : axis % image.ndim + 1] = [total // n, n]
        image = image.reshape(split).sum(axis % image.ndim)
    return image


def _crop(spectrum, size, target):
    """Keep the wavenumbers that the target grid has; those beyond the samples' Nyquist are zero."""
    half_y, kx = min(size[0], target[0]) // 2, min(size[1], target[1]) // 2 + 1
    rows = jnp.zeros((*spectrum.shape[:-2], target[0], target[1] // 2 + 1), spectrum.dtype)
    rows = rows.at[..., :half_y, :kx].set(spectrum[..., :half_y, :kx])
    return rows.at[..., target[0] - half_y :, :kx].set(spectrum[..., size[0] - half_y :, :kx])
