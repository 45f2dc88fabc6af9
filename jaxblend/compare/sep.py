"""SEP as its users run it: extraction with deblending, a segmentation map and Kron photometry."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

import numpy as np

from jaxblend.compare.catalog import make_catalog
from jaxblend.compare.deblender import Deblended, Deblender
from jaxblend.compare.pixels import assigned_images, pixels_of
from jaxblend.detection.combine import combine

__all__ = ["SEP"]

_KRON_REACH = 6.0  # of the ellipse in which the Kron radius is measured, in units of a and b; SExtractor's


@dataclass(frozen=True, kw_only=True)
class SEP(Deblender):
    """Source Extraction in Python, with its own defaults, on the average of all bands in units of their noise.

    The image of a source is the pixels of its segment, noise and all. Fluxes are SExtractor's FLUX_AUTO as SEP's
    documentation makes them: the same Kron ellipse in every band, in which pixels of other segments are replaced by the
    mean of the rest. Noise is taken as white.

    Attributes
    ----------
    threshold
        Standard deviations of the filtered image that every pixel of a source exceeds.
    min_area
        Fewest such pixels, joined, in a source.
    levels, contrast
        Number of thresholds of deblending, and the smallest part of the light that is split off.
    kron_factor
        Size of the aperture in Kron radii.
    min_radius
        Kron radius in pixels below which the aperture is a circle of this radius.

    References
    ----------
    Bertin & Arnouts 1996, A&AS 117, 393; Barbary 2016, JOSS 1, 58.
    """

    name: ClassVar[str] = "sep"
    uses_positions: ClassVar[bool] = False
    threshold: float = 1.5
    min_area: int = 5
    levels: int = 32
    contrast: float = 0.005
    kron_factor: float = 2.5
    min_radius: float = 1.75

    def separate(self, observation, positions):
        """Extract, cut out segments and measure in every band."""
        import sep

        combined = combine(observation)
        sep.set_extract_pixstack(max(sep.get_extract_pixstack(), combined.image.size))
        found, segments = sep.extract(
            combined.image,
            self.threshold,
            err=combined.noise,  # and no mask: near one SEP 1.4.1 does not deblend; masked pixels are 0
            minarea=self.min_area,
            deblend_nthresh=self.levels,
            deblend_cont=self.contrast,
            segmentation_map=True,
        )
        fluxes, errors, flags = self._photometry(sep, observation, combined, found, segments)
        columns = {name: found[name] for name in ("a", "b", "theta")} | {"flags": found["flag"] | flags}
        catalog = make_catalog(
            observation,
            np.stack([found["x"], found["y"]], axis=1),
            fluxes,
            errors,
            name=self.name,
            version=version("sep"),
            columns=columns,
        )
        return Deblended(self.name, assigned_images(observation, segments, np.arange(1, len(found) + 1)), catalog)

    def _photometry(self, sep, observation, combined, found, segments):
        """Kron fluxes and their errors (n, C), and SEP's flags of the photometry (n,)."""
        pixels, n = pixels_of(observation), len(found)
        fluxes, errors = np.zeros((n, observation.n_bands)), np.zeros((n, observation.n_bands))
        if not n:
            return fluxes, errors, np.zeros(0, int)
        ellipse = tuple(found[name] for name in ("x", "y", "a", "b", "theta"))
        others = {"segmap": segments, "seg_id": np.arange(1, n + 1)}
        kron, flags = sep.kron_radius(combined.image, *ellipse, _KRON_REACH, mask=combined.masked, **others)
        small = ~(kron * np.sqrt(found["a"] * found["b"]) >= self.min_radius)  # NaN, too
        for c in range(observation.n_bands):
            options = {
                "err": pixels.noise[c],
                "mask": pixels.masked[c],
                "gain": None if pixels.gain is None else float(pixels.gain[c]),
                "subpix": 1,
            }
            band = pixels.image[c]
            inside = np.where(small, 1.0, self.kron_factor * kron)
            fluxes[:, c], errors[:, c], flag = sep.sum_ellipse(band, *ellipse, inside, **options, **others)
            circle = sep.sum_circle(band, *ellipse[:2], self.min_radius, **options, **others)
            fluxes[small, c], errors[small, c] = circle[0][small], circle[1][small]
            flags = flags | np.where(small, circle[2], flag)
        return fluxes, errors, flags
