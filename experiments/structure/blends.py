"""Pairs and triples of galaxies on one sky as LSST or HSC sees it, with noise that leaves a wanted S/N."""

import galsim
import numpy as np

from experiments.calibration.blends import observed, separation, to_pixels
from experiments.structure.galaxies import BAND, SEED, SURVEYS, Galaxies, draw_galaxies, survey_of
from jaxblend.simulation.blend import Blend
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.truth import blendedness, signal_to_noise, truth_table

PSF = "kolmogorov"
SIDE = 64  # pixels
COUNTS = (2, 3)  # galaxies, in turn
SNRS = (20.0, 50.0, 200.0)  # of the galaxy in the middle, in r, in turn
CASES = len(COUNTS) * len(SNRS)
DISTANCES = (1.0, 2.5)  # arcsec of the others from it
NEAREST = 1.0  # arcsec between any two
DITHER = 0.1  # arcsec: the middle of the stamp is within so much of the first galaxy, along each axis


def draw_blend(number: int, *, kind: str, survey: str, cosmos: str | None = None) -> Blend:
    """Blend ``number`` of a set of galaxies in a survey: the same whatever else is drawn."""
    snr, n = SNRS[number // len(COUNTS) % len(SNRS)], COUNTS[number % len(COUNTS)]
    here, rng = survey_of(survey), np.random.default_rng([SEED, SURVEYS.index(survey), number, 1])
    band = here.band_index(BAND)
    galaxies = draw_galaxies(kind, number, n, survey, cosmos)
    places = to_pixels(draw_places(rng, n), side=SIDE, pixel_scale=here.pixel_scale)
    isolated = drawn_apart(galaxies, places, here)
    positions = np.stack([_centre(*pair) for pair in zip(isolated[:, band], places, strict=True)])
    sigma = np.sqrt(here.sky_level) * signal_to_noise(isolated[0, band], here.sky_level[band]) / snr
    image = isolated.sum(0) + sigma[:, None, None] * rng.normal(size=isolated.shape[1:])
    truth = truth_table(
        galaxies.sources,
        positions,
        here,
        snr=signal_to_noise(isolated[:, band], sigma[band] ** 2),
        blended=blendedness(isolated[:, band]),
        about={"central_snr": snr},
    )
    truth["structure"] = galaxies.structure
    return Blend(
        observation=observed(image, sigma, here, PSF),
        truth=truth,
        isolated=isolated.astype(np.float32),
        positions=positions,
        sources=galaxies.sources,
        offsets=(positions - 0.5 * (SIDE - 1)) * here.pixel_scale,
        seeds=positions + rng.uniform(-0.5, 0.5, positions.shape),
    )


def drawn_apart(galaxies: Galaxies, places: np.ndarray, survey: Survey, side: int = SIDE) -> np.ndarray:
    """Each galaxy alone (n, C, H, W), without noise."""
    n, each = len(places), len(galaxies.parts) // len(places)
    psfs = survey_psfs(survey, PSF)
    parts = draw_isolated(galaxies.parts, places.repeat(each, axis=0), survey, psfs=psfs, shape=(side, side))
    return parts.reshape(n, each, *parts.shape[1:]).sum(1)


def draw_places(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n, 2) arcsec from the middle of the stamp."""
    while True:
        angle, distance = rng.uniform(0.0, 2 * np.pi, n - 1), rng.uniform(*DISTANCES, n - 1)
        others = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        places = np.concatenate([np.zeros((1, 2)), others])
        if separation(places).min() >= NEAREST:
            return places + rng.uniform(-DITHER, DITHER, 2)


def _centre(alone: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Centroid by adaptive moments, which noise of HST's images does not pull about; the place where there are none."""
    image = galsim.Image(alone, xmin=0, ymin=0, scale=1.0)
    found = galsim.hsm.FindAdaptiveMom(image, guess_centroid=galsim.PositionD(*map(float, place)), strict=False)
    centre = np.array([found.moments_centroid.x, found.moments_centroid.y])
    return place if found.moments_status else centre
