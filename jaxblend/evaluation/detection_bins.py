"""Detection in bins: true sources by what is true of them, detections by what was measured of them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from astropy.table import QTable
from jaxtyping import Array, Bool, Float, Int

from jaxblend.evaluation.bins import edges_for
from jaxblend.evaluation.columns import column
from jaxblend.evaluation.report import table_of_bins
from jaxblend.evaluation.statistics import Number, Resampling
from jaxblend.metrics.bootstrap import in_bins
from jaxblend.metrics.detection import f1_score, precision, recall
from jaxblend.metrics.resampling import bins_and_blends

__all__ = ["detection_table", "efficiency_table", "measured_columns"]

MEASURED = {"snr": ("snr", "snr"), "flux": ("true_flux_{band}", "found_flux_{band}")}


def measured_columns(sources: QTable, detections: QTable, band: str) -> dict[str, tuple[str, str]]:
    """Name the columns of sources and of detections for what both have."""
    named = {by: (true.format(band=band), own.format(band=band)) for by, (true, own) in MEASURED.items()}
    return {by: (t, o) for by, (t, o) in named.items() if t in sources.colnames and o in detections.colnames}


def detection_table(
    sources: QTable, detections: QTable, by: str, edges: Any, *, band: str, resampling: Resampling
) -> QTable:
    """Take precision, recall and F1 in bins, those that have a value; rows without one are left out.

    Raises
    ------
    ValueError
        If one side cannot be binned so, or edges do not rise.
    """
    known = measured_columns(sources, detections, band)
    if by not in known:
        raise ValueError(f"cannot bin detections by {by!r}: true sources and detections have {list(known)}")
    true, own = known[by]
    edges = edges_for(sources, true, edges)
    parts = [
        _rows(sources, true, np.ones(len(sources), bool), "found"),
        _rows(detections, own, np.asarray(detections["placed"], bool), "matched"),
    ]
    is_true = np.repeat([True, False], [len(values) for values, _, _ in parts])
    values, partner, blend = (np.concatenate(each) for each in zip(*parts, strict=True))
    numbers = {}
    if len(values):
        binned = in_bins(_scores, (is_true, partner), values=values, edges=edges, blend=blend, **resampling._asdict())
        numbers = {name: Number(value, binned.error[name], binned.count) for name, value in binned.value.items()}
    counts, detected = (np.histogram(values, edges)[0] for values, _, _ in parts)
    numbers = {name: number for name, number in numbers.items() if not np.isnan(number.value).all()}
    meta: Any = sources.meta
    table = table_of_bins(by, edges, counts, numbers, meta=meta)
    table.add_column(detected, index=3, name="detections")
    return table


def efficiency_table(sources: QTable, by: str, edges: Any) -> QTable:
    """Count blends by bin, true sources and found ones."""
    edges = edges_for(sources, by, edges)
    values = column(sources, by)
    known = ~np.isnan(values)
    blend, found = (np.asarray(sources[name])[known] for name in ("blend", "found"))
    index, _, _ = bins_and_blends(len(blend), values=values[known], blend=blend, edges=edges)
    rows = []
    for i, bin_edges in enumerate(pairwise(edges.tolist())):
        true = np.bincount(blend[index == i])
        seen = np.bincount(blend[(index == i) & found], minlength=len(true))
        pairs, blends = np.unique(np.stack([true, seen], axis=1)[true > 0], axis=0, return_counts=True)
        rows += [(*bin_edges, *pair, n) for pair, n in zip(pairs.tolist(), blends.tolist(), strict=True)]
    names = (f"{by}_low", f"{by}_high", "true", "found", "blends")
    meta: Any = sources.meta
    return QTable(rows=rows or None, names=names, dtype=(float, float, int, int, int), meta=dict(meta))


def _rows(
    table: QTable, name: str, which: Bool[np.ndarray, " N"], partner: str
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Value, partner and blend of those rows that have a value."""
    values = column(table, name)
    which = which & ~np.isnan(values)
    return values[which], np.asarray(table[partner], bool)[which], np.asarray(table["blend"])[which]


def _scores(true: Bool[Array, " N"], partner: Bool[Array, " N"], *, where: Any) -> dict[str, Array]:
    matched, detected, found, there = (
        which.sum() for which in (where & ~true & partner, where & ~true, where & true & partner, where & true)
    )
    return {
        "precision": precision(matched, detected),
        "recall": recall(found, there),
        "f1": f1_score(matched, detected, found, there),
    }
