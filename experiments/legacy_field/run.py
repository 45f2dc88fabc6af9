"""Deblend a Legacy Surveys field in g, r, z, 256 x 256 pixels: is what is left noise, and where is it not?

Run from the repository: python -m experiments.legacy_field.run ../shared/data/legacy_field
"""

import sys
from pathlib import Path

import numpy as np

import jaxblend as jb
from benchmarks.peers.timing import timed
from benchmarks.reporting import provenance, table, write
from experiments.legacy_field.measure import (
    blank_sky,
    difference_noise,
    model_sky,
    neighbour_correlation,
    peaks,
    robust_rms,
    significance,
    sky_noise,
)
from jaxblend.io.fits import read_fits, read_psf

HERE = Path(__file__).parent
ZERO_POINT = 22.5  # nanomaggies


def load(folder):
    folder = Path(folder)
    return read_fits(folder / "image.fits", psf=folder / "psf.fits", zero_point=ZERO_POINT, survey="Legacy Surveys")


def noise_tables(scene, psf):
    """Noise per band, of the residual and of the data."""
    obs = scene.observation
    image, weight = np.asarray(obs.image, float), np.asarray(obs.weight, float)
    sky, blank = model_sky(scene.model, weight), blank_sky(image, weight, psf)
    head = ("band", "sky pixels", "residual, robust rms", "std", "blank-sky pixels", "data, robust rms", "std",
            "pixel differences", "neighbours' correlation")  # fmt: skip
    rows, verdict = [], []
    columns = (
        sky_noise(scene.residual, weight, sky),
        sky_noise(image, weight, blank),
        difference_noise(image, weight, blank),
        neighbour_correlation(image, weight, blank),
    )
    for band, left, data, difference, correlation in zip(obs.bands, *columns, strict=True):
        cells = (*left, *data, difference, correlation)
        rows.append((band, *(f"{cell:.3f}" if isinstance(cell, float) else cell for cell in cells)))
        verdict.append((band, f"{left.robust - 1:+.1%}", f"{left.robust / data.robust - 1:+.1%}"))
    ratios = table(("band", "residual / noise map - 1", "residual / data on blank sky - 1"), verdict)
    return [*table(head, rows), "", *ratios]


def peak_table(found, catalog):
    head = ("x", "y", "sigma", "nearest source", "distance, pixels", "its S/N", "brightest model there", "its S/N")
    rows = []
    for p in found:
        owner = (p.owner, f"{catalog['snr'][p.owner]:.0f}") if p.owner >= 0 else ("none", "")
        nearest = (p.nearest, f"{p.distance:.1f}", f"{p.nearest_snr:.0f}")
        rows.append((p.x, p.y, f"{p.significance:+.1f}", *nearest, *owner))
    return table(head, rows)


def main(folder):
    obs = load(folder)
    scene, cold = timed(lambda: jb.deblend(obs))
    _, warm = timed(lambda: jb.deblend(obs))
    psf = np.asarray(read_psf(Path(folder) / "psf.fits").image)
    maps = significance(scene.residual, np.asarray(obs.weight, float), psf)
    found = peaks(maps, scene)
    sky = model_sky(scene.model, obs.weight).all(axis=0)
    spread = ", ".join(
        f"{robust_rms(m[sky]):.2f} ({name})" for m, name in zip(maps, (*obs.bands, "all bands"), strict=True)
    )
    stars = int(np.sum(np.asarray(scene.catalog["kind"]) == "star"))
    flagged = int(np.sum(np.asarray(scene.catalog["flags"]) > 0))
    write(
        HERE / "result.md",
        [
            "# Legacy Surveys field",
            "",
            provenance("sep"),
            "",
            f"{len(scene.detections)} sources detected; {len(scene.catalog)} in the end, {stars} of them stars, "
            f"in {len(np.unique(scene.groups))} groups; {flagged} with a flag. "
            f"First call {cold:.0f} s, compilation included; second call {warm:.1f} s.",
            "",
            "## Noise",
            "",
            "In units of the noise map. Sky: the whole model is below 0.1 of the noise. Blank sky is found without a "
            "model: no PSF-filtered peak above 3 sigma within 4 pixels; there the data themselves tell whether the "
            "noise map is right, and differences of pixels 5 apart do so free of the background.",
            "",
            *noise_tables(scene, psf),
            "",
            "## Peaks of the residual",
            "",
            "Filtered with each band's PSF; a peak counts from 5 sigma, of either sign, in one band or in all "
            "together. Sigma takes the noise as uncorrelated: "
            f"over the sky the filtered residual has a robust rms of {spread}.",
            "",
            *peak_table(found, scene.catalog),
        ],
    )
    scene.catalog.write(HERE / "catalog.ecsv", overwrite=True)
    jb.plot.frame(scene).save(HERE / "frame.png")


if __name__ == "__main__":
    main(sys.argv[1])
