"""Galaxies as a telescope sees them: at some sampling, through some PSF, with noise; two bands each.

Views are kept as spectra on a periodic grid: residuals of pixels and of spectra have the same sum of squares.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from jaxblend.simulation.morphology.light import smooth_transform, structured_brightness
from jaxblend.simulation.morphology.own_frame import own_frame
from jaxblend.simulation.morphology.pieces import Structure, draw_structure

__all__ = [
    "BANDS",
    "CONDITIONS",
    "SAMPLING",
    "SNR",
    "View",
    "conditions",
    "draw_view",
    "noisy_image",
    "sum_of_squares",
    "told",
    "view_of",
    "wavenumbers",
]

BANDS = 2  # a blue and a red one
CONDITIONS = 3
SAMPLING = (0.11, 0.3)  # pixels in half-light radii
_FWHM = (1.8, 5.0)  # of the PSF in pixels
SNR = (20.0, 500.0)  # of all light in a band


class View(NamedTuple):
    """One galaxy, in its normalised frame, whose unit is the half-light radius.

    Attributes
    ----------
    light : (bands, H, H // 2 + 1)
        Spectrum of the galaxy, of unit flux, through the PSF, without noise; its centre is at pixel (0, 0).
    noise : (bands, H, H // 2 + 1)
        Spectrum of the noise of each band.
    sigma : (bands,)
        Standard deviation of the noise of a pixel.
    transfer : (H, H // 2 + 1)
        Transfer function of the PSF.
    pixel : ()
        Size of a pixel.
    fwhm : ()
        Of the PSF, in pixels.
    """

    light: Complex[Array, "*B bands H W"]
    noise: Complex[Array, "*B bands H W"]
    sigma: Float[Array, "*B bands"]
    transfer: Float[Array, "*B H W"]
    pixel: Float[Array, "*B"]
    fwhm: Float[Array, "*B"]


def draw_view(key, side: int) -> View:
    """One random galaxy, seen at random."""
    keys = jax.random.split(key, 5)
    return view_of(draw_structure(keys[0]), keys[1:], side)


def view_of(galaxy: Structure, keys: Key[Array, "4"], side: int) -> View:
    """A galaxy, seen at random: four keys say how."""
    frame = own_frame(galaxy)
    pixel, fwhm = (_log_uniform(k, ends) for k, ends in zip(keys[:2], (SAMPLING, _FWHM), strict=True))
    kx, ky = map(jnp.asarray, wavenumbers(side))
    transfer = kolmogorov(jnp.hypot(kx, ky) * fwhm)
    components = _spectrum(galaxy, frame, pixel, side)
    middle = jnp.log(galaxy.old_share) - jnp.log1p(-galaxy.old_share)
    old = jax.nn.sigmoid(middle + galaxy.colour * jnp.array([-0.5, 0.5]))
    light = jnp.einsum("cm,mab->cab", jnp.stack([old, 1 - old], axis=1), components) * transfer
    snr = _log_uniform(keys[2], SNR)
    sigma = jnp.sqrt(sum_of_squares(light, side)) / snr
    noise = jnp.fft.rfft2(sigma[:, None, None] * jax.random.normal(keys[3], (BANDS, side, side)))
    return View(light, noise, sigma, transfer, pixel, fwhm)


def noisy_image(view: View) -> Float[Array, "*B bands H H"]:
    """Pixels in units of their noise, with the galaxy in the middle."""
    image = jnp.fft.irfft2(view.light + view.noise)
    side = image.shape[-1]
    return jnp.roll(image, (side // 2, side // 2), axis=(-2, -1)) / view.sigma[..., None, None]


def conditions(view: View) -> Float[Array, "*B 3"]:
    """What an encoder is told of a view: sampling, PSF and noise, as numbers of order 1."""
    return told(view.pixel, view.fwhm, jnp.log(view.sigma).mean(-1))


def told(pixel, fwhm, log_sigma) -> Float[Array, "*B 3"]:
    """Conditions from the size of a pixel in half-light radii, the PSF's in pixels, and noise in units of the flux."""
    return jnp.stack([jnp.log(pixel) + 1.7, jnp.log(fwhm) - 1.1, 0.5 * (log_sigma + 5)], axis=-1)


def wavenumbers(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Of x (1, side // 2 + 1) and y (side, 1), in radians per pixel."""
    kx, ky = 2 * np.pi * np.fft.rfftfreq(side)[None], 2 * np.pi * np.fft.fftfreq(side)[:, None]
    return kx.astype(np.float32), ky.astype(np.float32)


def sum_of_squares(spectrum: Complex[Array, "*c H W"], side: int) -> Float[Array, "*c"]:
    """Of the pixels (Parseval)."""
    twice = np.where(np.isin(np.arange(side // 2 + 1), (0, side // 2)), 1.0, 2.0).astype(np.float32)
    return jnp.sum((spectrum.real**2 + spectrum.imag**2) * twice, axis=(-2, -1)) / side**2


def kolmogorov(k: Float[Array, "H W"]) -> Float[Array, "H W"]:
    """Transfer function of seeing of unit full width (Fried 1966)."""
    return jnp.exp(-3.4419385911 * (k / (2 * np.pi * 0.9758634299)) ** (5 / 3))


def _spectrum(galaxy, frame, pixel, side: int) -> Complex[Array, "2 H W"]:
    """Of both components, each of unit flux."""
    kx, ky = map(jnp.asarray, wavenumbers(side))
    (xx, xy), (_, yy) = jnp.linalg.inv(frame.axes) / pixel  # symmetric
    own_x, own_y = xx * kx + xy * ky, xy * kx + yy * ky
    # The centre of the frame is the origin of the grid.
    angle = own_x * frame.centre[0] + own_y * frame.centre[1]
    smooth = smooth_transform(galaxy, own_x, own_y) * jax.lax.complex(jnp.cos(angle), jnp.sin(angle))
    pixels = jnp.stack(jnp.meshgrid(*[jnp.fft.fftfreq(side) * side] * 2)) * pixel
    x, y = frame.centre[:, None, None] + jnp.einsum("ij,jab->iab", frame.axes, pixels)
    area = jnp.linalg.det(frame.axes) * pixel**2
    return smooth + jnp.fft.rfft2(structured_brightness(galaxy, x, y) * area)


def _log_uniform(key, ends):
    low, high = np.log(ends)
    return jnp.exp(jax.random.uniform(key, minval=low, maxval=high))
