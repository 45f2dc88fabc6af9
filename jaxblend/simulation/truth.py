"""The table of what is true about the sources of a simulated blend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxblend.simulation.sources import SkySources

if TYPE_CHECKING:
    import astropy.table

    from jaxblend.simulation.blend import Blend
    from jaxblend.simulation.survey import Survey


def truth_table(
    sources: SkySources,
    positions: np.ndarray,
    survey: Survey,
    *,
    snr: np.ndarray,
    blended: np.ndarray,
    about: Mapping[str, object],
) -> astropy.table.QTable:
    """Tabulate one row per source, in the columns of a fitted catalogue.

    Parameters
    ----------
    sources : SkySources
        The n sources.
    positions : (n, 2) array
        Pixel x, y.
    survey : Survey
        Bands and zero points.
    snr, blended : (n,) array
        S/N and blendedness in the reference band: see `signal_to_noise` and `blendedness`.
    about : mapping
        What else the table's ``meta`` holds.

    Returns
    -------
    QTable
        ``id, x, y`` (pixels), ``flux_<band>`` (electrons, to infinity), ``mag_<band>`` (AB), ``radius`` (half-light
        radius of all the light, arcsec), ``g1, g2`` (flux-weighted mean of the components' reduced shears),
        ``bulge_fraction, kind, snr, blendedness``, the components' ``bulge_radius, disk_radius, bulge_g1, bulge_g2,
        disk_g1, disk_g2``, ``point_fraction, redshift, catalog_row``. What depends on the band is in the reference
        band, which ``meta["reference_band"]`` names.
    """
    import astropy.units as u
    from astropy.table import QTable

    band = survey.reference_band
    index = survey.band_index(band)
    chosen = sources.in_bands(survey.bands)
    flux = chosen.flux(survey)
    g = chosen.shape(band)
    table = QTable(meta=_provenance(survey) | dict(about))
    table["id"] = np.arange(len(chosen))
    table["x"], table["y"] = positions[:, 0] * u.pix, positions[:, 1] * u.pix
    for column, name in enumerate(survey.bands):
        table[f"flux_{name}"] = flux[:, column] * u.electron
    for column, name in enumerate(survey.bands):
        table[f"mag_{name}"] = chosen.magnitude[:, column] * u.ABmag
    table["radius"] = chosen.half_light_radius(band) * u.arcsec
    table["g1"], table["g2"] = g[:, 0], g[:, 1]
    table["bulge_fraction"] = chosen.bulge_fraction[:, index]
    table["kind"] = np.where(chosen.is_star, "star", "galaxy")
    table["snr"] = snr
    table["blendedness"] = blended
    for part in ("bulge", "disk"):
        shape = getattr(chosen, f"{part}_g")
        table[f"{part}_radius"] = getattr(chosen, f"{part}_radius") * u.arcsec
        table[f"{part}_g1"], table[f"{part}_g2"] = shape[:, 0], shape[:, 1]
    table["point_fraction"] = chosen.point_fraction[:, index]
    table["redshift"] = chosen.redshift
    table["catalog_row"] = chosen.row
    return table


def truth_to_store(blend: Blend) -> astropy.table.QTable:
    """The truth of a blend, with its seeds where they are not the true positions."""
    if "seed_x" in blend.truth.colnames or np.array_equal(blend.seeds, blend.positions):
        return blend.truth
    return with_seeds(blend.truth, blend.seeds)


def with_seeds(truth: astropy.table.QTable, seeds: np.ndarray) -> astropy.table.QTable:
    """Copy a truth, with seeds (n, 2), pixel x, y, as ``seed_x, seed_y``."""
    import astropy.units as u

    truth = truth.copy()
    truth["seed_x"], truth["seed_y"] = (seeds * u.pix).T
    return truth


def seeds_of(truth: astropy.table.QTable) -> np.ndarray | None:
    """Seeds (n, 2) of a truth, pixel x, y; its places where it has none, and None where it lacks these, too."""
    seeds = _pixels(truth, "seed_x", "seed_y")
    return places_of(truth) if seeds is None else seeds


def places_of(truth: astropy.table.QTable) -> np.ndarray | None:
    """True places (n, 2), pixel x, y; None where there are none."""
    return _pixels(truth, "x", "y")


def _pixels(truth: astropy.table.QTable, *names: str) -> np.ndarray | None:
    if not set(names) <= set(truth.colnames):
        return None
    return np.stack([np.asarray(truth[name], float) for name in names], axis=1)


def stack_truths(truths: Iterable[astropy.table.QTable]) -> astropy.table.QTable:
    """Make one table of those of many blends: a first column ``blend`` counts them.

    What differs between blends, their shear, becomes columns ``shear_g1, shear_g2``; the other metadata is that of the
    first blend, and ``n_blends``, since blends without a source have no row.

    Raises
    ------
    ValueError
        If they are of several surveys, or of different bands.
    """
    from astropy.table import vstack

    tables = []
    for number, truth in enumerate(truths):
        table: Any = truth.copy()  # astropy's types do not know its meta
        table.add_column(np.full(len(table), number), name="blend", index=0)
        for name in ("survey", "bands"):
            if tables and table.meta[name] != tables[0].meta[name]:
                raise ValueError(f"Got blends of {name} {tables[0].meta[name]} and {table.meta[name]}, expected one.")
        shear = table.meta.pop("shear", None)
        if shear is not None:
            table["shear_g1"], table["shear_g2"] = (np.full(len(table), shear[name]) for name in ("g1", "g2"))
        tables.append(table)
    if not tables:
        raise ValueError("Got no truths, expected at least one.")
    meta = tables[0].meta
    for table in tables:
        table.meta = {}
    stacked: Any = vstack(tables)
    stacked.meta.update(meta, n_blends=len(tables))
    return stacked


def signal_to_noise(isolated: np.ndarray, variance: float | np.ndarray) -> np.ndarray:
    """Compute the S/N of the best flux measurement of known shape, ``sqrt(sum(f**2 / variance))``.

    Parameters
    ----------
    isolated : (..., H, W) array
        Noiseless image of the source alone.
    variance : (..., H, W) array
        Variance of the noise, in the same unit squared.

    Returns
    -------
    (...) array
        S/N.
    """
    return np.asarray(np.sqrt(np.sum(isolated**2 / variance, axis=(-2, -1))))


def blendedness(isolated: np.ndarray) -> np.ndarray:
    """Measure how much of the light under each source is others': ``1 - <S_i, S_i> / <S_i, S_all>``.

    Parameters
    ----------
    isolated : (n, H, W) array
        Noiseless images of each source alone, in one band.

    Returns
    -------
    (n,) array
        0 for a source alone, towards 1 for one buried in its neighbours; 0 where a source has no light.

    References
    ----------
    Mendoza et al. 2025, Open J. Astrophys. 8, doi:10.33232/001c.129699 (the Blending ToolKit's metric).
    """
    isolated = np.asarray(isolated, float)
    own = np.sum(isolated**2, axis=(1, 2))
    overlap = np.sum(isolated * isolated.sum(axis=0), axis=(1, 2))
    # Ripples of drawn images may make the overlap of distant sources a little negative.
    return np.maximum(1.0 - np.divide(own, overlap, out=np.ones_like(own), where=overlap > 0), 0.0)


def _provenance(survey: Survey) -> dict[str, object]:
    return {
        "survey": survey.name,
        "bands": list(survey.bands),
        "reference_band": survey.reference_band,
        "pixel_scale": survey.pixel_scale,
        "zero_point": survey.zero_point.tolist(),
        "versions": {"surveycodex": survey.codex_version, "galsim": _galsim_version()},
    }


@cache
def _galsim_version() -> str:
    from importlib.metadata import version

    return version("galsim")
