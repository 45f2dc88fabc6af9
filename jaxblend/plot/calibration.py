"""Pictures of calibration: coverage in bins, the ECDF of ranks beside its band, expected coverage (TARP)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

import numpy as np
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine

from jaxblend.metrics import BinnedCoverage, EcdfTest
from jaxblend.plot.picture import Picture, source_colours

__all__ = ["coverage_picture", "ecdf_picture", "tarp_picture"]

CURVE, BAND = "#0072B2", "0.85"
MAX_COLUMNS = 4


def coverage_picture(binned: BinnedCoverage | Mapping[str, BinnedCoverage], *, label: str = "") -> Picture:
    """Draw coverage in bins against the nominal levels.

    Lines are the levels, grey boxes what right posteriors of independent sources scatter by (one sigma), bars the
    errors from the bootstrap of blends. Bins are drawn equally wide, their edges written below, their counts above.

    Parameters
    ----------
    binned : BinnedCoverage or dict of BinnedCoverage
        Made by `jaxblend.metrics.coverage_in_bins`; a dict makes a panel of each, under its name.
    label : str
        Of the binned quantity, with its unit.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.
    """
    figure = _panels(_named(binned), _draw_coverage, (4.6, 3.8))
    figure.supxlabel(label, fontsize=10)
    figure.supylabel("share of truths in the central interval", fontsize=10)
    return figure


def ecdf_picture(tests: EcdfTest | Mapping[str, EcdfTest], *, label: str = "rank, as a fraction") -> Picture:
    """Draw the ECDF of ranks minus that of uniform numbers, with the band that it should stay in.

    Above zero on the left and below it on the right: overconfident. The other way round: underconfident. On one side
    throughout: biased, the truth lying low among the draws where the curve is positive. A circle marks where a curve
    that leaves the band is least probable.

    Parameters
    ----------
    tests : EcdfTest or dict of EcdfTest
        Made by `jaxblend.metrics.ecdf_test`; a dict makes a panel of each, under its name.
    label : str
        Of the horizontal axis.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.
    """

    def draw(axes: Axes, test: EcdfTest) -> None:
        _draw_band(axes, test, difference=True)
        axes.axhline(0.0, color="0.4", lw=0.8)
        axes.set_xlim(0.0, 1.0)

    figure = _panels(_named(tests), draw, (4.2, 3.4))
    figure.supxlabel(label, fontsize=10)
    figure.supylabel("ECDF minus uniform", fontsize=10)
    return figure


def tarp_picture(tests: EcdfTest | Mapping[str, EcdfTest]) -> Picture:
    """Draw expected coverage against credibility (Lemos et al. 2023), with the band that it should stay in.

    Parameters
    ----------
    tests : EcdfTest or dict of EcdfTest
        Made by ``ecdf_test(tarp(...))`` of `jaxblend.metrics`; a dict makes a panel of each, under its name.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.
    """

    def draw(axes: Axes, test: EcdfTest) -> None:
        _draw_band(axes, test, difference=False)
        axes.plot([0.0, 1.0], [0.0, 1.0], color="0.4", lw=0.8)
        axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), aspect="equal")

    figure = _panels(_named(tests), draw, (3.8, 4.4))
    figure.supxlabel("credibility", fontsize=10)
    figure.supylabel("expected coverage", fontsize=10)
    return figure


def _named(values) -> Mapping:
    return values if isinstance(values, Mapping) else {"": values}


def _panels(values: Mapping, draw: Callable, size: tuple[float, float]) -> Picture:
    if not values:
        raise ValueError("nothing to draw: give one result, or a dict with a name for each")
    columns = min(len(values), MAX_COLUMNS)
    lines = -(-len(values) // columns)
    layout = ConstrainedLayoutEngine(wspace=0.05, hspace=0.05)
    figure = Picture(figsize=(size[0] * columns + 0.4, size[1] * lines + 0.3), layout=layout)
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    for axes, (name, value) in zip(grid, values.items(), strict=False):
        draw(axes, value)
        title = _verdict(value) if isinstance(value, EcdfTest) else ""
        axes.set_title("\n".join(part for part in (name, title) if part), fontsize=9, loc="left")
        axes.tick_params(labelsize=8)
    for axes in grid[len(values) :]:
        axes.set_visible(False)
    return figure


def _draw_band(axes: Axes, test: EcdfTest, *, difference: bool) -> None:
    def with_ends(share):
        return np.concatenate([[0.0], share, [1.0]])

    z = with_ends(test.points)
    lower, upper, ecdf = (with_ends(a) - (z if difference else 0.0) for a in (test.lower, test.upper, test.ecdf))
    axes.fill_between(z, lower, upper, color=BAND, lw=0)
    axes.plot(z, ecdf, color=CURVE, lw=1.2)
    if not test.inside:
        axes.plot(test.worst, np.interp(test.worst, z, ecdf), "o", mfc="none", mec="#D55E00", ms=8, mew=1.4)


def _verdict(test: EcdfTest) -> str:
    chance = f"p = {test.p_value:.2g}" if test.p_value >= 1e-4 else "p < 0.0001"
    return f"n = {test.n}, {chance}" + ("" if test.inside else f", worst at {test.worst:.2g}")


def _draw_coverage(axes: Axes, binned: BinnedCoverage) -> None:
    bins = np.arange(len(binned.count))
    colours = islice(source_colours(), len(binned.levels))
    for column, (level, colour) in enumerate(zip(binned.levels, colours, strict=True)):
        share, error, nominal = (a[:, column] for a in (binned.coverage, binned.error, binned.nominal_error))
        axes.bar(bins, 2 * nominal, width=0.98, bottom=level - nominal, color=BAND, lw=0)
        axes.axhline(level, color=colour, lw=1.0)
        axes.errorbar(bins, share, error, fmt="o", ms=4, color=colour, capsize=2, lw=1.2)
        axes.annotate(
            f"{100 * level:.3g} %",
            (1.01, level),
            xycoords=("axes fraction", "data"),
            va="center",
            size=8,
            color=colour,
        )
    for place, count in zip(bins, binned.count, strict=True):
        axes.annotate(
            f"n = {count}",
            (place, 0.985),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="top",
            fontsize=7,
            color="0.4",
        )
    axes.set_xlim(-0.5, len(bins) - 0.5)
    axes.set_xticks(np.arange(len(binned.edges)) - 0.5, [_number(edge) for edge in binned.edges])
    axes.margins(y=0.12)


def _number(value: float) -> str:
    return {-np.inf: "−∞", np.inf: "∞"}.get(value, f"{value:.4g}")
