"""LSST fields of 48 to 80 galaxies per square arcminute: six bands, bulges and disks, drawn by GalSim."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

import jaxblend as jb
from jaxblend.metrics import adaptive_moments, distortion
from jaxblend.simulation.blend import Blend
from jaxblend.simulation.layouts import Density
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey

SEED = 20261126
SURVEY, BANDS, BAND, PSF = "LSST", "ugrizy", "r", "kolmogorov"
DENSITIES = (48.0, 80.0)  # galaxies per square arcminute, of which each blend has its own, uniform
SIDE = 80  # pixels
MARGIN = 10  # pixels: sources nearer to the edge are in the image, and in no statistic
SELECTION = Selection(max_magnitude=25.3, magnitude_band="i", min_snr=10.0, snr_band="r")
POOL = 400  # galaxies, of which a blend is made
NOISE, VARIANCE = "poisson", "model"  # weights hold the variance of sky and sources, as a survey's variance map does
FIELDS = {
    "seed": SEED,
    "survey": [SURVEY, BANDS, PSF, SIDE],
    "noise": [NOISE, VARIANCE],
    "density": DENSITIES,
    "selection": dataclasses.asdict(SELECTION),
}  # all that the fields depend on


@functools.cache
def survey() -> Survey:
    return jb.get_survey(SURVEY, BANDS)


def galaxies(number: int) -> SkySources:
    """Of the built-in population, without its stars."""
    rng = np.random.default_rng([SEED, number, 1])
    faintest = SELECTION.max_magnitude
    return draw_population(rng, POOL, survey(), max_magnitude=faintest, star_fraction=0.0)


def draw_blend(number: int, catalog: Path | None = None) -> Blend:
    """Blend ``number``: the same whatever else is drawn."""
    density = np.random.default_rng([SEED, number, 0]).uniform(*DENSITIES)
    return jb.simulate(
        survey(),
        key=jax.random.fold_in(jax.random.key(SEED), number),
        catalog=galaxies(number) if catalog is None else catalog,
        layout=Density(density),
        rotate=True,
        selection=SELECTION,
        stamp_size=SIDE,
        psf=PSF,
        noise=NOISE,
        variance=VARIANCE,
    )


def distortions(evaluation: jb.Evaluation, results: Sequence, blends: Sequence[Blend]) -> dict[str, np.ndarray]:
    """Errors of e1 and e2, as HSM has them, of the deblended images in the band of reference."""
    index = survey().band_index(BAND)
    true_g = np.concatenate(
        [np.asarray(adaptive_moments(b.isolated[:, index], position=b.positions).g) for b in blends]
    )
    sources = evaluation.sources
    if "moments_g1_residual" not in sources.colnames:
        return {}
    found_g = true_g + np.stack([np.asarray(sources[f"moments_g{i}_residual"]) for i in (1, 2)], axis=1)
    both = np.isfinite(found_g).all(axis=1)
    error = np.asarray(distortion(found_g, where=both)) - np.asarray(distortion(true_g, where=both))
    return {f"e{i + 1}_residual": error[:, i] for i in range(2)}
