"""The blends that are sampled: LSST's, as in experiments/lsst_blends, with a given number of galaxies each."""

from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

import jaxblend as jb
from benchmarks.blends import PSF_SIZE
from experiments.lsst_blends.data import MAX_OFFSET, SEED, SELECTION, STAMP_SIZE, lsst_survey, one_band
from jaxblend.simulation import draw_population
from jaxblend.simulation.blend import Blend
from jaxblend.simulation.psf import effective_psf_images, survey_psfs

SIX, R = "six bands", "r alone"
POPULATION = 400


class Sampled(NamedTuple):
    """One blend as it is given to a sampler."""

    observation: jb.Observation
    positions: np.ndarray


def blends(n: int, n_sources: int, *, catalog: Path | None = None) -> list[Blend]:
    """Blends of so many galaxies and no stars, drawn by GalSim with Kolmogorov PSFs; blend i is the same whatever n.

    They come from a CATSIM table, or from the built-in population.
    """
    survey = lsst_survey()
    galaxies = draw_population(np.random.default_rng(SEED), POPULATION, survey, star_fraction=0.0)
    found = jb.simulate_blends(
        survey,
        n,
        key=jax.random.fold_in(jax.random.key(SEED), n_sources),
        catalog=galaxies if catalog is None else catalog,
        n_sources=n_sources,
        max_offset=MAX_OFFSET,
        stamp_size=STAMP_SIZE,
        selection=SELECTION,
        psf="kolmogorov",
        variance="model",
    )
    return list(found)


def sampled(blend: Blend, bands: str) -> Sampled:
    """In six bands or in r alone, with the true positions."""
    observation = blend.observation
    return Sampled(observation if bands == SIX else one_band(observation, "r"), blend.positions)


def psfs(bands: str) -> np.ndarray:
    """Effective PSFs as images (C, h, w), for samplers that take nothing else."""
    survey = lsst_survey() if bands == SIX else lsst_survey().only("r")
    return effective_psf_images(survey_psfs(survey, "kolmogorov"), pixel_scale=survey.pixel_scale, size=PSF_SIZE)
