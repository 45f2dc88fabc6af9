"""What correlated noise does to the error bars of the HSC blend: fits that know of it, and that do not.

Run from the repository: python -m experiments.hsc_blend.noise ../shared/data/hsc_blend.npz
"""

import sys

import numpy as np

import jaxblend as jb
from benchmarks.reporting import provenance, table, write
from experiments.hsc_blend.run import HERE, PIXEL_SCALE, STAR, chi2, load

REACH = 2  # pixels: the stamp has little empty sky to measure more lags on


def neighbours(correlation, bands):
    """Rows: each band's correlation with the pixels beside and above."""
    return [
        [band, f"{each[REACH, REACH + 1]:.2f}", f"{each[REACH + 1, REACH]:.2f}"]
        for band, each in zip(bands, correlation, strict=True)
    ]


def ratios(fits):
    """Error bars (n, C) of fluxes with the noise known over those with it taken for white, and how far fluxes move."""
    white, known = (fit.catalog for fit in fits)
    names = [f"flux_{band}" for band in fits[0].observations[0].bands]
    error = np.stack([known[f"{name}_err"] / white[f"{name}_err"] for name in names], 1)
    moved = np.stack([(known[name] - white[name]) / known[f"{name}_err"] for name in names], 1)
    return error, moved


def fit_line(name, obs, fit):
    """What is left of the data, and whether the fit ended."""
    parts = [f"{band} {value:.2f}" for band, value in zip(obs.bands, chi2(obs, fit.residual), strict=True)]
    return f"- chi2 per pixel, noise {name}: {', '.join(parts)}; {fit.outcome.value}."


def main(path):
    """Fit and write the table."""
    obs, positions = load(path)
    correlation = jb.estimate_noise_correlation(obs, reach=REACH)
    stars = np.arange(len(positions)) == STAR
    given = (obs, obs.replace(noise_correlation=correlation))
    # The list's positions are whole pixels: half of one is how well they are known.
    fits = [jb.fit(each, positions, stars=stars, position_scatter=0.5 * PIXEL_SCALE) for each in given]
    error, moved = ratios(fits)
    medians = ", ".join(f"{band} {value:.2f}" for band, value in zip(obs.bands, np.median(error, 0), strict=True))
    lines = [
        "# Correlated noise in the HSC blend",
        "",
        "Correlation of neighbouring pixels' noise, measured on the stamp's empty sky:",
        "",
        *table(("band", "in x", "in y"), neighbours(correlation, obs.bands)),
        "",
        "Error bars of the fluxes of fits that know it, over those of fits that take the noise for white (bulge and",
        "disk, source 0 a star):",
        "",
        *table(("source", *obs.bands), [[i, *(f"{value:.2f}" for value in row)] for i, row in enumerate(error)]),
        "",
        f"- Medians by band: {medians}; of all {np.median(error):.2f}, from {error.min():.2f} to {error.max():.2f}.",
        f"- Fluxes move by {np.sqrt(np.mean(moved**2)):.2f} error bars (rms), half of them by less than "
        f"{np.median(np.abs(moved)):.2f}.",
        *map(fit_line, ("taken for white", "known"), given, fits),
        "",
        provenance(),
    ]
    write(HERE / "noise.md", lines)


if __name__ == "__main__":
    main(sys.argv[1])
