"""One set of weights in several surveys, alone and jointly: nothing is trained again.

Run from the repository: python -m experiments.same_weights.run
"""

import warnings
from pathlib import Path

import numpy as np
import tyro

import jaxblend as jb
from benchmarks.peers.timing import timed
from benchmarks.reporting import provenance, table, write
from experiments.deblending_tables import with_error
from experiments.same_weights.skies import BAND, Sky, draw_sky, pixels_of, surveys
from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.metrics import cosine_distance

HERE = Path(__file__).parent
DATA = {"LSST": ("LSST",), "HSC": ("HSC",), "Euclid VIS": ("Euclid_VIS",), "LSST + Euclid VIS": ("LSST", "Euclid_VIS")}
REFERENCE, LEARNED = "bulge + disk", "learned"
SHOWN = 0  # number of the sky in the picture
N_BOOTSTRAP, SEED = 400, 0
DPI = 90


def fit_of(sky: Sky, names: tuple[str, ...], model: AbstractGalaxy) -> jb.Fit:
    """Of the images of one survey, or of several together; the first is that whose images are looked at."""
    observations = [sky.views[name].observation for name in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jb.JaxblendWarning)
        if len(names) > 1:
            return jb.fit(observations, sky.seeds, model=model)
        return jb.fit(observations[0], pixels_of(sky.seeds, names[0]), model=model)


def errors_of(fit: jb.Fit, sky: Sky, name: str) -> np.ndarray:
    """Of each galaxy: |dF/F|, 1 - cosine similarity, and chi2 per pixel of the image, in the band of reference."""
    view, band = sky.views[name], surveys()[name].band_index(BAND[name])
    flux = np.asarray(fit.catalog[f"flux_{BAND[name]}"], float) / view.flux[:, band]
    apart = np.asarray(cosine_distance(fit.images[:, band], view.isolated[:, band]))
    chi2 = np.mean(fit.residual[band] ** 2 * view.observation.weight[band])
    return np.stack([np.abs(flux - 1), apart, np.full(len(flux), chi2)], axis=1)


def measured(skies: list[Sky], names: tuple[str, ...], model: AbstractGalaxy) -> tuple[np.ndarray, float]:
    """Errors (blends, galaxies, 3), and the median time of a fit that has been compiled, in seconds."""
    fit_of(skies[0], names, model)
    seconds, errors = [], []
    for sky in skies:
        fit, taken = timed(lambda sky=sky: fit_of(sky, names, model))
        seconds.append(taken)
        errors.append(errors_of(fit, sky, names[0]))
    return np.array(errors), float(np.median(seconds))


def medians(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of all galaxies (..., 3), and their standard errors from a bootstrap of blends (axis 0)."""
    rng = np.random.default_rng(SEED)
    again = rng.integers(len(errors), size=(N_BOOTSTRAP, len(errors)))
    return np.median(errors, axis=(0, 1)), np.median(errors[again], axis=(1, 2)).std(0)


def rows_of(skies: list[Sky], weights: str) -> list[tuple]:
    """A row for each set of data and each model."""
    models = {REFERENCE: jb.BulgeDisk(), LEARNED: jb.NeuralGalaxy.load(weights)}
    rows = []
    for data, names in DATA.items():
        for label, model in models.items():
            errors, seconds = measured(skies, names, model)
            value, error = medians(errors)
            flux, distance = (with_error(scale * value[i], scale * error[i], 2) for i, scale in enumerate((100, 1e3)))
            rows.append((data, BAND[names[0]], label, flux, distance, f"{value[2]:.3f}", f"{seconds:.2f}"))
            print(*rows[-1], flush=True)
    return rows


def main(blends: int = 12, weights: str = "default", folder: Path = HERE) -> None:
    """Write result.md and joint.png.

    Parameters
    ----------
    blends
        Pairs of galaxies.
    weights
        What `jb.NeuralGalaxy.load` takes.
    folder
        Where to write; by default beside this file.
    """
    skies = [draw_sky(number) for number in range(blends)]
    rows = rows_of(skies, weights)
    fit = fit_of(skies[SHOWN], DATA["LSST + Euclid VIS"], jb.NeuralGalaxy.load(weights))
    jb.plot.blend(fit).save(folder / "joint.png", dpi=DPI)
    head = (
        "data",
        "band",
        "model",
        "median abs(dF/F), %",
        "median 1 - cosine, 1e-3",
        "median chi2 per pixel",
        "s per fit",
    )
    write(
        folder / "result.md",
        [
            "# The same weights in several surveys",
            "",
            provenance("galsim", "flax"),
            "",
            f"{blends} pairs of galaxies with structure, on one sky for all surveys; errors from a bootstrap of pairs.",
            "",
            *table(head, rows),
        ],
    )


if __name__ == "__main__":
    tyro.cli(main)
