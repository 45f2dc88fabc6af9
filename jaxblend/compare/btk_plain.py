"""What of the Blending ToolKit is needed where it is not installed: its containers, field by field, and its WCS."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float

__all__ = ["BlendBatch", "DeblendBatch", "DeblendExample", "btk_class", "make_wcs", "stamp_size", "to_pixels", "to_sky"]


def btk_class(name: str) -> Any:
    """A class of ``btk.blend_batch`` if there is one, else that of this file."""
    try:
        return getattr(import_module("btk.blend_batch"), name)
    except ImportError:
        return {"BlendBatch": BlendBatch, "DeblendExample": DeblendExample, "DeblendBatch": DeblendBatch}[name]


def make_wcs(pixel_scale: float, size: int) -> Any:
    """The Blending ToolKit's WCS of a stamp: (0, 0) in its middle, right ascension grows with x."""
    from astropy.wcs import WCS

    wcs: Any = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crpix = [(size + 1) / 2, (size + 1) / 2]
    wcs.wcs.pc = np.diag([pixel_scale / 3600, pixel_scale / 3600])
    wcs.wcs.cdelt, wcs.wcs.crval = [1.0, 1.0], [0.0, 0.0]
    wcs.array_shape = (size, size)
    return wcs


def stamp_size(size: int, pixel_scale: float) -> float:
    """Arcsec; BTK cuts the quotient by the pixel scale to a whole number, which rounding must not make one less."""
    arcsec = size * pixel_scale
    return arcsec if int(arcsec / pixel_scale) == size else float(np.nextafter(arcsec, np.inf))


def to_pixels(wcs: Any, table: Any) -> Float[np.ndarray, "n 2"]:
    """Pixel x, y of a table's ``ra`` and ``dec``, which BTK has in arcsec from the middle of the stamp."""
    ra, dec = (np.asarray(table[name], float).reshape(-1) / 3600 for name in ("ra", "dec"))
    return np.stack(wcs.world_to_pixel_values(ra, dec), axis=-1).reshape(-1, 2)


def to_sky(wcs: Any, positions: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """``ra`` and ``dec`` in arcsec from the middle of the stamp, negative on its left as in BTK's own truth."""
    ra, dec = wcs.pixel_to_world_values(*np.asarray(positions, float).T)
    return 3600 * np.stack([(np.asarray(ra) + 180) % 360 - 180, np.asarray(dec)], axis=-1)


@dataclass
class BlendBatch:
    """Blends of one survey: see the Blending ToolKit, of whose ``BlendBatch`` these are the fields.

    Attributes
    ----------
    batch_size, max_n_sources : int
        Number of blends, and of slots for sources in each.
    stamp_size : float
        Arcsec.
    survey
        A surveycodex survey of the same bands.
    blend_images : (B, C, H, W) array
        Electrons, sky subtracted.
    isolated_images : (B, max_n_sources, C, H, W) array
        Each source alone, without noise.
    catalog_list : list of Table
        ``ra``, ``dec`` in arcsec from the middle, ``x_peak``, ``y_peak`` in pixels.
    psf : list of GalSim objects
        One a band.
    """

    batch_size: int
    max_n_sources: int
    stamp_size: float
    survey: Any
    blend_images: np.ndarray
    isolated_images: np.ndarray
    catalog_list: list
    psf: list

    @property
    def image_size(self) -> int:
        """Pixels along a side."""
        return int(self.stamp_size / self._pixel_scale)

    @property
    def wcs(self) -> Any:
        """The WCS of every stamp."""
        return make_wcs(self._pixel_scale, self.image_size)

    @property
    def _pixel_scale(self) -> float:
        return self.survey.pixel_scale.to_value("arcsec")


@dataclass
class DeblendExample:
    """One deblended blend: the fields of the Blending ToolKit's class of this name."""

    max_n_sources: int
    catalog: Any
    n_bands: int | None = None
    image_size: int | None = None
    segmentation: np.ndarray | None = None
    deblended_images: np.ndarray | None = None
    extra_data: dict | None = None


@dataclass
class DeblendBatch:
    """Deblended blends: the fields of the Blending ToolKit's class of this name."""

    batch_size: int
    max_n_sources: int
    catalog_list: list
    n_bands: int | None = None
    image_size: int | None = None
    segmentation: np.ndarray | None = None
    deblended_images: np.ndarray | None = None
    extra_data: list | None = None
