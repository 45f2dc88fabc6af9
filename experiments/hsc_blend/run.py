"""Fit the HSC blend with analytic, trained and free-form galaxies, and with scarlet2 where it is installed.

Run from the repository: python -m experiments.hsc_blend.run ../shared/data/hsc_blend.npz
"""

import sys
from pathlib import Path

import numpy as np

import jaxblend as jb
from benchmarks.peers.timing import timed
from benchmarks.reporting import provenance, table, write

HERE = Path(__file__).parent
PIXEL_SCALE, ZERO_POINT = 0.168, 27.0
STAR, STRUCTURED = 0, 1  # of the given sources


def load(path):
    """The observation, and the pixel positions (7, 2) of the given sources."""
    data = np.load(path, allow_pickle=False)
    bands = [str(b) for b in data["filters"]]
    obs = jb.Observation(
        data["images"],
        variance=data["variance"],
        psf=data["psfs"],
        pixel_scale=PIXEL_SCALE,
        bands=bands,
        zero_point=ZERO_POINT,
        survey="HSC",
    )
    return obs, np.stack([data["catalog"]["x"], data["catalog"]["y"]], -1)


def chi2(obs, residual):
    """Per usable pixel and band (C,)."""
    return (residual**2 * obs.weight).sum((1, 2)) / (obs.weight > 0).sum((1, 2))


def row(name, per_band, n_sources, parameters, first, warm):
    """Cells of a line of the table."""
    chi2s = (f"{c:.3f}" for c in (*per_band, np.mean(per_band)))
    return [name, n_sources, parameters, *chi2s, f"{first:.2f}", f"{warm:.2f}"]


def ours(obs, positions):
    """Rows of jaxblend: the given sources in several models, then with those that a search of the residual adds."""
    rows, stars = [], np.arange(len(positions)) == STAR
    for name, model, points, repeats in (
        ("bulge+disk", jb.BulgeDisk(), None, 3),
        ("bulge+disk, source 0 a star", jb.BulgeDisk(), stars, 3),
        ("Sersic", jb.Sersic(), None, 3),
        ("trained prior", jb.NeuralGalaxy.load(), None, 1),
        ("trained prior, source 0 a star", jb.NeuralGalaxy.load(), stars, 1),
        ("free-form", jb.FreeForm(), None, 1),
    ):

        def fit(model=model, points=points):
            return jb.fit(obs, positions, model=model, stars=points)

        result, first = timed(fit)
        warm = np.median([timed(fit)[1] for _ in range(repeats)])
        size = len(positions) * result.item.prior.size
        rows.append(row(name, chi2(obs, result.residual), len(positions), size, first, warm))
        if name == "trained prior":
            jb.plot.blend(result).save(HERE / "trained.png")
            result.catalog.write(HERE / "trained.ecsv", overwrite=True)

    def search():
        return jb.deblend(obs, detections=positions, max_group=16)

    scene, first = timed(search)
    _, warm = timed(search)
    rows.append(
        row("bulge+disk or star, residual searched", chi2(obs, scene.residual), len(scene.catalog), "", first, warm)
    )
    jb.plot.frame(scene).save(HERE / "blend.png")
    scene.catalog.write(HERE / "catalog.ecsv", overwrite=True)
    rows.append(mixed(obs, np.stack([scene.catalog["x"].value, scene.catalog["y"].value], -1)))
    return rows


def mixed(obs, positions):
    """Row of all sources that the search has found: a star, a free-form galaxy, and bulges and disks."""
    numbers = np.arange(len(positions))
    models = [jb.FreeForm() if i == STRUCTURED else jb.BulgeDisk() for i in numbers]

    def fit():
        return jb.fit(obs, positions, model=models, stars=numbers == STAR)

    result, first = timed(fit)
    _, warm = timed(fit)
    jb.plot.blend(result).save(HERE / "mixed.png")
    result.catalog.write(HERE / "mixed.ecsv", overwrite=True)
    free = [2 + len(obs.bands)] + [
        2 + len(obs.bands) * model.n_components + len(model.shape_names) for model in np.delete(models, STAR)
    ]
    per_band = chi2(obs, result.residual)
    return row("one star, one free-form, else bulge+disk", per_band, len(positions), sum(free), first, warm)


def scarlet2(obs, positions):
    """The row of scarlet2, if it is there: first is all that a new blend costs, warm its optimiser alone."""
    from benchmarks.peers import scarlet2_fit

    try:
        fit = scarlet2_fit.fit(np.asarray(obs.image), np.asarray(obs.weight), np.asarray(obs.psf.image), positions)
    except ImportError:
        return []
    return [row("scarlet2", fit.chi2, len(positions), fit.n_parameters, fit.seconds_cold, fit.seconds_warm)]


def main(path):
    obs, positions = load(path)
    head = ["model", "sources", "parameters", *obs.bands, "mean", "first call, s", "warm, s"]
    rows = table(head, [*ours(obs, positions), *scarlet2(obs, positions)])
    write(HERE / "result.md", ["# HSC blend: chi2 per usable pixel", "", provenance(), "", *rows])


if __name__ == "__main__":
    main(sys.argv[1])
