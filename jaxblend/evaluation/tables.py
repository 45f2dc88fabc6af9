"""The tables of an evaluation: of true sources, of detections, of numbers, and of numbers in bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table
from jaxtyping import Bool

from jaxblend.evaluation.blends import Blends
from jaxblend.evaluation.gather import Bands
from jaxblend.evaluation.inputs import Result, Truth
from jaxblend.metrics.unrecognised import sources_per_detection

__all__ = ["detections_table", "sources_table"]

UNITS = {"x": u.pix, "y": u.pix, "separation": u.arcsec, "offset": u.arcsec, "magnitude": u.ABmag, "radius": u.arcsec}


def sources_table(
    truths: Sequence[Truth], blends: Blends, bands: Bands, columns: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> QTable:
    """One row per true source, blend after blend; columns (B, M) of which nothing is known are left out."""
    truth, present = blends.truth, blends.truth.present
    table = QTable(meta=dict(meta))
    table["blend"], table["row"] = np.nonzero(present)
    table["id"] = _ids([one.catalog for one in truths], present)
    known = {
        "x": truth.position[..., 0],
        "y": truth.position[..., 1],
        "magnitude": truth.magnitude,
        "snr": truth.snr,
        "blendedness": truth.blendedness,
        "radius": truth.radius,
        "true_star": truth.star,
    }
    for name, values in (known | dict(columns)).items():
        _add(table, name, values[present], bands)
    return table


def detections_table(results: Sequence[Result], blends: Blends, bands: Bands, meta: Mapping[str, Any]) -> QTable:
    """One row per row of the catalogues, blend after blend."""
    found, match = blends.found, blends.match
    sizes = [0 if result.catalog is None else len(result.catalog) for result in results]
    rows = np.arange(found.present.shape[1]) < np.array(sizes)[:, None]
    table = QTable(meta=dict(meta))
    table["blend"], table["row"] = np.nonzero(rows)
    table["id"] = _ids([Table() if result.catalog is None else result.catalog for result in results], rows)
    columns = {
        "x": found.position[..., 0],
        "y": found.position[..., 1],
        "snr": found.snr,
        "star": found.star,
        "found_flux_" + bands.reference: found.flux[..., bands.index],
        "offset": match.separation,
    }
    for name, values in columns.items():
        _add(table, name, values[rows], bands)
    table["placed"] = found.present[rows]
    table["matched"] = match.true_index[rows] >= 0
    table["true_row"] = match.true_index[rows]
    table["n_true"] = np.asarray(sources_per_detection(match, true_where=blends.truth.present))[rows]
    table["flagged"] = found.flagged[rows]
    return table


def _ids(catalogs: Sequence[Table], rows: Bool[np.ndarray, "B n"]) -> np.ndarray:
    """Ids of the catalogues, or numbers of rows where they have none."""
    if all("id" in catalog.colnames for catalog in catalogs if len(catalog)):
        return np.concatenate([np.zeros(0, int), *(np.asarray(c["id"]) for c in catalogs if len(c))])
    return np.nonzero(rows)[1]


def _add(table: QTable, name: str, values: np.ndarray, bands: Bands) -> None:
    if values.dtype.kind == "f" and np.isnan(values).all() and len(values):
        return
    unit = _unit(name, bands)
    table[name] = values if unit is None else values * unit


def _unit(name: str, bands: Bands) -> Any:
    if name.startswith(("magnitude_residual", "colour_residual")):
        return u.mag
    flux = ("true_flux", "found_flux", "rmse", "flux_weighted_rmse")
    return bands.unit if name.startswith(flux) else UNITS.get(name)
