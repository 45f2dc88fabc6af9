"""Statistics of several deblenders against what is true of the sources."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from experiments.deblending_tables import Found, bin_labels
from jaxblend.evaluation.bins import edges_for
from jaxblend.evaluation.measures import Measure
from jaxblend.plot.picture import Picture
from jaxblend.plot.several import legend_above, panels, styles

Panel = tuple[Measure | str, str, str]  # number, label, scale of the axis


def bins_picture(
    groups: dict[str, Found], panels_of: Sequence[Panel], by: str, label: str, edges: Any = None, fewest: int = 5
) -> Picture:
    """A panel for each number, a line for each method; bins of fewer sources are left out."""
    edges = edges_for(next(iter(groups.values())).sources, by, edges)
    numbers = {
        method: found.numbers([measure for measure, _, _ in panels_of], by, edges) for method, found in groups.items()
    }
    figure = panels(
        panels_of,
        lambda axes, panel: _draw(axes, panel, numbers, edges, label, fewest),
        size=(4.4, 3.8),
        most_columns=len(panels_of),
    )
    legend_above(figure, groups, most_columns=len(groups))
    return figure


def _draw(axes: Axes, panel: Panel, numbers: dict[str, dict], edges: Any, label: str, fewest: int) -> None:
    measure, name, scale = panel
    looks, places = styles(numbers), np.arange(len(edges) - 1)
    for i, (method, each) in enumerate(numbers.items()):
        number = each.get(measure if isinstance(measure, str) else measure.name)
        if number is None:
            continue
        shown = np.isfinite(number.value) & (number.count >= fewest)
        if not shown.any():
            continue
        axes.errorbar(
            places[shown] + 0.06 * (i - 0.5 * (len(numbers) - 1)),
            number.value[shown],
            np.nan_to_num(number.error[shown]),
            color=looks[method].colour,
            ls=looks[method].line,
            marker=looks[method].marker,
            ms=4,
            lw=1.2,
        )
    axes.set_xticks(places, bin_labels(edges), rotation=25, ha="right")
    if axes.containers:  # an empty axis has no logarithm
        axes.set_yscale(scale)
    axes.set(xlabel=label, ylabel=name, xlim=(-0.5, len(places) - 0.5))
    axes.grid(axis="y", lw=0.4, alpha=0.5)
