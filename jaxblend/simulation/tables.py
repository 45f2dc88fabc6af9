"""Sources of any table, with a map of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation.column_map import ColumnMap
from jaxblend.simulation.columns import check_magnitudes, load_table
from jaxblend.simulation.profiles import SERSIC_KINDS, sersic_profiles
from jaxblend.simulation.sky import tangent_plane
from jaxblend.simulation.sources import SkySources, is_concentrated
from jaxblend.simulation.survey import Survey

if TYPE_CHECKING:
    import astropy.table

__all__ = ["read_sources"]

SHAPE = ("radius", "a", "b", "axis_ratio", "position_angle", "g1", "g2")
STEEPEST = 20.0  # Sersic index
WHOLE = ("sersic_index", "is_star", "redshift", "x", "y", "ra", "dec")


def read_sources(
    table: str | PathLike | astropy.table.Table,
    surveys: Survey | Sequence[Survey],
    *,
    columns: Mapping[str, str] | None = None,
    sersic: str = "exact",
) -> SkySources:
    """Turn any table of galaxies and stars into sources.

    What is read is named as below; `columns` gives the column of each name, and a column of the same name needs no
    mention. Sizes, angles and places are converted where a column has a unit.

    ==============================  ==================================================================================
    name                            meaning
    ==============================  ==================================================================================
    ``mag_<band>``                  AB magnitude; needed for every band of the surveys
    ``radius``                      half-light radius ``sqrt(a b)``, arcsec; or
    ``a`` with ``b``                half-light semi-axes, arcsec; or ``a`` with ``axis_ratio``
    ``g1``, ``g2``                  reduced shear; or
    ``axis_ratio`` or ``a``, ``b``  with ``position_angle``, degrees from x towards y; a source with neither is round
    ``bulge_radius``, ...           the same of the bulge alone, and with ``disk_`` of the disk
    ``bulge_fraction``              of the total flux, in all bands, or ``bulge_fraction_<band>``; 0 by default
    ``point_fraction``              the same of a point in the centre
    ``sersic_index``                of galaxies of one profile; see `sersic`
    ``is_star``                     whether all the light is a point; nothing else but magnitudes is then needed
    ``redshift``                    NaN by default
    ``x``, ``y``                    places, arcsec; or ``ra``, ``dec``, degrees: x is then to the west, y to the north
    ==============================  ==================================================================================

    Parameters
    ----------
    table : path or `astropy.table.Table`
        A file that astropy reads, or the table.
    surveys : Survey or sequence of Survey
        Surveys whose bands the sources need.
    columns : mapping, optional
        Column of a name, where they differ.
    sersic : {"exact", "round"}
        What a galaxy with a ``sersic_index`` is: that profile (index within 0.3 to 6, to 0.05), which GalSim alone
        draws; or an exponential disk (index below 2.5) or a de Vaucouleurs bulge (2.5 and above) of the same radius
        and shape, which the device draws, too. The truth tables say the latter in either case.

    Returns
    -------
    SkySources
        All rows of the table, in order.

    Raises
    ------
    ValueError
        If a name is unknown, a column is missing, or a value is out of range or not finite where it is needed.
    """
    if sersic not in SERSIC_KINDS:
        raise ValueError(f"Got sersic={sersic!r}, expected one of {list(SERSIC_KINDS)}.")
    surveys = (surveys,) if isinstance(surveys, Survey) else tuple(surveys)
    bands = tuple(dict.fromkeys(band for survey in surveys for band in survey.bands))
    named = ColumnMap.of(load_table(table), columns, _names(bands))
    star = np.nan_to_num(named.read("is_star", default=0.0)).astype(bool)
    index = np.where(star, np.nan, named.read("sersic_index", default=np.nan))
    bulge, point = _fractions(named, bands, star, index)
    single = np.isfinite(index)
    named.check(
        single & ~((index > 0) & (index < STEEPEST)), f"have a sersic_index that is not between 0 and {STEEPEST}"
    )
    radius, g = named.ellipse("", single)
    exact = sersic == "exact" and bool(single.any())
    return SkySources(
        bands=bands,
        magnitude=_magnitudes(named, bands),
        bulge_fraction=bulge,
        point_fraction=point,
        **_components(named, bulge, point, single, radius, g),
        redshift=named.read("redshift", default=np.nan),
        row=np.arange(len(named)),
        place=_places(named),
        profile=sersic_profiles(index, radius, g, single) if exact else None,
        jacobian=np.tile(np.eye(2), (len(named), 1, 1)) if exact else None,
    )


def _names(bands: tuple[str, ...]) -> list[str]:
    """List all that a column can be."""
    shapes = [f"{prefix}{name}" for prefix in ("", "bulge_", "disk_") for name in SHAPE]
    fractions = [f"{part}_fraction{band}" for part in ("bulge", "point") for band in ("", *(f"_{b}" for b in bands))]
    return [*(f"mag_{band}" for band in bands), *shapes, *fractions, *WHOLE]


def _magnitudes(named: ColumnMap, bands: tuple[str, ...]) -> np.ndarray:
    magnitude = np.stack([named.read(f"mag_{band}") for band in bands], axis=1)
    check_magnitudes(magnitude, bands)
    return magnitude


def _fractions(
    named: ColumnMap, bands: tuple[str, ...], star: np.ndarray, index: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Read the fractions (n, C) of the light in bulge and point, where they do not follow from what the source is."""
    bulge, point = (_fraction(named, f"{part}_fraction", bands) for part in ("bulge", "point"))
    point = np.where(star[:, None], 1.0, point)
    of_profile = np.where(is_concentrated(index)[:, None], 1.0 - point, 0.0)
    bulge = np.where(np.isfinite(index)[:, None], of_profile, np.where(star[:, None], 0.0, bulge))
    possible = (bulge >= 0) & (point >= 0) & (bulge + point <= 1)
    named.check((~possible).any(axis=1), "have fractions in bulge and point that are not parts of the total flux")
    return bulge, point


def _fraction(named: ColumnMap, name: str, bands: tuple[str, ...]) -> np.ndarray:
    names = [f"{name}_{band}" if named.has(f"{name}_{band}") else name for band in bands]
    return np.stack([named.read(each, default=0.0) for each in names], axis=1)


def _components(
    named: ColumnMap, bulge: np.ndarray, point: np.ndarray, single: np.ndarray, radius: np.ndarray, g: np.ndarray
) -> dict[str, np.ndarray]:
    """Read the radii and shapes of bulge and disk; galaxies of one profile (n,) have its radius and shape."""
    lit = {"bulge": (bulge > 0).any(axis=1), "disk": (bulge + point < 1).any(axis=1)}
    parts = {}
    for part, has_light in lit.items():
        own_radius, own_g = named.ellipse(f"{part}_", has_light & ~single)
        as_whole = has_light & single
        parts[f"{part}_radius"] = np.where(as_whole, radius, own_radius)
        parts[f"{part}_g"] = np.where(as_whole[:, None], g, own_g)
    return parts


def _places(named: ColumnMap) -> np.ndarray | None:
    if named.has("x", "y"):
        places = np.stack([named.read("x", "arcsec"), named.read("y", "arcsec")], axis=1)
        named.check(~np.isfinite(places).all(axis=1), "have no finite x and y")
        return places
    if named.has("ra", "dec"):
        return tangent_plane(named.read("ra", "deg"), named.read("dec", "deg"))
    return None
