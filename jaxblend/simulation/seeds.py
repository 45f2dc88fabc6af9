"""Where a deblender is told that the sources are: at the truth, near it, or where a peak is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.metrics.matching import match
from jaxblend.simulation.psf import effective_psf_images

if TYPE_CHECKING:
    import galsim

    from jaxblend.simulation.survey import Survey

__all__ = ["DECENTRING", "Seeds", "draw_seeds", "find_peaks", "match_peaks"]

DECENTRING = ("perfect", "pixel", "peak")
LOWEST_SNR = 5.0  # of a peak, for a point source
PSF_REACH = 2.0  # half-width of the filter, in the largest FWHM of the PSFs


@dataclass(frozen=True, eq=False)
class Seeds:
    """Positions for a deblender to start from.

    Attributes
    ----------
    positions : (n, 2) array
        Pixel x, y, in the order of the sources.
    detected : (n,) array of bool, optional
        Which of them are detected peaks; None where none were looked for.
    """

    positions: np.ndarray
    detected: np.ndarray | None = None


def draw_seeds(
    kind: str,
    positions: np.ndarray,
    image: np.ndarray,
    weight: np.ndarray,
    *,
    psfs: Sequence[galsim.GSObject],
    survey: Survey,
    rng: np.random.Generator,
) -> Seeds:
    """Draw the seeds of a blend.

    Parameters
    ----------
    kind : {"perfect", "pixel", "peak"}
        The true positions; those moved by up to half a pixel along x and along y, uniformly; or the peaks of the
        image (see `find_peaks`), each matched to at most one source no further than the FWHM of the PSF in the
        survey's reference band. A source without a peak has the seed of "pixel".
    positions : (n, 2) array
        True pixel x, y.
    image, weight : (C, H, W) array
        What is observed, and the inverse variance of its noise.
    psfs : sequence of GalSim objects
        One per band, without the pixel.
    survey : Survey
        Bands, pixel scale and widths.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Seeds
        One for each source.
    """
    if kind == "perfect":
        return Seeds(positions.copy())
    nearby = positions + rng.uniform(-0.5, 0.5, positions.shape)
    if kind == "pixel":
        return Seeds(nearby)
    peaks = find_peaks(image, weight, psfs=psfs, survey=survey)
    farthest = survey.psf_fwhm[survey.band_index(survey.reference_band)] / survey.pixel_scale
    peak_of = match_peaks(positions, peaks, float(farthest))
    found = peak_of >= 0
    nearby[found] = peaks[peak_of[found]]
    return Seeds(nearby, found)


def find_peaks(image: np.ndarray, weight: np.ndarray, *, psfs: Sequence[galsim.GSObject], survey: Survey) -> np.ndarray:
    """Find the maxima of the significance of a point source, summed over the bands, each in units of its noise.

    Parameters
    ----------
    image, weight : (C, H, W) array
        What is observed, sky subtracted, and the inverse variance of its noise, which is taken as white.
    psfs : sequence of GalSim objects
        One per band, without the pixel: the filters.
    survey : Survey
        Pixel scale and widths.

    Returns
    -------
    (m, 2) array
        Pixel x, y of the maxima above 5 standard deviations, refined by a parabola along x and along y.
    """
    from scipy.ndimage import maximum_filter
    from scipy.signal import fftconvolve

    size = 2 * int(np.ceil(PSF_REACH * survey.psf_fwhm.max() / survey.pixel_scale)) + 1
    filters = effective_psf_images(psfs, pixel_scale=survey.pixel_scale, size=size)[:, ::-1, ::-1]
    light = fftconvolve(image * weight, filters, mode="same", axes=(1, 2))
    variance = fftconvolve(weight, filters**2, mode="same", axes=(1, 2))
    least = 1e-6 * variance.max()  # rounding of the transform, where every pixel is masked
    significance = np.sum(light / np.sqrt(np.maximum(variance, least)), axis=0) / np.sqrt(len(image))
    highest = (significance == maximum_filter(significance, size=3)) & (significance > LOWEST_SNR)
    y, x = np.nonzero(highest)
    along_x, along_y = _refine(significance, y, x), _refine(significance.T, x, y)
    return np.stack([x + along_x, y + along_y], axis=1).astype(float)


def match_peaks(positions: np.ndarray, peaks: np.ndarray, farthest: float) -> np.ndarray:
    """Match sources (n, 2) to peaks (m, 2), one to one, as many as are near and then by the least total distance.

    Returns
    -------
    (n,) array of int
        The peak of each source; -1 where none is within the farthest distance.
    """
    return match(peaks, positions, max_separation=farthest).index


def _refine(values: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Find the top of the parabola through each maximum and its two neighbours in its row, from the maximum."""
    inside = (column > 0) & (column < values.shape[1] - 1)
    left, right = values[row, np.maximum(column - 1, 0)], values[row, np.minimum(column + 1, values.shape[1] - 1)]
    bend = left - 2.0 * values[row, column] + right
    return np.divide(left - right, 2.0 * bend, out=np.zeros(len(row)), where=inside & (bend < 0))
