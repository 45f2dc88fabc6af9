"""One image from all bands, its noise, and the size of its PSF."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxblend.forward.frame import Frame
from jaxblend.forward.observation import Observation

__all__ = ["Combined", "combine", "psf_fwhm"]

FINE = 4  # samples per pixel on which a PSF's width is measured


class Combined(NamedTuple):
    """All bands in one: ``image`` and ``noise`` in units of the typical noise of a pixel, ``masked`` in every band.

    ``correlation`` is that of its noise, None if it is white.
    """

    image: Float[np.ndarray, "H W"]
    noise: Float[np.ndarray, "H W"]
    masked: Bool[np.ndarray, "H W"]
    correlation: Float[np.ndarray, "h w"] | None = None


def combine(observation: Observation, image: np.ndarray | None = None) -> Combined:
    """Average the bands, each in units of its typical noise, with inverse-variance weights.

    That does not depend on the bands' units, and stays proportional to the light where the noise varies.

    Parameters
    ----------
    observation
        The image, its weights and its PSF.
    image
        (C, H, W), pixels to use in place of the observation's: a residual or a model.

    Returns
    -------
    Combined
        Image and noise, 0 and 1 where every band is masked. The correlation of its noise is the mean of the bands' by
        their share of the weight in the whole image.
    """
    image = np.asarray(observation.image if image is None else image, float)
    weight = np.asarray(observation.weight, float)
    typical = np.array([np.median(w[w > 0]) if np.any(w > 0) else 1.0 for w in weight])[:, None, None]
    relative = weight / typical
    total = relative.sum(axis=0)
    masked = total <= 0
    safe = np.where(masked, 1.0, total)
    scale = np.sqrt(max(int(np.sum((weight > 0).any(axis=(1, 2)))), 1))
    combined = scale * (relative * image * np.sqrt(typical)).sum(axis=0) / safe
    correlation = observation.noise_correlation
    if correlation is not None:
        shares = (relative / safe).sum(axis=(1, 2))
        correlation = np.tensordot(shares / shares.sum(), correlation, axes=1)
    noise = np.where(masked, 1.0, scale / np.sqrt(safe))
    return Combined(np.where(masked, 0.0, combined), noise, masked, correlation)


def psf_fwhm(observation: Observation) -> float:
    """Full width at half maximum of the PSF, pixel included, in pixels: the median of the bands.

    Raises
    ------
    ValueError
        If the observation has one PSF per source: a frame's sources are not known before they are detected.
    """
    size = int(min(64, max(observation.shape)))
    fine = Frame((size, size), jacobian=observation.frame.jacobian, oversampling=FINE)
    transfer = np.asarray(observation.psf.transfer(fine))
    if transfer.ndim == 4:
        raise ValueError(
            f"the PSF is one per source ({transfer.shape[0]} sources): a frame whose sources are yet to be found needs "
            f"one per band, (C, h, w)"
        )
    samples = np.fft.irfft2(transfer, s=tuple(FINE * n for n in fine.padded))
    above = (samples > 0.5 * samples.max(axis=(1, 2), keepdims=True)).sum(axis=(1, 2))
    return float(np.median(2 * np.sqrt(above / np.pi)) / FINE)
