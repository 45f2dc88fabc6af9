"""The blend seen through its low wavenumbers alone, its noise taken as even: no FFT, a hundredth of the numbers.

Galaxies convolved with a PSF hold little beyond a part of the Nyquist wavenumber, so that a few hundred modes say
nearly all of where a fit has to go. Good enough to search from many starts and for the metric of a step; the
gradient that decides where a fit ends is taken in pixels.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxblend.forward.frame import Frame
from jaxblend.forward.likelihood import Exposure
from jaxblend.forward.render import Grid, source_spectrum
from jaxblend.forward.scene import Sources
from jaxblend.forward.whitening import power_at
from jaxblend.infer.columns import accumulate, chain_rule
from jaxblend.infer.posterior import Blend, in_bands

__all__ = ["LowModes", "low_modes", "low_normal_equations", "low_templates", "weighted_modes"]

#: Highest wavenumber, as a fraction of the Nyquist wavenumber of the pixels.
_REACH = 0.55
_TRUSTED = 0.1  # of the mean weight: a pixel that has as much is taken as it is


class LowModes(eqx.Module):
    """M wavenumbers of an exposure: the grid they lie on, PSF times root weight, and the data times root weight."""

    grid: Grid
    transfer: Complex[Array, "*K C M"]
    data: Complex[Array, "C M"]


def low_modes(exposure: Exposure, filler: Float[Array, "C H W"]) -> LowModes:
    """The low wavenumbers of an exposure, its masked pixels taken from ``filler``."""
    weight, used = exposure.root_weight**2, exposure.root_weight > 0
    white = jnp.sum(weight, (1, 2)) / jnp.maximum(jnp.sum(used, (1, 2)), 1)
    # A pixel that weighs very little counts little: the rest of it is filler, as all of a masked one is. One in which
    # a bright source has added its photons is data.
    trust = jnp.minimum(1.0, weight / jnp.maximum(_TRUSTED * white, 1e-30)[:, None, None])
    image = jnp.where(used, filler + trust * (exposure.image - filler), filler)
    modes, root, _ = weighted_modes(exposure, white, image)
    return eqx.tree_at(lambda m: m.data, modes, modes.data * root)


def weighted_modes(exposure: Exposure, white: Float[Array, " C"], image: Float[Array, "C H W"]):
    """Low wavenumbers with the bare spectrum of an image as data, their root weights (C, M), and the shares (M,).

    ``white`` is the weight of a pixel of each band.
    """
    frame = exposure.frame
    rows, columns, ky, kx, share = _chosen(frame)
    root = jnp.sqrt(white[:, None] * jnp.asarray(share, white.dtype))
    if exposure.whitening is not None:
        root = root * jax.lax.rsqrt(power_at(exposure.whitening.correlation, ky, kx))
    spectrum = jnp.fft.rfft2(image)[:, rows, columns]
    to_centre = np.exp(1j * (ky * frame.centre[1] + kx * frame.centre[0]))
    modes = LowModes(
        Grid.of(frame, ky=ky[None], kx=kx[None]),
        _interpolate(exposure.transfer, frame, ky, kx) * root,
        spectrum * jnp.asarray(to_centre, spectrum.dtype),
    )
    return modes, root, share


def _chosen(frame: Frame) -> tuple[np.ndarray, ...]:
    """Rows and columns (M,) of a real FFT of the stamp, their ky and kx, and the share of the sum over pixels of each.

    The stamp is taken as periodic, which doubles sources at its edge; it saves the modes of the wider grid.
    """
    ny, nx = frame.shape
    y, x = np.fft.fftfreq(ny)[:, None], np.fft.rfftfreq(nx)[None, :]
    rows, columns = np.nonzero(y**2 + x**2 < (_REACH / 2) ** 2)
    half = np.where(columns == 0, 1.0, 2.0)  # the other half of the plane
    # Parseval: a sum over pixels is the mean over all wavenumbers.
    return rows, columns, 2 * np.pi * y[rows, 0], 2 * np.pi * x[0, columns], half / (ny * nx)


def _interpolate(transfer: Complex[Array, "*K C Ky Kx"], frame: Frame, ky, kx) -> Complex[Array, "*K C M"]:
    """The transfer function between its wavenumbers, linearly: a PSF much smaller than the stamp is smooth there."""
    y, x = (k / (2 * np.pi) * n for k, n in zip((ky, kx), frame.padded, strict=True))
    y0, x0 = (np.floor(v + 1e-9).astype(int) for v in (y, x))
    last = transfer.shape[-1] - 1

    def corner(i, j):
        weight = np.abs(1 - i - (y - y0)) * np.abs(1 - j - (x - x0))
        values = transfer[..., (y0 + i) % transfer.shape[-2], np.minimum(x0 + j, last)]
        return values * jnp.asarray(weight, values.real.dtype)

    return corner(0, 0) + corner(0, 1) + corner(1, 0) + corner(1, 1)


def low_normal_equations(
    u: Float[Array, "K D"],
    blend: Blend,
    modes: tuple[LowModes, ...],
    temperature: Any = 1.0,
):
    """J^T J (K D, K D), gradient (K D,) and value of the objective in the low wavenumbers.

    The variance of the noise is raised by the ``temperature``.
    """
    chain, sources = chain_rule(u, blend), blend.sources(u)
    hessian, gradient, value = jnp.eye(u.size, dtype=u.dtype), u.reshape(-1), 0.5 * jnp.sum(u**2)

    def band(flux, columns, data):
        n_components = flux.shape[1]
        gram, slopes, squares = 0.0, 0.0, 0.0
        for part, wanted in zip(columns, (data.real, data.imag), strict=True):
            flat = part.reshape(-1, wanted.size)
            residual = jnp.einsum("km,kmp->p", flux, part[:, -n_components:]) - wanted
            gram, slopes, squares = gram + flat @ flat.T, slopes + flat @ residual, squares + residual @ residual
        return gram, slopes, squares

    for mode, bands in zip(modes, map(np.array, blend.bands), strict=True):
        some = in_bands(sources, bands)
        parts = accumulate(band, some, mode.grid, mode.transfer, mode.data, chain[bands])
        hessian, gradient = hessian + parts[0] / temperature, gradient + parts[1] / temperature
        value = value + 0.5 * parts[2] / temperature
    return hessian, gradient, value


def low_templates(sources: Sources, mode: LowModes) -> Float[Array, "K C P"]:
    """Weighted spectrum of every source in every band, real and imaginary parts side by side."""
    spectra = jax.vmap(lambda s: source_spectrum(s, mode.grid))(sources)[..., 0, :]
    return _real(spectra * mode.transfer)


def _real(values):
    return jnp.concatenate([values.real, values.imag], axis=-1)
