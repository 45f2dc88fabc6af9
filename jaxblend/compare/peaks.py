"""The simplest deblender: peaks of a matched filter, and every pixel to the nearest of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

import numpy as np

from jaxblend.compare.catalog import make_catalog
from jaxblend.compare.deblender import Deblended, Deblender
from jaxblend.compare.pixels import assigned_images, pixels_of
from jaxblend.detection.combine import combine, psf_fwhm
from jaxblend.detection.peaks import excesses, matched_filter

__all__ = ["Peaks"]


@dataclass(frozen=True, kw_only=True)
class Peaks(Deblender):
    """Peaks of the matched filter, each with the pixels of a circle about it that are nearer to it than to another.

    The flux is the sum of these pixels: light beyond the circle or behind the border to a neighbour is lost, and light
    of a neighbour on this side of it is counted. Errors hold the noise, taken as white. A floor, not a rival.

    Attributes
    ----------
    min_snr
        Least significance of a peak, for a point source in the average of all bands.
    aperture
        Radius of the circle in units of the PSF's full width at half maximum.
    """

    name: ClassVar[str] = "peaks"
    uses_positions: ClassVar[bool] = True
    min_snr: float = 5.0
    aperture: float = 2.0

    def separate(self, observation, positions):
        """Find peaks unless positions are given, and share out the pixels."""
        fwhm = psf_fwhm(observation)
        if positions is None:
            significance = matched_filter(combine(observation), fwhm)
            nothing, nobody = np.zeros_like(significance), np.zeros((0, 2))
            positions = excesses(significance, nothing, nobody, fwhm=fwhm, min_snr=self.min_snr)
        cells = _cells(positions, observation.shape, self.aperture * fwhm)
        labels = np.arange(1, len(positions) + 1)
        images = assigned_images(observation, cells, labels)
        pixels = pixels_of(observation)
        variance = np.where(pixels.masked, 0.0, pixels.total_noise**2)
        errors = np.sqrt([variance[:, cells == label].sum(axis=1) for label in labels])
        catalog = make_catalog(
            observation,
            positions,
            images.sum(axis=(2, 3), dtype=float),
            errors.reshape(-1, observation.n_bands),
            name=self.name,
            version=version("jaxblend"),
        )
        return Deblended(self.name, images, catalog)


def _cells(positions, shape, radius) -> np.ndarray:
    """Number from 1 of the nearest position at each pixel (H, W), 0 beyond the radius from all of them."""
    if not len(positions):
        return np.zeros(shape, int)
    from scipy.spatial import KDTree

    y, x = np.indices(shape)
    distance, nearest = KDTree(positions).query(np.stack([x, y], axis=-1))
    return np.where(np.asarray(distance) <= radius, np.asarray(nearest) + 1, 0)
