"""Galaxies of a CATSIM table, with the columns and the conventions of the Blending ToolKit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation.columns import check_magnitudes, check_rows, load_table, read_column
from jaxblend.simulation.sky import fits_a_plane, tangent_plane
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey, lsst_wavelengths

if TYPE_CHECKING:
    import astropy.table


def read_catsim(
    table: str | PathLike | astropy.table.Table,
    surveys: Survey | Sequence[Survey],
    *,
    columns: Mapping[str, str] | None = None,
    interpolate: bool = False,
) -> SkySources:
    """Turn a CATSIM table into sources.

    As in the Blending ToolKit: the total flux of a band comes from its magnitude ``<band>_ab``; bulge,
    disk and active nucleus share it, the same in all bands, in proportion to ``fluxnorm_bulge``,
    ``fluxnorm_disk`` and ``fluxnorm_agn``; half-light radii are ``sqrt(a b)``, axis ratios ``b / a``,
    and position angles run from the x axis to the y axis. The active nucleus is a point source. Where the table has
    ``ra`` and ``dec`` (degrees) the sources have places, on the tangent plane.

    Parameters
    ----------
    table : path or `astropy.table.Table`
        A file that astropy reads (FITS), or the table. Units are ignored: arcsec, degrees, AB magnitudes.
    surveys : Survey or sequence of Survey
        Surveys whose bands the sources need.
    columns : mapping, optional
        Column of the magnitude of a band, where it is not ``<band>_ab``.
    interpolate : bool
        Where a band has no column, interpolate the AB magnitudes of the CATSIM bands linearly in the
        logarithm of the effective wavelength. Bands outside their range are refused.

    Returns
    -------
    SkySources
        All rows of the table, in order.

    Raises
    ------
    ValueError
        If a column is missing, a galaxy has no light or no magnitude in a band, or a component with light has no size.

    References
    ----------
    Connolly et al. 2014, Proc. SPIE 9150, 915014 (CATSIM); Mendoza et al. 2025, Open J. Astrophys. 8,
    doi:10.33232/001c.129699 (BTK).
    """
    surveys = (surveys,) if isinstance(surveys, Survey) else tuple(surveys)
    data = load_table(table)
    fraction = _flux_fractions(data)
    by_band = {
        band: _magnitude(data, survey, band, columns or {}, interpolate)
        for survey in reversed(surveys)
        for band in survey.bands
    }
    bands = tuple(dict.fromkeys(band for survey in surveys for band in survey.bands))
    magnitude = np.stack([by_band[band] for band in bands], axis=1)
    check_magnitudes(magnitude, bands)
    shape = magnitude.shape
    bulge_radius, bulge_g = _ellipse(data, "b", "bulge", fraction["bulge"])
    disk_radius, disk_g = _ellipse(data, "d", "disk", fraction["disk"])
    has_redshift = "redshift" in data.colnames
    return SkySources(
        bands=bands,
        magnitude=magnitude,
        bulge_fraction=np.broadcast_to(fraction["bulge"][:, None], shape).copy(),
        point_fraction=np.broadcast_to(fraction["agn"][:, None], shape).copy(),
        bulge_radius=bulge_radius,
        disk_radius=disk_radius,
        bulge_g=bulge_g,
        disk_g=disk_g,
        redshift=read_column(data, "redshift") if has_redshift else np.full(len(data), np.nan),
        row=np.arange(len(data)),
        place=_places(data),
    )


def shear_from_axes(a: np.ndarray, b: np.ndarray, position_angle: np.ndarray) -> np.ndarray:
    """Compute the reduced shear of ellipses with semi-axes a >= b.

    Parameters
    ----------
    a, b : (n,) array
        Semi-axes, any unit.
    position_angle : (n,) array
        Angle of the major axis from x towards y, degrees.

    Returns
    -------
    (n, 2) array
        ``g = (a - b) / (a + b) exp(2 i phi)`` as (g1, g2), GalSim's sign.
    """
    modulus = (a - b) / (a + b)
    phase = 2.0 * np.radians(position_angle)
    return np.stack([modulus * np.cos(phase), modulus * np.sin(phase)], axis=1)


def _places(data: astropy.table.Table) -> np.ndarray | None:
    if not {"ra", "dec"} <= set(data.colnames):
        return None
    ra, dec = read_column(data, "ra"), read_column(data, "dec")
    return tangent_plane(ra, dec) if fits_a_plane(ra, dec) else None


def _flux_fractions(data: astropy.table.Table) -> dict[str, np.ndarray]:
    norms = {part: read_column(data, f"fluxnorm_{part}") for part in ("bulge", "disk", "agn")}
    total = norms["bulge"] + norms["disk"] + norms["agn"]
    check_rows(~(total > 0), "have no light (fluxnorm_bulge + fluxnorm_disk + fluxnorm_agn is not positive)")
    return {part: norm / total for part, norm in norms.items()}


def _magnitude(
    data: astropy.table.Table, survey: Survey, band: str, columns: Mapping[str, str], interpolate: bool
) -> np.ndarray:
    name = columns.get(band, f"{band}_ab")
    if name in data.colnames or not interpolate:
        return read_column(data, name)
    return _interpolate(data, name, survey.effective_wavelength[survey.band_index(band)])


def _interpolate(data: astropy.table.Table, name: str, wavelength: float) -> np.ndarray:
    native = lsst_wavelengths()
    bands, log_native = list(native), np.log(list(native.values()))
    log_wavelength = np.log(wavelength)
    if not log_native[0] <= log_wavelength <= log_native[-1]:
        raise ValueError(
            f"At {wavelength} nm, the magnitude {name!r} lies outside CATSIM's {bands} and cannot be interpolated: "
            "add the column."
        )
    upper = int(np.clip(np.searchsorted(log_native, log_wavelength), 1, len(bands) - 1))
    weight = (log_wavelength - log_native[upper - 1]) / (log_native[upper] - log_native[upper - 1])
    left, right = (read_column(data, f"{band}_ab") for band in bands[upper - 1 : upper + 1])
    return (1.0 - weight) * left + weight * right


def _ellipse(data: astropy.table.Table, axis: str, part: str, fraction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = read_column(data, f"a_{axis}"), read_column(data, f"b_{axis}")
    lit = fraction > 0
    check_rows(lit & ~((a > 0) & (b > 0)), f"have light in the {part} but no size a_{axis}, b_{axis} > 0")
    radius = np.where(lit, np.sqrt(a * b), 0.0)
    g = shear_from_axes(np.where(lit, a, 1.0), np.where(lit, b, 1.0), read_column(data, f"pa_{part}"))
    return radius, g
