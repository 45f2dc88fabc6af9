"""What deblending.py wrote, read back: statistics of all sources or in bins, with errors from a bootstrap of blends."""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import numpy as np
from astropy.table import Table, vstack

from benchmarks.reporting import table
from experiments.deblending import SKIPPED
from experiments.deblending_blends import MEANINGS, numbers_of_blends
from jaxblend.evaluation.bins import edges_for
from jaxblend.evaluation.columns import column
from jaxblend.evaluation.measures import Measure, columns_of_sources, measures_of_sources
from jaxblend.evaluation.statistics import ALL, Number, Resampling, numbers_of_sources
from jaxblend.io.tables import read_table

RESAMPLING = Resampling(jax.random.key(0), 200)


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """The sources and detections of blends of one method, as `jb.Evaluation` has them.

    ``detections`` is None where the sources are some of their blends': such have no numbers of whole blends.
    """

    sources: Table
    detections: Table | None

    @property
    def bands(self) -> list[str]:
        return self.sources.meta["bands"]

    def take(self, sources: Any, detections: Any) -> "Found":
        """Those rows of each, which must be of the same blends, or of the same parts of their images."""
        return Found(self.sources[sources], None if self.detections is None else self.detections[detections])

    def of_sources(self, kept: Any) -> "Found":
        """Those sources, whatever else their blends hold."""
        return Found(self.sources[kept], None)

    def in_blends(self, blends: Any) -> "Found":
        """All that is of those blends."""
        tables = (self.sources, self.detections)
        return self.take(*(None if rows is None else np.isin(rows["blend"], blends) for rows in tables))

    def measures(self) -> list[Measure]:
        """All that an evaluation has of sources, in the band of reference where there is one band to a number."""
        return measures_of_sources(self.bands, self.sources.meta["reference_band"], "")

    def numbers(self, measures: Sequence[Measure | str], by: str | None = None, edges: Any = ALL) -> dict[str, Number]:
        """Statistics of the true sources: of all, or in bins of a column (usual ones where ``edges`` is None).

        Parameters
        ----------
        measures
            Names of numbers of `jb.Evaluation.table`, or `Measure` of any column.
        """
        known = {measure.name: measure for measure in self.measures()}
        chosen = [known[each] if isinstance(each, str) else each for each in measures]
        columns = columns_of_sources(self.sources, self.bands)
        values = np.zeros(len(self.sources)) if by is None else column(self.sources, by)
        there = ~np.isnan(values)
        edges = edges if by is None else edges_for(self.sources, by, edges)
        taken = {name: values[there] for name, values in columns.items()}
        return _numbers(taken, chosen, values[there], edges, np.asarray(self.sources["blend"])[there])

    def of_blends(self) -> dict[str, Number]:
        """Precision and F1, unrecognised blends, and where the light went; nothing without detections."""
        return {} if self.detections is None else numbers_of_blends(self.sources, self.detections, RESAMPLING)


def read_found(out: Path) -> dict[str, Found]:
    """All that `run_chunks` wrote, by method."""
    found = {}
    for folder in sorted(path for path in out.iterdir() if path.is_dir()):
        parts = [path for path in sorted(folder.glob("[0-9]*.parquet")) if path.stem.isdigit()]
        if parts:
            others = [path.with_stem(f"{path.stem}_detections") for path in parts]
            found[folder.name] = Found(*(_stacked(paths) for paths in (parts, others)))
    if not found:
        raise ValueError(f"{out} has no results: run the experiment first")
    return found


def common(groups: dict[str, Found]) -> dict[str, Found]:
    """The blends that every method has."""
    shared = set.intersection(*(set(np.asarray(found.sources["blend"])) for found in groups.values()))
    return {method: found.in_blends(list(shared)) for method, found in groups.items()}


def missing_lines(groups: dict[str, Found], out: Path) -> list[str]:
    """Which methods have fewer blends than the others, or were not run, and why."""
    counts = {method: len(np.unique(found.sources["blend"])) for method, found in groups.items()}
    fewer = [f"{method}: the first {n} blends." for method, n in counts.items() if n < max(counts.values())]
    return fewer + [f"{method} was not run: {why}" for method, why in skipped(out).items() if method not in groups]


def skipped(out: Path) -> dict[str, str]:
    """Methods that could not be run, and why."""
    return {path.parent.name: path.read_text().strip() for path in sorted(out.glob(f"*/{SKIPPED}"))}


def cell(number: Number | None, digits: int = 3, *, percent: bool = False, row: int = 0) -> str:
    """A value and its error; empty where there is none."""
    if number is None or np.isnan(number.value[row]):
        return ""
    scale, sign = (100.0, " %") if percent else (1.0, "")
    return with_error(number.value[row] * scale, number.error[row] * scale, digits) + sign


def with_error(value: float, error: float, digits: int) -> str:
    """A value and its error, if it has one; empty where there is none."""
    if np.isnan(value):
        return ""
    return f"{value:.{digits}f}" + (f" ± {error:.{digits}f}" if np.isfinite(error) else "")


def bin_labels(edges: Sequence[float]) -> list[str]:
    """Of the bins between edges."""
    return [f"above {low:g}" if np.isinf(high) else f"{low:g} to {high:g}" for low, high in pairwise(edges)]


def bins_table(
    groups: dict[str, Found], measure: Measure | str, by: str, edges: Any = None, digits: int = 3, **options: Any
) -> list[str]:
    """Markdown: a row per bin, a column per method."""
    name = measure if isinstance(measure, str) else measure.name
    first = next(iter(groups.values())).sources
    edges = edges_for(first, by, edges)
    numbers = {method: found.numbers([measure], by, edges).get(name) for method, found in groups.items()}
    counts = np.histogram(column(first, by), edges)[0]
    rows = [
        (label, counts[i], *(cell(number, digits, row=i, **options) for number in numbers.values()))
        for i, label in enumerate(bin_labels(edges))
    ]
    return table((by, "sources", *groups), rows)


def all_numbers(groups: dict[str, Found], extra: Sequence[Measure] = ()) -> Table:
    """Every number of every method in one table: method, metric, value, error, count, meaning.

    Those of whole blends are among them where there are detections.
    """
    rows = []
    for method, found in groups.items():
        chosen = [*found.measures(), *extra]
        meaning = {measure.name: measure.meaning for measure in chosen} | MEANINGS
        for name, number in (found.numbers(chosen) | found.of_blends()).items():
            value, error = (float(f"{each[0]:.4g}") for each in (number.value, number.error))
            rows.append((method, name, value, error, int(number.count[0]), meaning[name]))
    return Table(rows=rows, names=("method", "metric", "value", "error", "count", "meaning"))


def _stacked(paths: Sequence[Path]) -> Table:
    return Table(vstack([Table(read_table(path)) for path in paths], metadata_conflicts="silent"))


def _numbers(columns, measures, values, edges, blend) -> dict[str, Number]:
    return numbers_of_sources(columns, measures, values=values, edges=edges, blend=blend, resampling=RESAMPLING)
