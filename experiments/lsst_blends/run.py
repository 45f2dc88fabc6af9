"""Flux errors on 100 simulated LSST blends in six bands, in bins of blendedness; true positions given.

Run from the repository: python -m experiments.lsst_blends.run ../shared/data/catsim_sample.fits
"""

import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

import jaxblend as jb
from experiments.lsst_blends.data import lsst_blends
from experiments.reporting import provenance

HERE = Path(__file__).parent
EDGES = (0.0, 0.01, 0.1, 0.5, 1.01)
NUMBER, SEED = 100, 0


def measure(catalog, bands):
    """Arrays over all sources: relative flux error in r, pull, blendedness, S/N, flags; and seconds per blend."""
    blends = list(lsst_blends(catalog, NUMBER, SEED, bands))
    observations = [b.observation for b in blends]
    positions = [b.positions for b in blends]
    jb.fit_batch(observations, positions)  # compiles
    start = time.perf_counter()
    fits = jb.fit_batch(observations, positions)
    seconds = (time.perf_counter() - start) / len(blends)
    columns = {"error": [], "pull": [], "blendedness": [], "snr": [], "flags": []}
    for fit, blend in zip(fits, blends, strict=True):
        table, truth = fit.catalog, np.asarray(blend.truth["flux_r"].value)
        columns["error"].append(table["flux_r"] / truth - 1)
        columns["pull"].append((table["flux_r"] - truth) / table["flux_r_err"])
        columns["blendedness"].append(np.asarray(blend.truth["blendedness"]))
        columns["snr"].append(np.asarray(blend.truth["snr"]))
        columns["flags"].append(table["flags"])
    return {name: np.concatenate(parts) for name, parts in columns.items()}, seconds


def report(name, found, seconds):
    rows = [f"## {name}", "", f"{seconds * 1e3:.0f} ms per blend, warm.", ""]
    rows += ["| blendedness | sources | median abs(dF/F) in r | 90th percentile |", "|---|---|---|---|"]
    size = np.abs(found["error"])
    for low, high in pairwise(EDGES):
        inside = (found["blendedness"] >= low) & (found["blendedness"] < high)
        rows.append(
            f"| {low} to {min(high, 1):.4g} | {inside.sum()} | {np.median(size[inside]):.3f} | "
            f"{np.percentile(size[inside], 90):.3f} |"
        )
    far = (found["error"] > 9) | (found["error"] < -0.9)
    bright = found["snr"] > 20
    width = 0.5 * np.diff(np.percentile(found["pull"][bright], [15.87, 84.13]))[0]
    rows += [
        "",
        f"Above ten times or below a tenth of the true flux: {far.mean():.1%} of sources, "
        f"{(found['flags'][far] > 0).sum()} of {far.sum()} flagged. "
        f"Half width of the central 68 % of flux pulls at S/N > 20: {width:.2f} ({bright.sum()} sources).",
        "",
    ]
    return rows


def main(catalog):
    lines = ["# LSST blends", "", provenance("galsim"), ""]
    lines += report("Six bands", *measure(catalog, "ugrizy"))
    text = "\n".join(lines)
    (HERE / "result.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main(sys.argv[1])
