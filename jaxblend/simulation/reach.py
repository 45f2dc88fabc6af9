"""How far the light of a source reaches, and the periodic grid that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gamma, gammaincinv

from jaxblend.forward.frame import fast_size
from jaxblend.simulation.host_profiles import blurred_peak, de_vaucouleurs, exponential
from jaxblend.simulation.psf import effective_psf_images
from jaxblend.simulation.sources import DE_VAUCOULEURS_INDEX, EXPONENTIAL_INDEX, SkySources
from jaxblend.simulation.survey import Survey

if TYPE_CHECKING:
    import galsim

__all__ = ["FAINTEST", "StarWings", "grid_sizes", "reach"]

FAINTEST = 1e-5  # of a source's peak, where its image ends
GRID_STEP = 1.2  # ratio of the sizes of grids: each size is a program of its own
MOST_PADDING = 30  # widest grid, in stamps
STAR_SIZE = 257  # pixels; beyond, wings fall with the third power of the radius, as those of an Airy pattern


@dataclass(frozen=True, eq=False)
class StarWings:
    """How the images of stars end, in the PSFs of a survey's bands.

    Attributes
    ----------
    level : (C, n) array
        Brightest pixel at least 0, 1, 2 ... pixels from the centre along x or along y, over the peak.
    width : (C,) array
        Standard deviation of a Gaussian with the peak of a star, arcsec.
    pixel_scale : float
        Arcsec per pixel.
    """

    level: np.ndarray
    width: np.ndarray
    pixel_scale: float

    @classmethod
    def of(cls, psfs: Sequence[galsim.GSObject], survey: Survey) -> StarWings:
        """Draw stars and look."""
        images = effective_psf_images(psfs, pixel_scale=survey.pixel_scale, size=STAR_SIZE)
        place = np.abs(np.arange(STAR_SIZE) - STAR_SIZE // 2)
        distance = np.maximum(place[:, None], place)
        order = np.argsort(distance, axis=None)
        begins = np.searchsorted(distance.ravel()[order], np.arange(STAR_SIZE // 2 + 1))
        rings = np.maximum.reduceat(images.reshape(len(images), -1)[:, order], begins, axis=1)
        level = np.maximum.accumulate(rings[:, ::-1], axis=1)[:, ::-1] / rings[:, :1]
        width = survey.pixel_scale / np.sqrt(2.0 * np.pi * rings[:, 0])
        return cls(level, width, survey.pixel_scale)

    def reach(self, level: np.ndarray) -> np.ndarray:
        """Find the distance (n, C), arcsec, beyond which stars are fainter than levels (n, C) of their peak."""
        n = self.level.shape[1]
        inside = np.stack([np.searchsorted(-band, -want) for band, want in zip(self.level, level.T, strict=True)], 1)
        beyond = (n - 1) * np.cbrt(np.maximum(self.level[:, -1] / level, 1.0))
        return self.pixel_scale * np.where(inside < n, inside, beyond)


def reach(sources: SkySources, wings: StarWings) -> np.ndarray:
    """Find the distance (n,), arcsec, at which each source has faded to `FAINTEST` of its peak, in every band.

    Profiles, seen along their major axes, are taken without the PSF, and its wings as those of a star of the same
    flux; the peak is that of a round source in a Gaussian PSF.
    """
    parts = (
        (EXPONENTIAL_INDEX, exponential, sources.disk_fraction, sources.disk_radius, sources.disk_g),
        (DE_VAUCOULEURS_INDEX, de_vaucouleurs, sources.bulge_fraction, sources.bulge_radius, sources.bulge_g),
    )
    star_peak = 1.0 / (2.0 * np.pi * wings.width**2)
    peak = sources.point_fraction * star_peak
    for _, profile, fraction, radius, _ in parts:
        peak = peak + np.where(fraction > 0, fraction * blurred_peak(profile, radius[:, None], wings.width), 0.0)
    far = wings.reach(FAINTEST * peak / star_peak)
    for index, _, fraction, radius, g in parts:
        major = radius * np.sqrt((1.0 + np.hypot(*g.T)) / (1.0 - np.hypot(*g.T)))
        edge = major[:, None] * _edge(index, fraction, radius[:, None], FAINTEST * peak)
        far = np.maximum(far, np.where(fraction > 0, np.hypot(edge, 4.0 * wings.width), 0.0))
    return far.max(axis=1)


def grid_sizes(reach: np.ndarray, stamp_size: int, pixel_scale: float) -> np.ndarray:
    """Choose the width (n,), pixels, of a periodic grid for sources that reach so far (n,), arcsec."""
    sizes = [fast_size(stamp_size)]
    wanted = 2.0 * np.ceil(reach / pixel_scale)
    most = MOST_PADDING * stamp_size
    while sizes[-1] < wanted.max(initial=0.0) and GRID_STEP * sizes[-1] < most:
        sizes.append(fast_size(GRID_STEP * sizes[-1]))
    return np.array(sizes)[np.minimum(np.searchsorted(sizes, wanted), len(sizes) - 1)]


def _edge(index: float, fraction: np.ndarray, radius: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Find where a Sersic profile of this share of flux 1 falls to a surface brightness, in half-light radii."""
    b = gammaincinv(2.0 * index, 0.5)
    centre = b ** (2.0 * index) / (2.0 * np.pi * index * gamma(2.0 * index))
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.log(fraction * centre / (radius**2 * level))
    return (np.maximum(np.nan_to_num(depth, nan=0.0, neginf=0.0), 0.0) / b) ** index
