"""Errors of LSST alone and with Euclid, and the gain, against blendedness and S/N."""

import numpy as np

from experiments.deblending_tables import bin_labels
from experiments.lsst_euclid.measure import DATA
from experiments.lsst_euclid.statistics import ERRORS, Statistics
from jaxblend.plot.picture import Picture, source_colours
from jaxblend.simulation.seeds import DECENTRING

ARCELIN = {"g": 30, "magnitude": 20}  # per cent narrower
SHOWN = "perfect"  # centres
FEWEST = 15  # galaxies in a bin
GAINS = (-60, 100)  # per cent, on the axis


def euclid_picture(found: Statistics, labels: dict[str, str], goals: dict[str, float]) -> Picture:
    """A column for each kind of bins: errors of g1 and magnitude from true centres, then the gain from all centres."""
    figure = Picture(figsize=(5.4 * len(labels), 12.0), layout="constrained")
    names = [name for name in goals if name != "g2"]
    grid = figure.subplots(len(names) + len(ARCELIN), len(labels), sharex="col", sharey="row", squeeze=False)
    for column, (by, label) in zip(grid.T, labels.items(), strict=True):
        for axes, name in zip(column, names, strict=False):
            _draw_errors(axes, found, name, by, goals[name])
        for axes, (name, published) in zip(column[len(names) :], ARCELIN.items(), strict=True):
            _draw_gain(axes, found, name, by, published)
        ticks = bin_labels(found.edges[by])
        column[-1].set_xticks(np.arange(len(ticks)), ticks, rotation=25, ha="right", fontsize=8)
        column[-1].set_xlabel(label)
    titles = [f"error of {name}, {SHOWN} centres" for name in names] + [f"gain in {name}, %" for name in ARCELIN]
    for axes, title in zip(grid[:, 0], titles, strict=True):
        axes.set_ylabel(title)
        axes.legend(frameon=False, fontsize=8, loc="best")
    return figure


def _draw_errors(axes, found, name, by, goal) -> None:
    """Medians with bootstrap errors (thick), half width of 68 % (thin)."""
    axes.axhspan(-goal, goal, color="0.88", lw=0, label=f"goal of medians, {goal}")
    axes.axhline(0.0, color="0.4", lw=0.8)
    j = ERRORS.index(name)
    for data, colour, shift in zip(DATA, source_colours(), (-0.12, 0.12), strict=False):
        binned = found.spreads[SHOWN, data, by]
        shown = binned.count >= FEWEST
        x, median = np.flatnonzero(shown) + shift, binned.value.median[shown, j]
        axes.errorbar(x, median, binned.value.half_width[shown, j], fmt="none", color=colour, lw=0.9)
        axes.errorbar(x, median, binned.error.median[shown, j], fmt="o", ms=4, color=colour, lw=2.5, label=data)


def _draw_gain(axes, found, name, by, published) -> None:
    axes.axhline(published, color="0.5", lw=1.0, ls="--", label=f"Arcelin et al., {published} %")
    axes.axhline(0.0, color="0.4", lw=0.8)
    for centring, colour, shift in zip(DECENTRING, source_colours(), (-0.15, 0.0, 0.15), strict=False):
        gain = found.gains[centring, by]
        shown = gain.count >= FEWEST
        value, error = (100 * getattr(each, name)[shown] for each in (gain.value, gain.error))
        label = f"{centring} centres"
        axes.errorbar(np.flatnonzero(shown) + shift, value, error, fmt="o", ms=4, color=colour, label=label)
    axes.set_ylim(*GAINS)
