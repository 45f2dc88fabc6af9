"""How far beyond Nyquist the Fourier grid of a frame has to reach for its PSF."""

from __future__ import annotations

import equinox as eqx
import numpy as np

from jaxblend.forward.frame import Frame
from jaxblend.forward.psf import AbstractPSF
from jaxblend.forward.sampled_psf import ImagePSF

__all__ = ["choose_oversampling"]

_LOST = 5e-6  # of a star's peak, beyond the grid's reach


_transfer = eqx.filter_jit(lambda psf, frame: psf.transfer(frame))


def choose_oversampling(psf: AbstractPSF, frame: Frame, *, most: int = 8, lost: float = _LOST) -> int:
    """Smallest multiple of Nyquist beyond which the PSF passes no light that matters.

    A sampled PSF holds nothing beyond the Nyquist wavenumber of its own samples.
    """
    if isinstance(psf, ImagePSF):
        most = psf.oversampling
    if most == 1:
        return 1
    probe = Frame((16, 16), jacobian=frame.jacobian, padding=2, oversampling=most)
    power = np.abs(np.asarray(_transfer(psf, probe)))
    ky, kx = probe.pixel_wavenumbers()
    reach = np.maximum(np.abs(ky), kx) / np.pi
    for oversampling in range(1, most):
        beyond = power[..., reach > oversampling].sum(-1) / power.sum((-2, -1))
        if beyond.max() < lost:
            return oversampling
    return most
