"""What is drawn over images: half-light ellipses, positions and numbers of sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxblend.plot.picture import outlined

__all__ = ["column", "draw_sources", "draw_truth", "ellipse_outline"]


def column(table: Any, name: str, default: float = np.nan) -> np.ndarray:
    """Read a column as plain numbers, or a constant where the table lacks it."""
    if name not in table.colnames:
        return np.full(len(table), default)
    values = table[name]
    return np.asarray(getattr(values, "value", values), float)


def ellipse_outline(radius: float, g1: float, g2: float, frame: Any, *, points: int = 60) -> np.ndarray:
    """Compute the outline of a half-light ellipse in pixels relative to its centre, (points, 2).

    Parameters
    ----------
    radius : float
        Half-light radius under area-preserving shear, arcsec.
    g1, g2 : float
        Reduced shear on the sky.
    frame : Frame
        Maps the sky to pixels.
    """
    angle = np.linspace(0.0, 2.0 * np.pi, points)
    circle = radius * np.stack([np.cos(angle), np.sin(angle)])
    shear = np.array([[1.0 + g1, g2], [g2, 1.0 - g1]]) / np.sqrt(max(1.0 - g1**2 - g2**2, 1e-6))
    return np.asarray(np.asarray(frame.inverse_jacobian) @ shear @ circle).T


def draw_sources(
    axes: Axes,
    table: Any,
    frame: Any,
    colours: Sequence[str],
    *,
    numbers: bool = True,
    positions: np.ndarray | None = None,
) -> None:
    """Mark fitted sources: an ellipse holding half the intrinsic light, or a plus for what has no size, and the id.

    ``positions`` (n, 2) in pixels replace those of the table, which are those of a fit's first observation.
    """
    x, y = (column(table, "x"), column(table, "y")) if positions is None else positions.T
    radius, g1, g2 = column(table, "radius", 0.0), column(table, "g1", 0.0), column(table, "g2", 0.0)
    limits = axes.get_xlim(), axes.get_ylim()
    ids = column(table, "id") if "id" in table.colnames else np.arange(len(table))
    for row, colour in enumerate(colours[: len(table)]):
        reach = 1.5
        if radius[row] > 0 and np.isfinite(radius[row]):
            outline = ellipse_outline(radius[row], g1[row], g2[row], frame)
            axes.plot(*(outline + np.array([x[row], y[row]])).T, color=colour, lw=1.3, path_effects=outlined(2.2))
            reach += float(np.max(outline))
        else:
            axes.plot(x[row], y[row], "+", color=colour, ms=9, mew=1.5, path_effects=outlined(2.8))
        if numbers:
            offset = reach / np.sqrt(2.0)
            axes.annotate(
                f"{ids[row]:.0f}",
                (x[row] + offset, y[row] + offset),
                color=colour,
                fontsize=9,
                fontweight="bold",
                ha="left",
                va="bottom",
                path_effects=outlined(2.2),
                clip_on=True,
            )
    axes.set(xlim=limits[0], ylim=limits[1])


def draw_truth(axes: Axes, table: Any) -> Line2D:
    """Mark true positions with crosses."""
    limits = axes.get_xlim(), axes.get_ylim()
    (marks,) = axes.plot(
        column(table, "x"),
        column(table, "y"),
        "x",
        color="white",
        ms=6,
        mew=1.2,
        ls="none",
        path_effects=outlined(2.4),
        label="true position",
    )
    axes.set(xlim=limits[0], ylim=limits[1])
    return marks
