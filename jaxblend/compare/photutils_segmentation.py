"""photutils as its guide runs it: threshold, deblending by watershed, Kron photometry."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from jaxblend.compare.catalog import make_catalog
from jaxblend.compare.deblender import Deblended, Deblender
from jaxblend.compare.optional import require
from jaxblend.compare.pixels import assigned_images, pixels_of
from jaxblend.detection.combine import combine

__all__ = ["PhotutilsSegmentation"]

_INSTALL = "'photutils>=3.0'"


@dataclass(frozen=True, kw_only=True)
class PhotutilsSegmentation(Deblender):
    """photutils' image segmentation, with the settings of its guide, on the average of all bands in units of noise.

    The image of a source is the pixels of its segment, noise and all. Fluxes are measured in the same Kron ellipse in
    every band, in which pixels of other segments are replaced by those on the opposite side; of a source without such
    an ellipse they are those of its segment. Noise is taken as white.

    Attributes
    ----------
    threshold
        What every pixel of a source exceeds in the filtered image, in standard deviations of the unfiltered one.
    min_area
        Fewest such pixels, joined, in a source.
    levels, contrast
        Number of thresholds of deblending, and the smallest part of the light that is split off.
    kernel_fwhm, kernel_size
        Of the Gaussian filter, in pixels.

    References
    ----------
    Bradley et al., photutils, doi:10.5281/zenodo.596036; its guide "Image Segmentation".
    """

    name: ClassVar[str] = "photutils"
    uses_positions: ClassVar[bool] = False
    threshold: float = 1.5
    min_area: int = 10
    levels: int = 32
    contrast: float = 0.001
    kernel_fwhm: float = 3.0
    kernel_size: int = 5

    def separate(self, observation, positions):
        """Segment the combined image and measure in every band."""
        segmentation = require("photutils.segmentation", install=_INSTALL)
        combined = combine(observation)
        smooth, segments = self._segment(segmentation, combined)
        shape = (0, observation.n_bands)
        positions, fluxes, errors = np.zeros((0, 2)), np.zeros(shape), np.zeros(shape)
        columns: dict[str, Any] = {name: np.zeros(0) for name in ("a", "b", "theta")}
        labels, images = np.zeros(0, int), np.zeros((0, *observation.image.shape), np.float32)
        if segments is not None:
            found = segmentation.SourceCatalog(
                combined.image, segments, convolved_data=smooth, error=combined.noise, mask=combined.masked
            )
            positions = np.stack([found.x_centroid, found.y_centroid], axis=1)
            columns = {
                "a": found.semimajor_axis.value,
                "b": found.semiminor_axis.value,
                "theta": found.orientation.to_value("rad"),
            }
            labels = found.labels
            fluxes, errors = _photometry(segmentation, observation, segments, found)
            images = assigned_images(observation, segments.data, labels)
        catalog = make_catalog(
            observation,
            positions,
            fluxes,
            errors,
            name=self.name,
            version=require("photutils", install=_INSTALL).__version__,
            columns=columns,
        )
        return Deblended(self.name, images, catalog)

    def _segment(self, segmentation, combined):
        """The smoothed image and the deblended segments, None if there are none."""
        from astropy.convolution import convolve

        kernel = segmentation.make_2dgaussian_kernel(self.kernel_fwhm, size=self.kernel_size)
        smooth = convolve(combined.image, kernel)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No sources were found")
            segments = segmentation.detect_sources(
                smooth, self.threshold * combined.noise, self.min_area, mask=combined.masked
            )
        if segments is None:
            return smooth, None
        deblended = segmentation.deblend_sources(
            smooth, segments, self.min_area, n_levels=self.levels, contrast=self.contrast, progress_bar=False
        )
        return smooth, deblended


def _photometry(segmentation, observation, segments, found):
    """Kron fluxes and their errors (n, C), in the apertures of the combined image."""
    pixels = pixels_of(observation)
    bands = [
        segmentation.SourceCatalog(image, segments, error=noise, mask=masked, detection_catalog=found)
        for image, noise, masked in zip(pixels.image, pixels.total_noise, pixels.masked, strict=True)
    ]
    measured = [
        np.where(np.isfinite(kron), kron, segment)  # a source may have no Kron ellipse
        for band in bands
        for kron, segment in ((band.kron_flux, band.segment_flux), (band.kron_flux_err, band.segment_flux_err))
    ]
    return np.stack(measured[::2], axis=1), np.stack(measured[1::2], axis=1)
