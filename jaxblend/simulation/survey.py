"""The numbers of one survey that a simulation needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import astropy.units
    import surveycodex.filter

PER_BAND = ("zero_point", "psf_fwhm", "sky_level", "exposure_time", "effective_wavelength")


def reference_band(bands: Sequence[str]) -> str:
    """Name the band that one number stands for where there are several: r, or the middle one."""
    return "r" if "r" in bands else bands[len(bands) // 2]


@dataclass(frozen=True, eq=False)
class Survey:
    """The numbers that turn magnitudes into the pixels of one survey.

    Images are in electrons accumulated over the full exposure time of each band: a flux in electrons
    is ``10 ** (-0.4 * (magnitude - zero_point))``. Arrays have one entry per band and are read-only.
    Made by `jaxblend.io.surveys.get_survey`.

    Attributes
    ----------
    name : str
        Name of the survey in surveycodex.
    bands : tuple of str
        The C bands, in the order of every array.
    pixel_scale : float
        Arcsec per pixel.
    zero_point : (C,) array
        AB magnitude of one electron in the full exposure.
    psf_fwhm : (C,) array
        Full width at half maximum of the PSF, arcsec.
    sky_level : (C,) array
        Mean sky background, electrons per pixel in the full exposure.
    exposure_time : (C,) array
        Full exposure time, seconds.
    effective_wavelength : (C,) array
        Effective wavelength, nanometres; NaN where surveycodex gives none.
    gain : float
        Electrons per ADU. Not used here, where everything is in electrons.
    mirror_diameter : float
        Metres.
    obscuration : float
        Obscured fraction of the mirror's area. GalSim's ``obscuration`` is linear: the square root of it.
    airmass : float
        Airmass of the zero point; zero for a telescope in space.
    codex_version : str
        Version of surveycodex that the numbers come from: they move between releases.
    """

    name: str
    bands: tuple[str, ...]
    pixel_scale: float
    zero_point: np.ndarray
    psf_fwhm: np.ndarray
    sky_level: np.ndarray
    exposure_time: np.ndarray
    effective_wavelength: np.ndarray
    gain: float
    mirror_diameter: float
    obscuration: float
    airmass: float
    codex_version: str

    def __post_init__(self) -> None:
        for name in PER_BAND:
            values = np.array(getattr(self, name), float)
            if values.shape != (len(self.bands),):
                raise ValueError(
                    f"Got {name} of shape {values.shape} for the {len(self.bands)} bands {list(self.bands)}: "
                    "give one number per band."
                )
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @property
    def in_space(self) -> bool:
        """Whether the survey looks through no atmosphere."""
        return self.airmass == 0

    @property
    def reference_band(self) -> str:
        """The band in which S/N and blendedness are defined: r where there is one, else the middle one."""
        return reference_band(self.bands)

    def band_index(self, band: str) -> int:
        """Find a band in the arrays.

        Raises
        ------
        ValueError
            If the survey was loaded without this band.
        """
        if band not in self.bands:
            raise ValueError(
                f"Got band {band!r}, but this {self.name} survey has {list(self.bands)}: "
                "name one of these, or pass it in `bands` to get_survey."
            )
        return self.bands.index(band)

    def only(self, *bands: str) -> Survey:
        """Keep only these bands, in this order."""
        index = [self.band_index(band) for band in bands]
        return replace(self, bands=bands, **{name: getattr(self, name)[index] for name in PER_BAND})

    def flux(self, magnitude: float | np.ndarray) -> np.ndarray:
        """Count the electrons, in the full exposure, of sources with these AB magnitudes, (..., C)."""
        return 10.0 ** (-0.4 * (np.asarray(magnitude, float) - self.zero_point))

    def magnitude(self, flux: float | np.ndarray) -> np.ndarray:
        """Convert to AB magnitudes the fluxes (..., C) in electrons; NaN where the flux is not positive."""
        flux = np.asarray(flux, float)
        positive = np.where(flux > 0, flux, np.nan)
        return self.zero_point - 2.5 * np.log10(positive)


def lsst_wavelengths() -> dict[str, float]:
    """Look up the effective wavelength (nm) of each LSST band: those of CATSIM's magnitudes and of the population's."""
    import surveycodex

    lsst = surveycodex.get_survey("LSST")
    return {band: wavelength_nm(lsst.get_filter(band)) for band in lsst.available_filters}


def wavelength_nm(codex_filter: surveycodex.filter.Filter) -> float:
    """Read the effective wavelength of a surveycodex filter in nanometres; NaN where there is none."""
    wavelength = codex_filter.effective_wavelength
    return float("nan") if wavelength is None else in_unit(wavelength, "nm")


def in_unit(quantity: astropy.units.Quantity, unit: str) -> float:
    """Convert a scalar quantity to a number in a unit."""
    return float(np.asarray(quantity.to_value(unit)))
