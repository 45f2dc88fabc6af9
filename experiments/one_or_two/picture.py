"""Odds against separation, a line for each signal to noise."""

import numpy as np
from astropy.table import Table

from jaxblend.plot.picture import Picture, source_colours


def odds_picture(found: Table, method: str, threshold: float) -> Picture:
    """Median and central 68 % of ln odds; single galaxies stand at separation 0."""
    figure = Picture(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for snr, colour in zip(np.unique(found["snr"]), source_colours(), strict=False):
        rows = found[found["snr"] == snr]
        places = np.unique(rows["separation"])
        parts = [np.percentile(rows[method][rows["separation"] == s], (16, 50, 84)) for s in places]
        low, middle, high = np.transpose(parts)
        axes.fill_between(places, low, high, color=colour, alpha=0.2, lw=0)
        axes.plot(places, middle, "o-", ms=4, color=colour, label=f"S/N {snr:.0f}")
    axes.axhline(np.log(threshold), color="0.4", lw=0.8, ls="--")
    axes.annotate(f"odds {threshold}", (2.0, np.log(threshold)), ha="right", va="bottom", fontsize=8, color="0.4")
    axes.set_yscale("symlog", linthresh=10)
    axes.set(xlabel="separation / FWHM of the PSF", ylabel="ln odds of two against one")
    axes.legend(frameon=False)
    return figure
