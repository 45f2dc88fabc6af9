"""What FITS headers say about the sky and the flux scale."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.wcs import WCS

Header = Any  # a mapping from keywords to str, bool, int or float; astropy's own class is typed too loosely to check

__all__ = ["celestial_wcs", "largest_wcs_offset", "pixel_scale_from_header", "zero_point_from_header"]

ZERO_POINT_KEYWORDS = ("MAGZERO", "MAGZPT", "MAGZP", "MAGZEROP", "ZEROPT", "ZEROPNT", "PHOTZP", "ABMAGZP", "ZP")
NANOMAGGY_ZERO_POINT = 22.5


def celestial_wcs(header: Header) -> WCS | None:
    """Read the 2-D celestial WCS of an image or a cube; None if the header has none."""
    from astropy.wcs import WCS, FITSFixedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(header, naxis=2)
    return wcs if wcs.has_celestial else None


def largest_wcs_offset(wcs: Any, other: Any, shape: tuple[int, int]) -> float:
    """Compute by how many pixels two WCSs disagree at most at the corners of a stamp (H, W)."""
    height, width = shape
    x, y = np.array([0.0, width - 1, 0.0, width - 1]), np.array([0.0, 0.0, height - 1, height - 1])
    there = wcs.world_to_pixel_values(*other.pixel_to_world_values(x, y))
    return float(np.max(np.hypot(there[0] - x, there[1] - y)))


def pixel_scale_from_header(header: Header) -> float | None:
    """Find the arcsec per pixel in PIXSCALE or PIXSCAL1; None if the header does not say."""
    return next((float(header[key]) for key in ("PIXSCALE", "PIXSCAL1") if _is_number(header.get(key))), None)


def zero_point_from_header(header: Header, index: int | None = None) -> float | None:
    """Find the AB magnitude of one unit of flux; None if the header does not say.

    Read are, in this order: MAGZP0, MAGZP1 ... for slice ``index`` of a cube; a zero-point keyword (MAGZERO, MAGZPT,
    ZEROPT, PHOTZP ...); FLUXMAG0 (LSST, HSC); PHOTFLAM with PHOTPLAM (HST); BUNIT where it is a flux density (nJy, uJy,
    nanomaggy ...).
    """
    for keyword in (*(() if index is None else (f"MAGZP{index}",)), *ZERO_POINT_KEYWORDS):
        if _is_number(header.get(keyword)):
            return float(header[keyword])
    if _is_number(header.get("FLUXMAG0")) and header["FLUXMAG0"] > 0:
        return 2.5 * float(np.log10(header["FLUXMAG0"]))
    if all(_is_number(header.get(keyword)) and header[keyword] > 0 for keyword in ("PHOTFLAM", "PHOTPLAM")):
        # https://www.stsci.edu/hst/instrumentation/acs/data-analysis/zeropoints
        return -2.5 * float(np.log10(header["PHOTFLAM"])) - 5.0 * float(np.log10(header["PHOTPLAM"])) - 2.408
    return _zero_point_of_unit(str(header.get("BUNIT", "")).strip())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _zero_point_of_unit(name: str) -> float | None:
    import astropy.units as u

    if name.lower() in ("nanomaggy", "nanomaggies", "nmgy"):
        return NANOMAGGY_ZERO_POINT
    try:
        return float(np.asarray(u.Quantity(1.0, name).to_value(u.ABmag))) if name else None
    except (ValueError, TypeError, u.UnitConversionError):
        return None
