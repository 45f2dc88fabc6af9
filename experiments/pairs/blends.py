"""Pairs of galaxies of less than two magnitudes' difference, one in the middle, in Euclid's visible band."""

import functools

import jax
import numpy as np

import jaxblend as jb
from jaxblend.simulation.blend import Blend
from jaxblend.simulation.layouts import Pair
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.survey import Survey

SEED = 20261127
SURVEY, BAND = "Euclid_VIS", "IE"
SIDE = 80  # pixels of 0.1"
PAIR = Pair(separation=(0.3, 2.5), magnitude_difference=(-2.0, 2.0))
SELECTION = Selection(max_magnitude=23.0, magnitude_band=BAND, min_snr=10.0, snr_band=BAND)
POOL, FAINTEST = 1000, 24.0  # galaxies that a pair is chosen from, and their i: some are brighter in Euclid's band
NOISE, VARIANCE = "poisson", "model"  # weights hold the variance of sky and sources, as a survey's variance map does
MATCHED_WITHIN = 0.3  # arcsec, three pixels: centres of merged or lopsided detections are off
DECENTRING = "pixel"  # the centres that are given are within a pixel of the true ones


@functools.cache
def survey() -> Survey:
    return jb.get_survey(SURVEY)


def draw_blend(number: int) -> Blend:
    """Blend ``number``: the same whatever else is drawn."""
    rng = np.random.default_rng([SEED, number])
    return jb.simulate(
        survey(),
        key=jax.random.fold_in(jax.random.key(SEED), number),
        catalog=draw_population(rng, POOL, survey(), max_magnitude=FAINTEST, star_fraction=0.0),
        layout=PAIR,
        selection=SELECTION,
        stamp_size=SIDE,
        noise=NOISE,
        variance=VARIANCE,
        decentring=DECENTRING,
    )
