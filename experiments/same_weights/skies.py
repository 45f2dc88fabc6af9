"""Pairs of galaxies with structure on one sky, as LSST, HSC and Euclid VIS see it, drawn by GalSim."""

import dataclasses
import functools

import jax
import numpy as np

import jaxblend as jb
from experiments.calibration.blends import observed, to_pixels
from experiments.structure.blends import PSF, draw_places, drawn_apart
from experiments.structure.galaxies import HELD_OUT, Galaxies, smooth_galaxies, structured_galaxies
from jaxblend.simulation.survey import Survey

SEED = 20261130
SURVEYS = {"LSST": "gri", "HSC": "gri", "Euclid_VIS": None}  # with their bands, or all
BAND = {"LSST": "r", "HSC": "r", "Euclid_VIS": "IE"}  # in which errors are measured
SIDES = {"LSST": 48, "HSC": 58, "Euclid_VIS": 96}  # pixels: 9.6 arcsec each
MAGNITUDES = (21.0, 23.0)  # in r, of the first galaxy
PAIR = 2


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """One survey's image, the galaxies alone (n, C, H, W) without noise, and their fluxes (n, C)."""

    observation: jb.Observation
    isolated: np.ndarray
    flux: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Sky:
    """A view for each survey, true places and what fits are told (n, 2), arcsec from the middle of the stamps."""

    views: dict[str, View]
    places: np.ndarray
    seeds: np.ndarray


@functools.cache
def surveys() -> dict[str, Survey]:
    return {name: jb.get_survey(name, bands) for name, bands in SURVEYS.items()}


def draw_sky(number: int) -> Sky:
    """Sky ``number``: the same whatever else is drawn."""
    rng = np.random.default_rng([SEED, number])
    smooth = smooth_galaxies(rng, PAIR, tuple(surveys().values()), MAGNITUDES)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(SEED), HELD_OUT), number)
    galaxies, places = structured_galaxies(smooth, key), draw_places(rng, PAIR)
    views = {name: _view(galaxies, places, survey, rng) for name, survey in surveys().items()}
    return Sky(views, places, places + rng.uniform(-0.1, 0.1, places.shape))


def pixels_of(places: np.ndarray, name: str) -> np.ndarray:
    """Of a survey's image."""
    return to_pixels(places, side=SIDES[name], pixel_scale=surveys()[name].pixel_scale)


def _view(galaxies: Galaxies, places: np.ndarray, survey: Survey, rng: np.random.Generator) -> View:
    side = SIDES[survey.name]
    isolated = drawn_apart(galaxies, pixels_of(places, survey.name), survey, side)
    sigma = np.sqrt(survey.sky_level)
    image = isolated.sum(0) + sigma[:, None, None] * rng.normal(size=isolated.shape[1:])
    return View(observed(image, sigma, survey, PSF), isolated, galaxies.sources.flux(survey))
