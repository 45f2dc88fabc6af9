"""Several results side by side in one picture: their names, their colours, their legend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from jaxblend.plot.picture import OKABE_ITO, Picture

__all__ = ["Style", "legend_above", "named", "panels", "styles"]

LINES, MARKERS = ("-", "--", ":"), ("o", "s", "^", "D", "v", "P", "X")


class Style(NamedTuple):
    """How one result is drawn."""

    colour: str
    line: str
    marker: str


def named(values: Any) -> dict[str, Any]:
    """One result, or several by name, as a mapping.

    Raises
    ------
    ValueError
        If there is none.
    """
    given = dict(values) if isinstance(values, Mapping) else {"": values}
    if not given:
        raise ValueError("nothing to draw: give one result, or a dict with a name for each")
    return given


def styles(names: Iterable[str]) -> dict[str, Style]:
    """A colour, a line and a marker for each name; colours come again after six, with other lines."""
    markers = cycle(MARKERS)
    return {
        name: Style(OKABE_ITO[i % len(OKABE_ITO)], LINES[i // len(OKABE_ITO) % len(LINES)], next(markers))
        for i, name in enumerate(names)
    }


def panels(
    items: Sequence[Any],
    draw: Callable[[Axes, Any], None],
    *,
    size: tuple[float, float],
    most_columns: int,
    share_y: bool = False,
) -> Picture:
    """Draw each item on axes of its own, in lines that are about as long."""
    lines = -(-len(items) // most_columns)
    columns = -(-len(items) // lines)
    layout = ConstrainedLayoutEngine(wspace=0.05, hspace=0.05)
    figure = Picture(figsize=(size[0] * columns + 0.4, size[1] * lines + 0.6), layout=layout)
    grid = figure.subplots(lines, columns, sharey=share_y, squeeze=False).ravel()
    for axes, item in zip(grid, items, strict=False):
        draw(axes, item)
        axes.tick_params(labelsize=8)
    for axes in grid[len(items) :]:
        axes.set_visible(False)
    return figure


def legend_above(figure: Any, names: Iterable[str], *, most_columns: int) -> None:
    """Say over a figure which name has which colour; one result without a name needs none."""
    names = [name for name in names if name]
    if not names:
        return
    handles = [
        Line2D([], [], color=style.colour, ls=style.line, marker=style.marker, ms=4, label=name)
        for name, style in styles(names).items()
    ]
    columns = min(len(names), most_columns)
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, fontsize=8, frameon=False)
