"""Survey numbers, read from surveycodex and converted to electrons in the full coadd."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation.survey import Survey, in_unit, wavelength_nm

if TYPE_CHECKING:
    import surveycodex.survey


def get_survey(name: str, bands: str | Sequence[str] | None = None) -> Survey:
    """Look up a survey in surveycodex.

    Parameters
    ----------
    name : str
        "LSST", "HSC", "Euclid_VIS" or any name in `list_surveys`; upper and lower case are the same.
    bands : str or sequence of str, optional
        Bands to keep, in this order: a sequence of names, one name, or a string of one-letter names
        such as "ugrizy". All of them by default.

    Returns
    -------
    Survey
        Its numbers, in electrons over the full exposure time.

    Raises
    ------
    ValueError
        If the survey or a band does not exist; the message lists what does.

    Examples
    --------
    >>> survey = get_survey("LSST", bands="gri")
    >>> survey.bands
    ('g', 'r', 'i')
    >>> round(float(survey.magnitude(survey.flux(24.0))[0]), 6)
    24.0
    """
    codex = _find_survey(name)
    names = _parse_bands(bands, codex.available_filters, codex.name)
    filters = [codex.get_filter(band) for band in names]
    zero_point, sky_level = electron_photometry(codex, names)
    wavelength = np.array([wavelength_nm(f) for f in filters])
    return Survey(
        name=codex.name,
        bands=names,
        pixel_scale=in_unit(codex.pixel_scale, "arcsec"),
        zero_point=zero_point,
        psf_fwhm=np.array([in_unit(f.psf_fwhm, "arcsec") for f in filters]),
        sky_level=sky_level,
        exposure_time=np.array([in_unit(f.full_exposure_time, "s") for f in filters]),
        effective_wavelength=wavelength,
        gain=float(codex.gain.value),
        mirror_diameter=in_unit(codex.mirror_diameter, "m"),
        obscuration=float(codex.obscuration.value),
        airmass=float(codex.zeropoint_airmass.value),
        codex_version=_codex_version(),
    )


def electron_photometry(codex: surveycodex.survey.Survey, bands: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """AB magnitude (C,) of an electron in the full exposure, and the sky's electrons (C,) per pixel."""
    filters = [codex.get_filter(band) for band in bands]
    exposure_time = np.array([in_unit(f.full_exposure_time, "s") for f in filters])
    zero_point = np.array([f.zeropoint.value for f in filters]) + 2.5 * np.log10(exposure_time)
    sky_brightness = np.array([f.sky_brightness.value for f in filters])
    return zero_point, 10.0 ** (-0.4 * (sky_brightness - zero_point)) * in_unit(codex.pixel_scale, "arcsec") ** 2


def list_surveys() -> list[str]:
    """List the surveys that `get_survey` knows, sorted."""
    import surveycodex

    return sorted(surveycodex.available_surveys)


def _find_survey(name: str) -> surveycodex.survey.Survey:
    import surveycodex

    known = {key.lower(): key for key in surveycodex.available_surveys}
    if not isinstance(name, str) or name.lower() not in known:
        raise ValueError(
            f"Got survey {name!r}, but surveycodex {_codex_version()} has {list_surveys()}: name one of these."
        )
    return surveycodex.get_survey(known[name.lower()])


def _parse_bands(bands: str | Iterable[str] | None, available: list[str], survey: str) -> tuple[str, ...]:
    if bands is None:
        return tuple(available)
    if isinstance(bands, str):
        names = (bands,) if bands in available else tuple(bands)
    else:
        names = tuple(bands)
    unknown = [band for band in names if band not in available]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(
            f"Got bands {bands!r} for {survey}, which has {available}: "
            "give one or more of these names, each once, as a sequence."
        )
    return names


def _codex_version() -> str:
    from importlib.metadata import version

    return version("surveycodex")
