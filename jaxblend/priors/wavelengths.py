"""What the name of a band says of its wavelength."""

from __future__ import annotations

import re

__all__ = ["band_wavelength", "filter_name"]

# Effective wavelengths in nm, for the smoothness of colours only; names are compared without case.
_WAVELENGTHS = {
    "u": 370, "g": 480, "r": 622, "i": 755, "z": 870, "y": 975, "j": 1250, "h": 1650, "k": 2150, "ks": 2150,
    "vis": 715, "ie": 715, "ye": 1085, "je": 1375, "he": 1780,
    "f475w": 475, "f606w": 590, "f775w": 770, "f814w": 805, "f105w": 1055, "f125w": 1250, "f140w": 1390,
    "f160w": 1540, "f062": 620, "f087": 870, "f106": 1060, "f129": 1290, "f158": 1580, "f184": 1840,
}  # fmt: skip


def filter_name(band: str) -> str:
    """The filter of a band, lower case, without survey or epoch: r of LSST_r, HSC-R and r_2026."""
    return re.sub(r"^(hsc|lsst|euclid|decam|sdss|ps1)[-_.]|[-_.]\d+$", "", band.lower())


def band_wavelength(band: str) -> float | None:
    """Effective wavelength in nm of a band, from its name; None if the name says nothing."""
    wavelength = _WAVELENGTHS.get(filter_name(band))
    return None if wavelength is None else float(wavelength)
