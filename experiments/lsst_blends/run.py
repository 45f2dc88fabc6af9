"""Flux errors on 100 simulated LSST blends, in six bands and in r alone, in bins of blendedness; true positions given.

Run from the repository: python -m experiments.lsst_blends.run ../shared/data/catsim_sample.fits
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.table import Table

import jaxblend as jb
from benchmarks.peers.timing import timed
from benchmarks.reporting import provenance, table, write
from experiments.lsst_blends.data import lsst_blends, lsst_survey, one_band
from experiments.lsst_blends.floor import flux_floor

HERE = Path(__file__).parent
EDGES = (0.0, 0.01, 0.1, 0.5, 1.01)
MORE = 400  # blends: the ratios of 100 are uncertain by a fifth
POSITION_SCATTER = 0.02  # arcsec, a tenth of a pixel: the true positions are given


def measure(blends, observations):
    """Arrays over all sources: relative flux error in r, pull, floor, blendedness, S/N, flags; seconds per blend."""
    options = {"position_scatter": POSITION_SCATTER}
    positions = [b.positions for b in blends]
    jb.fit_batch(observations, positions, **options)  # compiles
    fits, seconds = timed(lambda: _with_error_bars(jb.fit_batch(observations, positions, **options)))
    columns = {name: [] for name in ("blend", "error", "pull", "floor", "blendedness", "snr", "flags")}
    survey = lsst_survey()
    for i, (fit, blend, observation) in enumerate(zip(fits, blends, observations, strict=True)):
        found, truth = fit.catalog, np.asarray(blend.truth["flux_r"].value)
        columns["blend"].append(np.full(len(truth), i))
        columns["error"].append(found["flux_r"].value / truth - 1)
        columns["pull"].append((found["flux_r"].value - truth) / found["flux_r_err"].value)
        columns["floor"].append(flux_floor(blend, observation, survey.only(*observation.bands), "r", **options))
        columns["blendedness"].append(np.asarray(blend.truth["blendedness"]))
        columns["snr"].append(np.asarray(blend.truth["snr"]))
        columns["flags"].append(np.asarray(found["flags"]))
    return {name: np.concatenate(parts) for name, parts in columns.items()}, seconds / len(blends)


def _with_error_bars(fits):
    for fit in fits:
        _ = fit.catalog
    return fits


def ratio_error(size, expected, blend):
    """Bootstrap error, over blends, of the ratio of median error to median expected error."""
    rng, numbers, ratios = np.random.default_rng(1), np.unique(blend), []
    for _ in range(200):
        rows = np.concatenate([np.flatnonzero(blend == b) for b in rng.choice(numbers, len(numbers))])
        ratios.append(np.median(size[rows]) / np.median(expected[:, rows]))
    return np.std(ratios)


def report(name, found, seconds, peer):
    """Lines of one set: a row per bin of blendedness, then outliers and pulls."""
    rows = [f"## {name}", "", f"jaxblend: {seconds * 1e3:.0f} ms per blend, warm, error bars included.", ""]
    if peer is not None:
        _, first = np.unique(peer["blend"], return_index=True)
        rows[-1:] = [
            f"scarlet2: median {np.median(peer['seconds_warm'][first]):.2f} s per blend for its optimiser alone, "
            f"{np.median(peer['seconds_cold'][first]):.1f} s with the compilation that every blend needs.",
            "",
        ]
    head = ("blendedness", "sources", "jaxblend", "floor", "ratio", "jaxblend 90 %", "scarlet2", "scarlet2 90 %")
    bins = []
    size, blend = np.abs(found["error"]), found["blend"]
    draws = np.abs(np.random.default_rng(0).normal(size=(2000, len(size))) * found["floor"])
    for low, high in pairwise(EDGES):
        inside = (found["blendedness"] >= low) & (found["blendedness"] < high)
        floor = np.median(draws[:, inside])
        theirs = ["", ""] if peer is None else _percentiles(np.abs(peer["error"])[inside])
        ratio, spread = np.median(size[inside]) / floor, ratio_error(size[inside], draws[:200, inside], blend[inside])
        typical, large = _percentiles(size[inside])
        label = f"{low} to {min(high, 1):.4g}"
        bins.append((label, inside.sum(), typical, f"{floor:.4f}", f"{ratio:.2f} ± {spread:.2f}", large, *theirs))
    far = (found["error"] > 9) | (found["error"] < -0.9)
    bright = found["snr"] > 20
    width = 0.5 * np.diff(np.percentile(found["pull"][bright], [15.87, 84.13]))[0]
    rows += [
        *table(head, bins),
        "",
        f"Above ten times or below a tenth of the true flux: {far.mean():.1%} of sources, "
        f"{(found['flags'][far] > 0).sum()} of {far.sum()} flagged"
        + ("" if peer is None else f"; scarlet2 {((peer['error'] > 9) | (peer['error'] < -0.9)).mean():.1%}")
        + f". Half width of the central 68 % of flux pulls at S/N > 20: {width:.2f} ({bright.sum()} sources).",
        "",
    ]
    return rows


def _percentiles(size):
    return [f"{np.median(size):.4f}", f"{np.percentile(size, 90):.3f}"]


def scarlet2_results(name, blends):
    """What scarlet2.py wrote of one set, with relative errors; None if it was not run."""
    path = HERE / "scarlet2.ecsv"
    if not path.exists():
        return None
    theirs = Table.read(path)
    theirs = theirs[theirs["bands"] == name]
    truth = [blends[i].truth["flux_r"].value[j] for i, j in zip(theirs["blend"], theirs["source"], strict=True)]
    theirs["error"] = theirs["flux_r"] / truth - 1
    return theirs


def main(catalog):
    blends = lsst_blends(catalog)
    lines = ["# LSST blends", "", provenance("galsim"), ""]
    for name, observations in (
        ("six bands", [b.observation for b in blends]),
        ("r alone", [one_band(b.observation, "r") for b in blends]),
    ):
        lines += report(name, *measure(blends, observations), scarlet2_results(name, blends))
    more = lsst_blends(catalog, MORE)
    lines += report(f"six bands, {MORE} blends", *measure(more, [b.observation for b in more]), None)
    write(HERE / "result.md", lines)


if __name__ == "__main__":
    main(sys.argv[1])
