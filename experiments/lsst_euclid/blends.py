"""Blends of galaxies on one sky as LSST, Euclid VIS and Euclid NISP see it, drawn by GalSim."""

import dataclasses
import functools

import jax
import numpy as np

import jaxblend as jb
from jaxblend.simulation.blend import Blend
from jaxblend.simulation.layouts import Uniform
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.seeds import DECENTRING, Seeds, draw_seeds
from jaxblend.simulation.survey import Survey

SEED = 20261127
SURVEYS = ("LSST", "Euclid_VIS", "Euclid_NISP")
BANDS, BAND = "ugrizy", "r"  # of LSST
SIDE = 48  # pixels of LSST
LAYOUT = Uniform(max_sources=4, max_offset=1.6)
SELECTION = Selection(max_magnitude=25.3, magnitude_band="i", min_snr=10.0, snr_band="r")
POOL = 400  # galaxies, of which a blend is made
NOISE, VARIANCE = "poisson", "model"  # weights hold the variance of sky and sources, as a survey's variance map does


@dataclasses.dataclass(frozen=True, eq=False)
class Sky:
    """One blend in each survey, LSST first, and pixels of LSST (n, 2) to start from for each kind of centring."""

    views: tuple[Blend, ...]
    seeds: dict[str, Seeds]


@functools.cache
def surveys() -> tuple[Survey, ...]:
    return tuple(jb.get_survey(name, BANDS if name == "LSST" else None) for name in SURVEYS)


def draw_sky(number: int) -> Sky:
    """Sky ``number``, the same whatever else is drawn."""
    galaxies = draw_population(
        np.random.default_rng([SEED, number, 0]),
        POOL,
        surveys(),
        max_magnitude=SELECTION.max_magnitude,
        star_fraction=0.0,
    )
    views = jb.simulate_surveys(
        surveys(),
        key=jax.random.fold_in(jax.random.key(SEED), number),
        catalog=galaxies,
        layout=LAYOUT,
        rotate=True,
        selection=SELECTION,
        stamp_size=SIDE,
        noise=NOISE,
        variance=VARIANCE,
    )
    return Sky(views, {kind: _seeds(kind, views[0], number) for kind in DECENTRING})


def _seeds(kind: str, blend: Blend, number: int) -> Seeds:
    """As the option `decentring` would have them, each kind on the same pixels."""
    observation, survey = blend.observation, surveys()[0]
    rng = np.random.default_rng([SEED, number, 1])
    arrays = (np.asarray(each, float) for each in (observation.image, observation.weight))
    return draw_seeds(kind, blend.positions, *arrays, psfs=survey_psfs(survey), survey=survey, rng=rng)
