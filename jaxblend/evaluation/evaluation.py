"""How good a result is: a table of numbers, the sources behind it, and both in bins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from jaxtyping import Float

from jaxblend.evaluation import report
from jaxblend.evaluation.bins import edges_for
from jaxblend.evaluation.blends import Blends
from jaxblend.evaluation.columns import column
from jaxblend.evaluation.detection import MEANINGS, confusion, efficiency, numbers_of_blends
from jaxblend.evaluation.detection_bins import detection_table, efficiency_table, measured_columns
from jaxblend.evaluation.gather import Bands
from jaxblend.evaluation.measures import BIASES, Measure, columns_of_sources, measures_of_sources
from jaxblend.evaluation.statistics import ALL, Number, Resampling, bias_of_shapes, numbers_of_sources

__all__ = ["Evaluation"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result against truth, made by `jaxblend.evaluate`.

    A found source that is flagged, or whose fit ended badly, stays in all statistics.

    Attributes
    ----------
    sources : QTable
        One row per true source: what is true of it, ``found`` or not and by which ``detection`` (row of the result;
        -1 for none), and its errors. Of two things that are compared the error is result minus truth. NaN is where
        there is nothing to compare; columns of which nothing is known are not there.
    detections : QTable
        One row per row of the results: its place, whether it is ``matched`` to a true source (``true_row``, ``offset``
        in arcsec), ``n_true``, for how many true sources it stands, ``flagged``. Those that are not ``placed`` have no
        finite position, and count neither as detections nor in any statistic; their sources are missed.
    bands : Bands
        Those compared, with the reference band, of which image metrics and magnitudes are.
    max_separation : float
        Arcsec.
    blends : Blends
        The numbers that were compared, padded.
    resampling : Resampling
        How errors are had.
    """

    sources: QTable
    detections: QTable
    bands: Bands
    max_separation: float
    blends: Blends
    resampling: Resampling

    def __repr__(self) -> str:
        found, n = np.asarray(self.sources["found"]), len(self.sources)
        matched, placed = (np.asarray(self.detections[name]) for name in ("matched", "placed"))
        parts = [
            f"{found.sum()} of {n} sources found",
            f"{matched.sum()} of {placed.sum()} detections matched within {self.max_separation:.3g} arcsec",
        ]
        if found.any():
            error = np.median(np.abs(column(self.sources, f"flux_residual_{self.bands.reference}")[found]))
            parts.append(f"median |dF/F| {error:.3g} in {self.bands.reference}")
        count = len(self.blends.failed)
        return f"Evaluation({count} blend{'' if count == 1 else 's'}; {', '.join(parts)})"

    @property
    def efficiency(self) -> Float[np.ndarray, "T T"]:
        """Number of blends with so many true sources (column), of which so many were found (row)."""
        return efficiency(self.blends)

    @property
    def confusion(self) -> Float[np.ndarray, "2 2"]:
        """Number of pairs by what the source is (row: galaxy, star) and is taken for (column), where both are known."""
        return confusion(self.blends)

    @cached_property
    def table(self) -> QTable:
        """All numbers.

        Columns are ``metric``, ``value``, ``error`` (standard deviation when blends are drawn again; NaN for a single
        blend), ``count`` (of what the value is a statistic), ``unit`` and ``meaning``. Of no values there is no row.
        """
        blends = numbers_of_blends(self.blends, self.bands.index, self.resampling)
        sources = self._numbers(np.zeros(len(self.sources)), ALL) if len(self.sources) else {}
        says = {name: (text.format(band=self.bands.reference), "") for name, (text, _) in MEANINGS.items()}
        says |= {measure.name: (measure.meaning, measure.unit) for measure in self._measures}
        says |= {name: (text, "") for name, text in BIASES.items()}
        return report.table_of_numbers(blends | sources, says, meta=self._meta)

    def in_bins(self, by: str, edges: Any = None, *, metrics: Sequence[str] | None = None) -> QTable:
        """Numbers of true sources in bins.

        Parameters
        ----------
        by
            ``"snr"``, ``"blendedness"``, ``"separation"`` (arcsec, to the nearest true neighbour), ``"magnitude"`` (in
            the reference band), all of them true; or another column of numbers of ``sources``.
        edges
            Rising edges of the bins, in the column's unit; each has its lower edge, the last one both. Usual ones by
            default.
        metrics
            Names of numbers of ``table``; all of true sources by default.

        Returns
        -------
        QTable
            A row per bin: ``<by>_low`` and ``<by>_high`` in the column's unit, ``count``, and for each number of
            ``table`` that is one of true sources its value, and its error as ``<metric>_err``. Sources whose value is
            not known are left out.
            Errors want some twenty blends in a bin at least; where all sources were found they are 0, which is no
            certainty.

        Raises
        ------
        ValueError
            If there is no such column or metric, or edges do not rise.
        """
        edges = edges_for(self.sources, by, edges)
        values = column(self.sources, by)
        known = ~np.isnan(values)
        numbers = self._numbers(values[known], edges, known, metrics) if known.any() else {}
        counts = np.histogram(values[known], edges)[0]
        return report.table_of_bins(by, edges, counts, numbers, meta=self._meta)

    @property
    def detection_bins(self) -> tuple[str, ...]:
        """What `detection_in_bins` can bin by: what both the truth and the results have."""
        return tuple(measured_columns(self.sources, self.detections, self.bands.reference))

    def detection_in_bins(self, by: str = "snr", edges: Any = None) -> QTable:
        """Precision, recall and F1 in bins: true sources by what is true, detections by what was measured of them.

        F1 is the harmonic mean of the bin's precision and recall. A pair may have its two members in two bins.

        Parameters
        ----------
        by
            ``"snr"``, if the results have it, or ``"flux"``, in the reference band.
        edges
            As for `in_bins`; of fluxes, powers of ten by default.

        Returns
        -------
        QTable
            A row per bin: ``<by>_low`` and ``<by>_high``, ``count`` of true sources, ``detections``, and ``precision``,
            ``recall`` and ``f1``, each with its error as ``<metric>_err``. What nobody has is left out.

        Raises
        ------
        ValueError
            If true sources or detections have no such value, or edges do not rise.
        """
        return detection_table(
            self.sources, self.detections, by, edges, band=self.bands.reference, resampling=self.resampling
        )

    def efficiency_in_bins(self, by: str = "snr", edges: Any = None) -> QTable:
        """Count blends by how many true sources they have in a bin, and how many of these were found.

        Parameters
        ----------
        by, edges
            As for `in_bins`.

        Returns
        -------
        QTable
            A row for each bin and two numbers of which there is a blend: ``<by>_low`` and ``<by>_high``, ``true`` and
            ``found`` sources, ``blends``. Blends without a source in the bin are left out.

        Raises
        ------
        ValueError
            As `in_bins`.
        """
        return efficiency_table(self.sources, by, edges)

    def write(self, folder: str | os.PathLike) -> dict[str, Path]:
        """Write everything as ECSV, and a summary in Markdown; each file appears whole or not at all.

        Parameters
        ----------
        folder
            Made if it is not there; files of the same names are replaced.

        Returns
        -------
        dict of str to Path
            The files by what they are: "table", "sources", "detections", "snr" and other bins,
            "detection_snr", "detection_flux" and "efficiency_snr", "report".
        """
        return report.write(self, Path(folder))

    @property
    def _meta(self) -> dict[str, Any]:
        meta: Any = self.sources.meta
        return dict(meta)

    @cached_property
    def _measures(self) -> list[Measure]:
        return measures_of_sources(self.bands.names, self.bands.reference, str(self.bands.unit or ""))

    def _numbers(
        self, values: np.ndarray, edges: Any, known: Any = slice(None), metrics: Sequence[str] | None = None
    ) -> dict[str, Number]:
        """Statistics of those sources that are known."""
        measures = [m for m in self._measures if metrics is None or m.name in metrics]
        unknown = sorted(set(metrics or ()) - {m.name for m in measures} - set(BIASES))
        if unknown:
            raise ValueError(f"there are no metrics {unknown} of true sources: see the column metric of .table")
        taken: Any = self.sources[known]
        options = {
            "values": values,
            "edges": edges,
            "blend": np.asarray(taken["blend"]),
            "resampling": self.resampling,
        }
        columns = columns_of_sources(taken, self.bands.names)
        numbers = numbers_of_sources(columns, measures, **options)
        if metrics is None or set(metrics) & set(BIASES):
            numbers |= self._biases(taken, options)
        wanted = numbers if metrics is None else [name for name in metrics if name in numbers]
        return {name: numbers[name] for name in wanted if not np.isnan(numbers[name].value).all()}

    def _biases(self, taken: QTable, options: dict[str, Any]) -> dict[str, Number]:
        """Biases of shapes, against the true ones and against the shear."""
        g, true_g, shear = (
            np.stack([column(taken, f"{kind}_g{i}") for i in (1, 2)], axis=1) for kind in ("found", "true", "shear")
        )
        of_shear = bias_of_shapes(g, shear, **options)
        return bias_of_shapes(g, true_g, **options) | {f"shear_{name}": value for name, value in of_shear.items()}
