"""Statistics of several deblenders against what is true of the sources."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.deblending_tables import Found, bin_labels
from jaxblend.evaluation.bins import edges_for
from jaxblend.evaluation.measures import Measure
from jaxblend.plot.picture import Picture
from jaxblend.plot.several import legend_below, styles

Panel = tuple[Measure | str, str, str]  # number, label, scale of the axis


def bins_picture(
    groups: dict[str, Found], panels: Sequence[Panel], by: str, label: str, edges: Any = None, fewest: int = 5
) -> Picture:
    """A panel for each number, a line for each method; bins of fewer sources are left out."""
    figure = Picture(figsize=(4.6 * len(panels), 4.2), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    edges = edges_for(next(iter(groups.values())).sources, by, edges)
    looks, places = styles(groups), np.arange(len(edges) - 1)
    for axes, (measure, name, scale) in zip(grid, panels, strict=True):
        for i, (method, found) in enumerate(groups.items()):
            number = next(iter(found.numbers([measure], by, edges).values()), None)
            if number is None:
                continue
            shown = np.isfinite(number.value) & (number.count >= fewest)
            shift = 0.06 * (i - 0.5 * (len(groups) - 1))
            axes.errorbar(
                places[shown] + shift,
                number.value[shown],
                np.nan_to_num(number.error[shown]),
                color=looks[method].colour,
                ls=looks[method].line,
                marker=looks[method].marker,
                ms=4,
                lw=1.2,
            )
        axes.set_xticks(places, bin_labels(edges), rotation=25, ha="right", fontsize=8)
        axes.set(xlabel=label, ylabel=name, yscale=scale, xlim=(-0.5, len(places) - 0.5))
        axes.grid(axis="y", lw=0.4, alpha=0.5)
    legend_below(figure, groups)
    return figure
