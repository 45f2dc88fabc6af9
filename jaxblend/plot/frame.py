"""The picture of a deblended frame: detections and groups, model, residual."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxblend.plot.blend import (
    RESIDUAL_RANGE,
    band_index,
    residual_in_sigma,
    show_in_colour,
    show_in_grey,
)
from jaxblend.plot.marks import column, ellipse_outline
from jaxblend.plot.picture import RESIDUAL_MAP, Picture, bar_below, bare, outlined, source_colours

__all__ = ["frame"]

ALONE = "0.75"


def frame(scene: Any, *, band: str | None = None, stretch: float | None = None, numbers: bool | None = None) -> Picture:
    """Draw a deblended frame: the data with every detection, the model, and the residual in units of the noise.

    Sources of one group, which were fitted together, are joined by lines of one colour; sources alone are grey.

    Parameters
    ----------
    scene : Scene
        Made by `jaxblend.deblend`.
    band : str, optional
        Show this band in grey; by default a colour composite where there are two or more bands.
    stretch : float, optional
        Signal, in units of the noise, up to which brightness is about linear.
    numbers : bool, optional
        Whether to write the ids; by default where there are at most 40 sources.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.

    Raises
    ------
    ValueError
        If there is no such band.
    """
    observation = scene.observation
    index = band_index(observation, band)
    show = show_in_colour(observation, stretch) if index is None else show_in_grey(observation, index, stretch)
    data, model = np.asarray(observation.image), np.asarray(scene.model)
    height, width = observation.shape
    figure = Picture(figsize=(15.0, 5.0 * height / width + 1.3), layout="constrained")
    axes = figure.subplots(1, 3)

    show(axes[0], data)
    show(axes[1], model)
    groups = _groups(scene.catalog)
    _draw_groups(axes[0], scene.catalog, groups, observation.frame, len(groups) <= 40 if numbers is None else numbers)
    sigma = residual_in_sigma(data, model, observation.weight, index)
    image = axes[2].imshow(
        sigma, origin="lower", interpolation="nearest", cmap=RESIDUAL_MAP, vmin=-RESIDUAL_RANGE, vmax=RESIDUAL_RANGE
    )
    axes[2].set_facecolor("0.6")
    bar_below(image, axes[2], "(data - model) / noise")

    bare(axes[0], "data, detections and groups")
    bare(axes[1], "model")
    bare(axes[2], "residual, " + ("all bands" if index is None else str(observation.bands[index])))
    figure.suptitle(_title(groups, observation, sigma), fontsize=12, x=0.01, ha="left")
    return figure


def _groups(catalog: Any) -> np.ndarray:
    if "group" in catalog.colnames:
        return np.asarray(catalog["group"])
    return np.arange(len(catalog))


def _draw_groups(axes: Axes, catalog: Any, groups: np.ndarray, frame: Any, numbers: bool) -> None:
    x, y = column(catalog, "x"), column(catalog, "y")
    radius, g1, g2 = column(catalog, "radius", 0.0), column(catalog, "g1", 0.0), column(catalog, "g2", 0.0)
    ids = column(catalog, "id") if "id" in catalog.colnames else np.arange(len(catalog))
    limits = axes.get_xlim(), axes.get_ylim()
    names, counts = np.unique(groups, return_counts=True)
    shared = names[counts > 1]
    colours = dict(zip(shared.tolist(), islice(source_colours(), len(shared)), strict=True))
    for name in shared:
        members = np.flatnonzero(groups == name)
        _join(axes, x[members], y[members], colours[name])
    for row in range(len(catalog)):
        colour = colours.get(groups[row], ALONE)
        if radius[row] > 0:
            outline = ellipse_outline(2.0 * radius[row], g1[row], g2[row], frame)
            axes.plot(*(outline + np.array([x[row], y[row]])).T, color=colour, lw=1.1, path_effects=outlined(1.9))
        else:
            axes.plot(x[row], y[row], "+", color=colour, ms=7, mew=1.2, path_effects=outlined(2.4))
        if numbers:
            axes.annotate(
                f"{ids[row]:.0f}",
                (x[row], y[row]),
                xytext=(5, 5),
                textcoords="offset points",
                color=colour,
                fontsize=8,
                path_effects=outlined(2.0),
                clip_on=True,
            )
    axes.set(xlim=limits[0], ylim=limits[1])


def _join(axes: Axes, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    """Join the members of a group by their shortest tree."""
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import cdist

    points = np.stack([x, y], axis=1)
    first, second = minimum_spanning_tree(cdist(points, points)).nonzero()
    for a, b in zip(first, second, strict=True):
        axes.plot(x[[a, b]], y[[a, b]], color=colour, lw=1.0, alpha=0.8)


def _title(groups: np.ndarray, observation: Any, sigma: np.ndarray) -> str:
    _, counts = np.unique(groups, return_counts=True)
    words = [str(observation.survey)] if getattr(observation, "survey", None) else []
    words += [
        f"{len(groups)} sources in {len(counts)} groups of at most {counts.max() if len(counts) else 0}",
        "bands " + " ".join(observation.bands),
        f"rms of the residual {np.sqrt(np.nanmean(sigma**2)):.2f} of the noise",
    ]
    return ", ".join(words)
