"""Galaxies of GalSim's COSMOS samples: fits to HST images, or the images themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from jaxblend.simulation.catsim import shear_from_axes
from jaxblend.simulation.profiles import SERSIC_KINDS, sersic_profiles, unmeasured
from jaxblend.simulation.sources import SkySources, is_concentrated
from jaxblend.simulation.survey import Survey

if TYPE_CHECKING:
    import galsim

__all__ = ["read_cosmos"]

FIT_COLUMNS = ("sersicfit", "bulgefit", "use_bulgefit", "viable_sersic", "hlr", "flux")
HST_BAND = "f814w"
HST_MAGNITUDE = "mag_auto"
NO_MAGNITUDE = 90.0  # catalogues write 99, or -99, where they have none


def read_cosmos(
    catalog: galsim.GalaxySample,
    surveys: Survey | Sequence[Survey],
    *,
    real: bool = False,
    sersic: str = "exact",
    columns: Mapping[str, str] | None = None,
) -> SkySources:
    """Turn a COSMOS catalogue of GalSim into sources.

    Which bands there are magnitudes for depends on the catalogue. All have F814W (``mag_auto``, or ``MAG`` of the
    images' catalogue), which is taken for the band "f814w"; some have HSC's ``HSC_g`` to ``HSC_y``, which are taken
    for g, r, i, z and y, those of LSST or Pan-STARRS, too, whose filters differ a little. Any other band (u, Euclid's,
    Roman's) needs a column of its own in the catalogue, named in `columns`. A galaxy has the same profile in all
    bands. Rows without a magnitude, or without a fit where one is needed, are left out.

    Parameters
    ----------
    catalog : galsim.COSMOSCatalog or galsim.GalaxySample
        Such as ``galsim.COSMOSCatalog("real_galaxy_catalog.fits", dir=..., exclusion_level="none")``.
    surveys : Survey or sequence of Survey
        Surveys whose bands the sources need.
    real : bool
        Take the HST images (GalSim's ``RealGalaxy``, without padding): deconvolved from HST's PSF, so that the
        survey's must be wider, and with HST's noise in them, which should be small beside the survey's. Sizes and
        shapes are then NaN. By default, take the fits.
    sersic : {"exact", "round"}
        What a galaxy is that is fitted by one Sersic profile: that profile, which GalSim alone draws; or a disk (index
        below 2.5) or a bulge (2.5 and above) of the same half-light radius and shape, which the device draws, too. The
        truth tables say the latter in either case.
    columns : mapping, optional
        Column of the catalogue of fits with the AB magnitude in a band.

    Returns
    -------
    SkySources
        `row` counts the rows of the catalogue's file.

    Raises
    ------
    ValueError
        If a magnitude or the fits are missing, or no row has all that is needed.

    References
    ----------
    Mandelbaum et al. 2012, MNRAS 420, 1518 and 2014, ApJS 212, 5 (images and fits); 2.5 divides early from late types
    in Shen et al. 2003, MNRAS 343, 978.
    """
    if sersic not in SERSIC_KINDS:
        raise ValueError(f"Got sersic={sersic!r}, expected one of {list(SERSIC_KINDS)}.")
    surveys = (surveys,) if isinstance(surveys, Survey) else tuple(surveys)
    bands = tuple(dict.fromkeys(band for survey in surveys for band in survey.bands))
    data = catalog.param_cat[catalog.orig_index]
    magnitude = np.stack([_magnitude(catalog, data, band, columns or {}) for band in bands], axis=1)
    usable = np.all(np.isfinite(magnitude) & (magnitude > 0) & (magnitude < NO_MAGNITUDE), axis=1)
    if not real:
        usable &= _has_fit(data)
    if not usable.any():
        raise ValueError(f"None of {len(data)} rows has magnitudes in {list(bands)} and a fit: take another catalogue.")
    kept = np.flatnonzero(usable)
    about = {"bands": bands, "redshift": _redshift(data)[kept], "row": np.asarray(catalog.orig_index)[kept]}
    if real:
        return unmeasured([partial(_image, catalog, int(i)) for i in kept], magnitude[kept], **about)
    return _fitted(data[kept], magnitude[kept], sersic, **about)


def _image(catalog: galsim.GalaxySample, index: int) -> galsim.GSObject:
    # Padding would draw its noise from a generator of GalSim's own.
    return cast("galsim.GSObject", catalog.makeGalaxy(index, gal_type="real", noise_pad_size=0))


def _magnitude(catalog: galsim.GalaxySample, data: np.ndarray, band: str, columns: Mapping[str, str]) -> np.ndarray:
    names = data.dtype.names or ()
    wanted = columns.get(band, f"HSC_{band}")
    if wanted in names:
        return np.asarray(data[wanted], float)
    if band == HST_BAND and band not in columns:
        if HST_MAGNITUDE in names:
            return np.asarray(data[HST_MAGNITUDE], float)
        if catalog.canMakeReal():
            images = cast("galsim.RealGalaxyCatalog", catalog.real_cat)
            return np.asarray(images.mag, float)[catalog.orig_index]
    raise ValueError(
        f"The catalogue has columns {list(names)} but no {wanted!r} for the band {band!r}: name a column of AB "
        "magnitudes in `columns`, or leave the band out."
    )


def _redshift(data: np.ndarray) -> np.ndarray:
    known = [name for name in data.dtype.names or () if name.lower() == "zphot"]
    return np.asarray(data[known[0]], float) if known else np.full(len(data), np.nan)


def _has_fit(data: np.ndarray) -> np.ndarray:
    missing = [name for name in FIT_COLUMNS if name not in (data.dtype.names or ())]
    if missing:
        raise ValueError(
            f"The catalogue has columns {list(data.dtype.names or ())} and none of the fits {missing}: take a "
            "catalogue with fits, or the images with real=True."
        )
    share = _bulge_share(data)
    two = data["use_bulgefit"].astype(bool) & (share >= 0) & (share <= 1)
    return two | (~data["use_bulgefit"].astype(bool) & data["viable_sersic"].astype(bool))


def _bulge_share(data: np.ndarray) -> np.ndarray:
    """Fraction (n,) of the flux of both that is the bulge's; NaN where both are 0."""
    bulge, disk = np.asarray(data["flux"], float)[:, 1:3].T
    return np.divide(bulge, bulge + disk, out=np.full(len(data), np.nan), where=bulge + disk != 0)


def _fitted(
    data: np.ndarray,
    magnitude: np.ndarray,
    sersic: str,
    *,
    bands: tuple[str, ...],
    redshift: np.ndarray,
    row: np.ndarray,
) -> SkySources:
    """Bulges and disks of fits (n); what the numbers of a fit are is in GalSim's ``GalaxySample._buildParametric``."""
    two = data["use_bulgefit"].astype(bool)
    one_fit, two_fit = np.asarray(data["sersicfit"], float), np.asarray(data["bulgefit"], float)
    radius = np.asarray(data["hlr"], float)
    index, one_g = one_fit[:, 2], _shape(one_fit[:, 3], one_fit[:, 7])
    concentrated = is_concentrated(index)
    share = np.where(two, _bulge_share(data), np.where(concentrated, 1.0, 0.0))
    disk_g = np.where(two[:, None], _shape(two_fit[:, 3], two_fit[:, 7]), one_g)
    bulge_g = np.where(two[:, None], _shape(two_fit[:, 11], two_fit[:, 15]), one_g)
    exact = sersic == "exact" and not two.all()
    return SkySources(
        bands=bands,
        magnitude=magnitude,
        bulge_fraction=np.repeat(share[:, None], len(bands), axis=1),
        point_fraction=np.zeros(magnitude.shape),
        bulge_radius=np.where(share > 0, np.where(two, radius[:, 1], radius[:, 0]), 0.0),
        disk_radius=np.where(share < 1, np.where(two, radius[:, 2], radius[:, 0]), 0.0),
        bulge_g=bulge_g,
        disk_g=disk_g,
        redshift=redshift,
        row=row,
        profile=sersic_profiles(index, radius[:, 0], one_g, ~two) if exact else None,
        jacobian=np.tile(np.eye(2), (len(data), 1, 1)) if exact else None,
    )


def _shape(axis_ratio: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Reduced shears (n, 2) of axis ratios b / a and angles from x towards y, radians."""
    return shear_from_axes(np.ones(len(angle)), np.minimum(axis_ratio, 1.0), np.degrees(angle))
