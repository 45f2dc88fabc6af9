"""Several evaluations in one table: a row per metric, a column per method; and in bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.table import QTable

    from jaxblend.evaluation import Evaluation

__all__ = ["side_by_side", "side_by_side_in_bins", "write_side_by_side"]

BY = ("snr", "blendedness", "separation", "magnitude")
OF_DETECTIONS = ("precision", "f1")
IN_BINS = ("recall", "flux_{band}_median", "flux_{band}_nmad", "moments_g1_nmad", "cosine_mean")


def side_by_side(evaluations: Mapping[str, Evaluation], seconds: Mapping[str, float]) -> QTable:
    """A row per metric; for each method its value and error, NaN where it has none.

    Parameters
    ----------
    evaluations
        By method.
    seconds
        Median time for a blend, by method; the last row.
    """
    from astropy.table import QTable

    rows: dict[str, dict[str, Any]] = {
        name: {str(row["metric"]): row for row in each.table} for name, each in evaluations.items()
    }
    metrics = list(dict.fromkeys(metric for those in rows.values() for metric in those))
    first = {metric: next(those[metric] for those in rows.values() if metric in those) for metric in metrics}
    table = QTable(meta=_meta(evaluations))
    table["metric"] = np.array([*metrics, "seconds"], str)
    for name, those in rows.items():
        for column, kind, last in ((name, "value", seconds[name]), (f"{name}_err", "error", np.nan)):
            values = [float(those[metric][kind]) if metric in those else np.nan for metric in metrics]
            table[column] = np.array([*values, last])
    table["unit"] = np.array([*(first[metric]["unit"] for metric in metrics), "s"], str)
    meanings = [*(first[metric]["meaning"] for metric in metrics), "median time for a blend, on this machine"]
    table["meaning"] = np.array(meanings, str)
    return table


def side_by_side_in_bins(evaluations: Mapping[str, Evaluation]) -> QTable:
    """A row per bin, metric and method: ``by, low, high, count, metric, method, value, error``.

    ``detection_snr`` and ``detection_flux`` are bins of `Evaluation.detection_in_bins`; counts are true sources.
    """
    from astropy.table import QTable

    rows = []
    for method, evaluation in evaluations.items():
        if not len(evaluation.sources):
            continue
        for by in BY:
            if by in evaluation.sources.colnames:
                rows += _rows(by, method, evaluation.in_bins(by))
        for by in evaluation.detection_bins:
            rows += _rows(f"detection_{by}", method, evaluation.detection_in_bins(by))
    names = ("by", "low", "high", "count", "metric", "method", "value", "error")
    return QTable(rows=rows or None, names=names, meta=_meta(evaluations))


def _rows(by: str, method: str, table: Any) -> list[tuple]:
    metrics = [name for name in table.colnames if f"{name}_err" in table.colnames]
    low, high = table.colnames[:2]
    return [
        (by, row[low], row[high], row["count"], metric, method, row[metric], row[f"{metric}_err"])
        for row in table
        for metric in metrics
    ]


def write_side_by_side(
    evaluations: Mapping[str, Evaluation], seconds: Mapping[str, float], folder: Path, *, notes: Sequence[str] = ()
) -> dict[str, Path]:
    """Write comparison.ecsv, bins.ecsv and comparison.md, with notes at its head."""
    from jaxblend.io.atomic import atomic_path
    from jaxblend.io.tables import write_table

    table, bins = side_by_side(evaluations, seconds), side_by_side_in_bins(evaluations)
    files = {
        "comparison.ecsv": write_table(table, folder / "comparison.ecsv"),
        "bins.ecsv": write_table(bins, folder / "bins.ecsv"),
        "comparison.md": folder / "comparison.md",
    }
    with atomic_path(files["comparison.md"]) as temporary:
        temporary.write_text("\n".join(_markdown(evaluations, table, bins, notes)) + "\n", encoding="utf-8")
    return files


def _meta(evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    about: Any = next(iter(evaluations.values())).sources.meta
    return {"methods": list(evaluations), **about}


def _markdown(evaluations: Mapping[str, Evaluation], table: QTable, bins: Any, notes: Sequence[str]) -> list[str]:
    from jaxblend.evaluation.report import markdown_table, with_error

    methods, first = list(evaluations), next(iter(evaluations.values()))
    n, count = len(first.blends.failed), len(first.sources)
    lines = ["# Comparison of deblenders", ""]
    lines += [
        f"{n} blends of {count} sources; detections stand for sources within {first.max_separation:.3g} arcsec. "
        f"Errors are standard deviations when blends are drawn again, {first.resampling.n_bootstrap} times.",
        "",
        *(line for note in notes for line in (note, "")),
    ]
    rows = [
        (
            str(row["metric"]),
            *(with_error(row[name], row[f"{name}_err"]) for name in methods),
            str(row["unit"]),
            str(row["meaning"]),
        )
        for row in table
    ]
    lines += markdown_table(("metric", *methods, "unit", "meaning"), rows)
    of_sources = [name.format(band=first.bands.reference) for name in IN_BINS]
    shown = [(metric, by) for metric in of_sources for by in ("snr", "blendedness")]
    shown += [(metric, f"detection_{by}") for metric in OF_DETECTIONS for by in ("snr", "flux")]
    for metric, by in shown:
        chosen = [row for row in bins if row["by"] == by and row["metric"] == metric and _counts(row)]
        if chosen:
            lines += ["", f"## {metric} by {by}", "", *_binned(chosen, by, methods)]
    return lines


def _counts(row: Any) -> bool:
    """Whether there is anything in the bin: true sources, or false detections alone."""
    return bool(row["count"] > 0 or not np.isnan(row["value"]))


def _binned(chosen: Sequence[Any], by: str, methods: Sequence[str]) -> list[str]:
    """A line per bin, a column per method."""
    from jaxblend.evaluation.report import markdown_table, with_error

    values: dict[tuple, dict[str, str]] = {}
    for row in chosen:
        key = row["low"], row["high"], row["count"]
        values.setdefault(key, {})[str(row["method"])] = with_error(row["value"], row["error"])
    rows = [
        (f"{low:g} to {high:g}", str(count), *(those.get(name, "") for name in methods))
        for (low, high, count), those in values.items()
    ]
    return markdown_table((by, "count", *methods), rows)
