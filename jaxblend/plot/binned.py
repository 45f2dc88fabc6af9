"""Numbers of evaluations in bins of S/N, blendedness and the like, with their errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from jaxblend.plot.picture import Picture
from jaxblend.plot.several import Style, legend_above, named, panels, styles

__all__ = ["binned_picture", "recall_picture"]

SPREAD = 0.6  # of a bin's width, over which several results are spread
LOG_FROM = 10.0  # ratio of largest and smallest, from which a scatter is drawn on a logarithmic scale
QUANTITIES = {
    "snr": "true S/N",
    "blendedness": "true blendedness",
    "separation": "arcsec to the nearest true neighbour",
    "magnitude": "true magnitude",
}
STATISTICS = {
    "median": "median error: {}",
    "nmad": "scatter (NMAD): {}",
    "scatter": "standard deviation: {}",
    "mean": "mean: {}",
    "mean_absolute": "mean |error|: {}",
    "median_absolute": "median |error|: {}",
    "outliers": "share of outliers: {}",
}
NEVER_NEGATIVE = ("_nmad", "_scatter", "_absolute", "_outliers")
DEFAULT = (
    "flux_{band}_median",
    "flux_{band}_nmad",
    "size_nmad",
    "g1_nmad",
    "moments_size_nmad",
    "moments_g1_nmad",
    "light_gained",
    "cosine_mean",
)


def recall_picture(evaluations: Any, *, by: str = "snr", edges: Any = None, axes: Axes | None = None) -> Any:
    """Draw the share of true sources that were found, in bins.

    Parameters
    ----------
    evaluations : Evaluation or dict of Evaluation
        Made by `jaxblend.evaluate`; a dict overlays them. Bars are errors from the bootstrap of blends.
    by, edges
        As for `Evaluation.in_bins`.
    axes : matplotlib Axes, optional
        Draw here, with a legend inside, and return its figure.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.

    Raises
    ------
    ValueError
        As `Evaluation.in_bins`, or if no source has a value to bin by.
    """
    if axes is None:
        return binned_picture(evaluations, by=by, edges=edges, metrics=("recall",))
    given = named(evaluations)
    (item,) = _tables(given, by, edges, ("recall",))
    _draw(axes, item, by, styles(given))
    axes.set_xlabel(QUANTITIES.get(by, by))
    if any(given):
        axes.legend(fontsize=8)
    return axes.get_figure()


def binned_picture(
    evaluations: Any, *, by: str = "blendedness", edges: Any = None, metrics: Sequence[str] | None = None
) -> Picture:
    """Draw numbers of true sources in bins: a panel for each, bars are errors from the bootstrap of blends.

    Bins are drawn equally wide, their edges written below and their counts above; empty ones at either end are left
    out. What nobody has, has no panel.

    Parameters
    ----------
    evaluations : Evaluation or dict of Evaluation
        Made by `jaxblend.evaluate`; a dict overlays them.
    by, edges, metrics
        As for `Evaluation.in_bins`. By default errors of flux, size and ellipticity, light of others, and the cosine
        similarity of images.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.

    Raises
    ------
    ValueError
        As `Evaluation.in_bins`, or if no source has a value to bin by.
    """
    given = named(evaluations)
    items = _tables(given, by, edges, metrics)
    how = styles(given)
    figure = panels(items, lambda axes, item: _draw(axes, item, by, how), size=(3.8, 3.0), most_columns=4)
    figure.supxlabel(QUANTITIES.get(by, by), fontsize=10)
    legend_above(figure, given, most_columns=3 if len(items) == 1 else 7)
    return figure


def _tables(
    given: dict[str, Any], by: str, edges: Any, metrics: Sequence[str] | None
) -> list[tuple[str, dict[str, Any]]]:
    """Each metric that somebody has, with the table of bins of each result."""
    band = next(iter(given.values())).bands.reference
    wanted = [name.format(band=band) for name in (DEFAULT if metrics is None else metrics)]
    tables = {name: each.in_bins(by, edges, metrics=wanted) for name, each in given.items()}
    seen = np.any([np.asarray(table["count"]) > 0 for table in tables.values()], axis=0)
    if not seen.any():
        raise ValueError(f"nothing to draw: no source has a {by} in these bins")
    first, last = np.flatnonzero(seen)[[0, -1]]
    tables = {name: table[first : last + 1] for name, table in tables.items()}
    items = [(m, {name: t for name, t in tables.items() if m in t.colnames}) for m in wanted]
    known = [(metric, those) for metric, those in items if those]
    if not known:
        raise ValueError(f"nothing to draw: no result has any of {wanted}")
    return known


def _draw(axes: Axes, item: tuple[str, dict[str, Any]], by: str, how: dict[str, Style]) -> None:
    metric, tables = item
    names = list(how)
    shifts = SPREAD * ((np.arange(len(names)) + 0.5) / len(names) - 0.5)
    lowest, highest = np.inf, -np.inf
    for name, table in tables.items():
        style = how[name]
        value, error = _numbers(table, metric)
        places = np.arange(len(table)) + shifts[names.index(name)]
        axes.errorbar(
            places,
            value,
            np.nan_to_num(error),
            fmt=style.marker,
            ms=4,
            mfc=style.colour if style.line == "-" else "white",
            color=style.colour,
            capsize=2,
            lw=1.2,
            label=name or None,
        )
        lowest = np.nanmin([lowest, *value])
        highest = np.nanmax([highest, *value])
    _draw_bins(axes, list(tables.values()), by)
    _scale(axes, metric, lowest, highest)
    axes.set_title(_in_words(metric), fontsize=9, loc="left", pad=14)


def _numbers(table: Any, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and errors; one source alone has no scatter."""
    value, error = np.asarray(table[metric], float), np.asarray(table[f"{metric}_err"], float)
    alone = metric.endswith(("_nmad", "_scatter")) & (value == 0) & ~(error > 0)
    return np.where(alone, np.nan, value), error


def _draw_bins(axes: Axes, tables: list[Any], by: str) -> None:
    """Edges below, counts above where they are the same for all."""
    first = tables[0]
    edges = [*np.asarray(first[f"{by}_low"], float), float(np.asarray(first[f"{by}_high"], float)[-1])]
    for edge in range(1, len(first)):
        axes.axvline(edge - 0.5, color="0.9", lw=0.8, zorder=0)
    axes.set_xlim(-0.5, len(first) - 0.5)
    axes.set_xticks(np.arange(len(edges)) - 0.5, [_number(edge) for edge in edges])
    if any(list(table["count"]) != list(first["count"]) for table in tables):
        return
    for place, count in enumerate(first["count"]):
        text = f"n = {count}" if place == 0 else f"{count}"
        axes.annotate(
            text,
            (place, 1.01),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=7,
            color="0.4",
        )


def _scale(axes: Axes, metric: str, lowest: float, highest: float) -> None:
    """A share is between 0 and 1, a bias about 0, a scatter above 0 and logarithmic if it varies much."""
    if metric == "recall":
        axes.set_ylim(0.0, 1.03)
    elif metric.endswith("_median"):
        axes.axhline(0.0, color="0.4", lw=0.8, zorder=0)
        axes.margins(y=0.12)
    elif metric.endswith(("_nmad", "_scatter", "_absolute")) and lowest > 0 and highest > LOG_FROM * lowest:
        axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(lowest / 3.0, highest * 3.0)
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.margins(y=0.12)
        if metric.endswith(NEVER_NEGATIVE):
            axes.set_ylim(bottom=-0.03 * axes.get_ylim()[1])


def _in_words(metric: str) -> str:
    """The name of a number, as one would say it."""
    plain = {"recall": "share of true sources that were found", "light_gained": "mean light of others in an image"}
    if metric in plain:
        return plain[metric]
    ending = next((end for end in sorted(STATISTICS, key=len, reverse=True) if metric.endswith(f"_{end}")), None)
    if ending is None:
        return metric.replace("_", " ")
    quantity, _, rest = metric.removesuffix(f"_{ending}").partition("_")
    if quantity == "moments":
        return STATISTICS[ending].format(f"{rest}, PSF included")
    words = f"{quantity} in {rest}" if quantity in ("flux", "magnitude") else f"{quantity} {rest.replace('_', ' - ')}"
    return STATISTICS[ending].format(words.strip().replace("cosine", "cosine similarity of images"))


def _number(value: float) -> str:
    return {-np.inf: "−∞", np.inf: "∞"}.get(value, f"{value:.4g}")
