"""Numbers as tables, and an evaluation as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable
from jaxtyping import Float, Int

from jaxblend.evaluation.bins import EDGES, WHOLE
from jaxblend.evaluation.columns import unit_of
from jaxblend.evaluation.statistics import Number
from jaxblend.io.atomic import atomic_path
from jaxblend.io.tables import write_table

if TYPE_CHECKING:
    from jaxblend.evaluation.evaluation import Evaluation

__all__ = ["markdown_table", "table_of_bins", "table_of_numbers", "with_error", "write"]


def table_of_numbers(
    numbers: Mapping[str, Number], says: Mapping[str, tuple[str, str]], *, meta: Mapping[str, Any]
) -> QTable:
    """One row per number of one bin; ``says`` has the meaning and the unit of each."""
    table = QTable(meta=dict(meta))
    table["metric"] = np.array(list(numbers), str)
    for name in ("value", "error", "count"):
        table[name] = np.array([getattr(number, name)[0] for number in numbers.values()])
    table["unit"] = np.array([says[name][1] for name in numbers], str)
    table["meaning"] = np.array([says[name][0] for name in numbers], str)
    return table


def table_of_bins(
    by: str,
    edges: Float[np.ndarray, " E"],
    counts: Int[np.ndarray, " J"],
    numbers: Mapping[str, Number],
    *,
    meta: Mapping[str, Any],
) -> QTable:
    """One row per bin; a value and its error for each number."""
    table = QTable(meta=dict(meta))
    table[f"{by}_low"], table[f"{by}_high"], table["count"] = edges[:-1], edges[1:], counts
    for name, number in numbers.items():
        table[name], table[f"{name}_err"] = number.value, number.error
    return table


def write(evaluation: Evaluation, folder: Path) -> dict[str, Path]:
    """Write the tables and the report."""
    usual = [by for by in (*EDGES, *WHOLE) if by in evaluation.sources.colnames and len(evaluation.sources)]
    bins = {by: evaluation.in_bins(by) for by in usual}
    tables = {"table": evaluation.table, "sources": evaluation.sources, "detections": evaluation.detections, **bins}
    detection = {by: evaluation.detection_in_bins(by) for by in evaluation.detection_bins if usual}
    tables |= {f"detection_{by}": table for by, table in detection.items()}
    if "snr" in usual:
        tables["efficiency_snr"] = evaluation.efficiency_in_bins("snr")
    files = {name: write_table(table, folder / f"{name}.ecsv") for name, table in tables.items()}
    files["report"] = folder / "report.md"
    with atomic_path(files["report"]) as temporary:
        temporary.write_text("\n".join(_report(evaluation, bins, detection)) + "\n", encoding="utf-8")
    return files


def _report(evaluation: Evaluation, bins: Mapping[str, QTable], detection: Mapping[str, QTable]) -> list[str]:
    band = evaluation.bands.reference
    lines = [
        "# Evaluation",
        "",
        f"{evaluation!r}. Errors are standard deviations when blends are drawn again, "
        f"{evaluation.resampling.n_bootstrap} times. Sources that are flagged count.",
        "",
    ]
    table = evaluation.table
    rows = [(*_value(row), *(str(row[name]) for name in ("count", "unit", "meaning"))) for row in table]
    lines += markdown_table(("metric", "value", "count", "unit", "meaning"), rows)
    of_flux = tuple(f"flux_{band}_{name}" for name in ("median", "nmad", "median_absolute"))
    shown = ("recall", *of_flux, "size_nmad", "cosine_mean")
    for by, binned in bins.items():
        unit = unit_of(evaluation.sources, by)
        lines += ["", f"## By {by}" + (f" ({unit})" if unit else ""), "", *_binned(by, binned, ("count",), shown)]
    for by, binned in detection.items():
        unit = f" ({evaluation.bands.unit})" if by == "flux" and evaluation.bands.unit else ""
        lines += ["", f"## Detection by {by}{unit}, true of sources and measured of detections", ""]
        lines += _binned(by, binned, ("count", "detections"), ("precision", "recall", "f1"))
    kinds = evaluation.confusion.astype(int)
    if kinds.any():
        rows = [(name, *map(str, row)) for name, row in zip(("galaxy", "star"), kinds, strict=True)]
        header = ("is", "taken for a galaxy", "taken for a star")
        lines += ["", "## Pairs by kind", "", *markdown_table(header, rows)]
    counts = evaluation.efficiency.astype(int)
    header = ("found", *(f"of {n}" for n in range(len(counts))))
    rows = [(str(n), *map(str, row)) for n, row in enumerate(counts)]
    return [*lines, "", "## Blends by number of true sources and of those found", "", *markdown_table(header, rows)]


def _binned(by: str, table: Any, counts: Sequence[str], shown: Sequence[str]) -> list[str]:
    """A line per bin: its edges, counts and those numbers that the table has."""
    metrics = [name for name in shown if name in table.colnames]
    rows = [
        (
            f"{row[f'{by}_low']:g} to {row[f'{by}_high']:g}",
            *(str(row[name]) for name in counts),
            *(with_error(row[name], row[f"{name}_err"]) for name in metrics),
        )
        for row in table
    ]
    return markdown_table((by, *counts, *metrics), rows)


def _value(row: Any) -> tuple[str, str]:
    return str(row["metric"]), with_error(row["value"], row["error"])


def with_error(value: Any, error: Any) -> str:
    """A number and its error as text, empty where there is none."""
    return "" if np.isnan(value) else f"{value:.4g}" + (f" ± {error:.2g}" if np.isfinite(error) else "")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown."""
    cells = [header, ["---"] * len(header), *([text.replace("|", "\\|") for text in row] for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]
