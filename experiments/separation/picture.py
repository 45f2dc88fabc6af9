"""Fluxes, conserved light, and odds against separation."""

import numpy as np

from experiments.separation.blends import FLUXES
from jaxblend.plot.picture import Picture, source_colours

METHOD = "importance"  # of the fluxes
BLISS_FINDS_BEYOND = 3  # pixels
BLISS_LOSES_FLUX = (6, 10)  # pixels


def separation_picture(rows: list[dict], conserved: float, likely: float) -> Picture:
    """A column for each brightness; grey is what was reported of BLISS."""
    figure = Picture(figsize=(9.0, 9.0), layout="constrained")
    grid = figure.subplots(3, len(FLUXES), sharex=True, sharey="row")
    for column, name in zip(grid.T, FLUXES, strict=True):
        of = [row for row in rows if row["brightness"] == name]
        snr = " and ".join(f"{np.mean([row[f'snr_{i}'] for row in of]):.0f}" for i in (1, 2))
        column[0].set_title(f"{name}: S/N {snr}", fontsize=10)
        _draw_fluxes(column[0], of)
        _draw_total(column[1], of, conserved)
        _draw_odds(column[2], of, likely)
        column[2].set_xlabel("separation (pixels)")
    for axes, label in zip(
        grid[:, 0], ("flux / true flux", "light of both / true", "ln odds of two against one"), strict=True
    ):
        axes.set_ylabel(label)
    figure.legend(handles=_draw_shares(grid[-1], rows), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def _draw_fluxes(axes, rows) -> None:
    axes.axvspan(*BLISS_LOSES_FLUX, color="0.93", lw=0, label="BLISS: too little flux")
    axes.axhline(1.0, color="0.4", lw=0.8)
    for i, colour, shift in zip((1, 2), source_colours(), (-0.1, 0.1), strict=False):
        _errorbar(axes, rows, f"flux_{i}_{METHOD}", colour, shift, f"galaxy {i}, {METHOD}", stated=True)
    axes.legend(frameon=False, fontsize=8)


def _draw_total(axes, rows, conserved) -> None:
    axes.axhspan(1 - conserved, 1 + conserved, color="0.93", lw=0, label=f"goal, {conserved:.0%}")
    axes.axhline(1.0, color="0.4", lw=0.8)
    kinds = {
        "total_laplace": "optimum",
        "total_importance": "importance sampling",
        "total_deblended": "deblend, not told of two",
    }
    for (name, label), colour, shift in zip(kinds.items(), source_colours(), (-0.15, 0.0, 0.15), strict=False):
        _errorbar(axes, rows, name, colour, shift, label)
    axes.set_ylim(1 - 5 * conserved, 1 + 5 * conserved)
    axes.legend(frameon=False, fontsize=8)


def _draw_odds(axes, rows, likely) -> None:
    separation = np.array([row["separation"] for row in rows])
    low, middle, high = (np.array([row[f"log_odds_laplace{end}"] for row in rows]) for end in ("_p16", "", "_p84"))
    colour = next(source_colours())
    axes.fill_between(separation, low, high, color=colour, alpha=0.25, lw=0)
    axes.plot(separation, middle, "-", color=colour, label="odds, laplace")
    axes.plot(separation, [row["log_odds_importance"] for row in rows], "o", ms=4, color="k", label="odds, importance")
    axes.axhline(np.log(likely), color="0.4", lw=0.8, ls="--")
    axes.axvline(BLISS_FINDS_BEYOND, color="0.7", lw=4, label="BLISS: second galaxy found beyond")
    axes.set_yscale("symlog", linthresh=10)


def _draw_shares(line, rows) -> list:
    """On the right-hand axis, how often both are found; what the lower panels show is returned for a legend."""
    for axes, name in zip(line, FLUXES, strict=True):
        of = [row for row in rows if row["brightness"] == name]
        share = axes.twinx()
        for kind, style in (("detected", ":"), ("deblended", "-")):
            values = [row[f"both_{kind}"] for row in of]
            share.plot(
                [row["separation"] for row in of], values, style, color="0.2", lw=1.2, label=f"two {kind}, share"
            )
        share.set_ylim(-0.05, 1.05)
    share.set_ylabel("share of pairs that are found as two")
    return [handle for each in (line[-1], share) for handle in each.get_legend_handles_labels()[0]]


def _errorbar(axes, rows, name, colour, shift, label, *, stated: bool = False) -> None:
    """Means and their standard errors; thin bars are what is stated of one pair."""
    x = np.array([row["separation"] for row in rows]) + shift
    y, error = (np.array([row[name + end] for row in rows]) for end in ("", "_sem"))
    if stated:
        axes.errorbar(x, y, [row[f"{name}_stated"] for row in rows], fmt="none", color=colour, lw=0.8, alpha=0.6)
    axes.errorbar(x, y, error, fmt="o", ms=4, color=colour, lw=2, label=label)
