"""Fourier grids of square stamps, and GalSim PSFs sampled on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Complex, Float

from jaxblend.forward.frame import Frame
from jaxblend.forward.psf import pixel_response

if TYPE_CHECKING:
    import galsim

__all__ = ["frame_of", "sampled_transfer", "smallest_oversampling"]

LOST = 2e-5  # of a star's peak, beyond the grid
MOST_OVERSAMPLING = 8


def frame_of(stamp_size: int, pixel_scale: float, grid_size: int, oversampling: int) -> Frame:
    """Make the frame of a stamp whose periodic grid has this size, one of `fast_size`."""
    padding = max(1.0, (grid_size - 0.5) / stamp_size)
    return Frame((stamp_size, stamp_size), pixel_scale, padding=padding, oversampling=oversampling)


def sampled_transfer(
    psfs: Sequence[galsim.GSObject], frame: Frame, pixel_scale: float
) -> Float[np.ndarray, "C Ky Kx"] | Complex[np.ndarray, "C Ky Kx"]:
    """Transfer function of GalSim PSFs with the pixel on the Fourier grid of a frame; real where PSFs are symmetric."""
    width, half = frame.padded[0] * frame.oversampling, frame.padded[0] * frame.oversampling // 2
    step = 2.0 * np.pi / (frame.padded[0] * pixel_scale)
    waves = np.stack([psf.drawKImage(nx=width + 1, ny=width + 1, scale=step).array for psf in psfs])
    rows = np.rint(np.fft.fftfreq(width) * width).astype(int) + half
    transfer = waves[:, rows, half:] * pixel_response(frame)
    return transfer.astype(np.complex64) if np.any(transfer.imag) else transfer.real.astype(np.float32)


def smallest_oversampling(psfs: Sequence[galsim.GSObject], pixel_scale: float, *, least: int = 1) -> int:
    """Find the multiple of Nyquist, `least` or more, beyond which no PSF passes light that matters."""
    for oversampling in range(least, MOST_OVERSAMPLING):
        probe = frame_of(16, pixel_scale, 32, 2 * oversampling)  # as far again: what passes falls with the wavenumber
        power = np.abs(sampled_transfer(psfs, probe, pixel_scale))
        ky, kx = probe.pixel_wavenumbers()
        beyond = np.maximum(np.abs(ky), kx) / np.pi
        if np.max(power[:, beyond > oversampling].sum(axis=-1) / power.sum(axis=(1, 2))) < LOST:
            return oversampling
    return MOST_OVERSAMPLING
