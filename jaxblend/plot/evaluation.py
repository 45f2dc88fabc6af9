"""Pictures of evaluations: how many of a blend's sources were found, and how wrong the found ones are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from jaxblend.plot.marks import column
from jaxblend.plot.picture import Picture
from jaxblend.plot.several import Style, legend_above, named, panels, styles

__all__ = ["efficiency_picture", "residual_picture"]

MOST_NUMBERS = 16  # true sources, up to which numbers are legible
N_BINS = 25
REACH = 4.0  # of a histogram, in the widest scatter
WIDEST = 2.0
RESIDUALS = {
    "flux, {band}: (F − F true) / F true": ("flux_residual_{band}",),
    "magnitude, {band}: m − m true": ("magnitude_residual_{band}",),
    "half-light radius: (r − r true) / r true": ("size_residual",),
    "ellipticity: g − g true, both components": ("g1_residual", "g2_residual"),
    "size with the PSF: (σ − σ true) / σ true": ("moments_size_residual",),
    "ellipticity with the PSF: g − g true, both components": ("moments_g1_residual", "moments_g2_residual"),
}


def efficiency_picture(evaluations: Any) -> Picture:
    """Draw how many sources of a blend were found, against how many there are.

    Numbers are blends, shades their share of all blends with as many true sources. On the diagonal everything was
    found.

    Parameters
    ----------
    evaluations : Evaluation or dict of Evaluation
        Made by `jaxblend.evaluate`; a dict makes a panel of each, under its name.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.
    """
    given = named(evaluations)
    figure = panels(list(given.items()), _draw_efficiency, size=(3.0, 3.3), most_columns=4, share_y=True)
    figure.supxlabel("true sources in the blend", fontsize=10)
    figure.supylabel("of which found", fontsize=10)
    return figure


def residual_picture(evaluations: Any) -> Picture:
    """Draw histograms of the errors of found sources: flux, magnitude, size, ellipticity.

    Size and ellipticity are those of the catalogues, and those of adaptive moments of the deblended images; what
    nobody has, has no panel. Each histogram adds up to 1. What lies beyond the axis is in the outermost bins. Vertical
    lines are medians.

    Parameters
    ----------
    evaluations : Evaluation or dict of Evaluation
        Made by `jaxblend.evaluate`; a dict overlays them.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.

    Raises
    ------
    ValueError
        If nothing was found.
    """
    given = named(evaluations)
    errors = {label: {name: _errors(each, names) for name, each in given.items()} for label, names in RESIDUALS.items()}
    known = [(label, values) for label, values in errors.items() if any(len(each) for each in values.values())]
    if not known:
        raise ValueError("nothing to draw: no source was found, or none with an error that could be measured")
    band = next(iter(given.values())).bands.reference
    how = styles(given)
    figure = panels(
        [(label.format(band=band), values) for label, values in known],
        lambda axes, item: _draw_histograms(axes, item, how),
        size=(3.6, 2.7),
        most_columns=3,
    )
    figure.supylabel("share of found sources", fontsize=10)
    legend_above(figure, given, most_columns=7)
    return figure


def _draw_efficiency(axes: Axes, item: tuple[str, Any]) -> None:
    name, evaluation = item
    counts = evaluation.efficiency
    total = counts.sum(axis=0)
    first = int(np.argmax(total > 0))
    share = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    size = len(counts)
    share[np.arange(size)[:, None] > np.arange(size)] = np.nan  # one cannot find more than there are
    aspect = "equal" if size - first > size / 2 else "auto"  # a few columns of many lines are made wide
    axes.imshow(share, origin="lower", cmap="Blues", vmin=0.0, vmax=1.0, aspect=aspect)
    for found, true in np.argwhere(counts > 0) if size <= MOST_NUMBERS else ():
        colour = "white" if share[found, true] > 0.6 else "black"
        axes.annotate(f"{counts[found, true]:.0f}", (true, found), ha="center", va="center", fontsize=7, color=colour)
    axes.set(xlim=(first - 0.5, size - 0.5), ylim=(-0.5, size - 0.5))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    found = column(evaluation.sources, "found")
    recall = f"{found.mean():.1%} of {len(found)} found" if len(found) else "no sources"
    axes.set_title("\n".join(part for part in (name, recall) if part), fontsize=9, loc="left")


def _errors(evaluation: Any, names: tuple[str, ...]) -> Float[np.ndarray, " n"]:
    """All errors of some columns, of sources that have one."""
    band = evaluation.bands.reference
    values = np.concatenate([column(evaluation.sources, name.format(band=band)) for name in names])
    return values[~np.isnan(values)]


def _draw_histograms(axes: Axes, item: tuple[str, Mapping[str, np.ndarray]], how: Mapping[str, Style]) -> None:
    label, values = item
    reach = _reach([each for each in values.values() if len(each)])
    edges = np.linspace(-reach, reach, N_BINS + 1).tolist()
    for name, errors in values.items():
        if not len(errors):
            continue
        style = how[name]
        weights = np.full(len(errors), 1.0 / len(errors))
        axes.hist(
            np.clip(errors, -reach, reach),
            edges,
            weights=weights,
            histtype="step",
            color=style.colour,
            ls=style.line,
            lw=1.4,
        )
        axes.axvline(float(np.clip(np.median(errors), -reach, reach)), color=style.colour, ls=style.line, lw=0.8)
    axes.axvline(0.0, color="0.6", lw=0.6, zorder=0)
    axes.set_xlim(-reach, reach)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(label, fontsize=8, loc="left")


def _reach(errors: list[np.ndarray]) -> float:
    """Half of the width of a histogram, that shows most of the worst."""
    finite = [each[np.isfinite(each)] for each in errors]
    scatter = [1.4826 * np.median(np.abs(each)) for each in finite if len(each)]
    return float(np.clip(REACH * max(scatter, default=0.0), 1e-3, WIDEST))
