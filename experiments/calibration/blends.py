"""Blends whose sources come from the prior that they are fitted with, and whose pixels come from GalSim."""

import dataclasses
import functools
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxblend as jb
from experiments.calibration.noise import draw_noise, signal_to_noise
from jaxblend.priors.prior import Prior
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.psf import observation_psf, survey_psfs
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.truth import blendedness

SEED = 20261122
SURVEY, BANDS, PSF = "LSST", "gri", "kolmogorov"
SIDE = 32  # pixels
COUNTS = (2, 3, 4)  # sources, in turn
SPREAD = 1.3  # arcsec: seeds are uniform in a square of twice that side
NEAREST = 0.6  # arcsec between two seeds: peaks closer than three pixels are not told apart
POSITION_SCATTER = 0.2  # arcsec, one pixel
# Such that few sources leave S/N 5 to 200: nothing is selected once it is drawn.
POPULATION = jb.Population(magnitude=24.8, magnitude_scatter=1.0)
FIT_OPTIONS = {"population": POPULATION, "position_scatter": POSITION_SCATTER}


@dataclasses.dataclass(frozen=True, eq=False)
class TrueBlend:
    """An observation, the pixels (n, 2) where a fit is told to look, and true values (n,) by name (see `scores`).

    ``about`` describes each source: S/N and blendedness as they truly are.
    """

    observation: jb.Observation
    seeds: np.ndarray
    truth: dict[str, np.ndarray]
    about: dict[str, np.ndarray]


@functools.cache
def survey() -> Survey:
    return jb.get_survey(SURVEY, BANDS)


@functools.cache
def prior() -> Prior:
    """The same that `FIT_OPTIONS` give a fit."""
    options = {"zero_point": survey().zero_point, "position_scatter": POSITION_SCATTER, "population": POPULATION}
    return jb.population_prior(jb.BulgeDisk(), survey().bands, **options)


def draw_blend(index: int, correlation: np.ndarray) -> TrueBlend:
    """Blend ``index``, the same whatever else is drawn; the sky is the same whatever the noise."""
    scene, noise = (np.random.default_rng([SEED, index, stream]) for stream in (0, 1))
    seeds = draw_seeds(scene, COUNTS[index % len(COUNTS)], SPREAD, NEAREST)
    vectors = _vectors(scene.normal(size=(len(seeds), prior().size)))
    places = seeds + vectors[:, :2]
    sources = sources_of_vectors(vectors)
    psfs = survey_psfs(survey(), PSF)
    isolated = draw_isolated(sources, to_pixels(places), survey(), psfs=psfs, shape=(SIDE, SIDE))
    sigma = np.sqrt(survey().sky_level)
    image = isolated.sum(0) + draw_noise(noise, sigma, (SIDE, SIDE), correlation)
    r = survey().band_index("r")
    return TrueBlend(
        observation=observed(image, sigma, survey(), PSF),
        seeds=to_pixels(seeds),
        truth=truth_of(
            places, sources.flux(survey()), sources.magnitude, sources.half_light_radius("r"), sources.shape("r")
        ),
        about={
            "snr": signal_to_noise(isolated[:, r], float(sigma[r]), correlation),
            "blendedness": blendedness(isolated[:, r]),
        },
    )


def observed(image: np.ndarray, sigma: np.ndarray, survey: Survey, psf: str) -> jb.Observation:
    """Pixels (B, H, W) and the noise (B,) of their sky, as the survey would give them."""
    return jb.Observation(
        image.astype(np.float32),
        sigma**-2.0,
        observation_psf(survey, psf),
        pixel_scale=survey.pixel_scale,
        bands=survey.bands,
        zero_point=survey.zero_point,
        survey=survey.name,
    )


def draw_seeds(rng: np.random.Generator, n: int, spread: float, nearest: float) -> np.ndarray:
    """(n, 2) arcsec from the middle of the stamp, uniform in a square, no two closer than ``nearest``."""
    while True:
        seeds = rng.uniform(-spread, spread, (n, 2))
        if separation(seeds).min() >= nearest:
            return seeds


def separation(places: np.ndarray) -> np.ndarray:
    """(n,) distance to the nearest neighbour."""
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    return (apart + np.where(np.eye(len(places)), np.inf, 0.0)).min(1)


def to_pixels(places: np.ndarray, *, side: int = SIDE, pixel_scale: float | None = None) -> np.ndarray:
    """Pixel x, y of places in arcsec from the middle of the stamp."""
    return places / (survey().pixel_scale if pixel_scale is None else pixel_scale) + 0.5 * (side - 1)


def sources_of_vectors(vectors: np.ndarray) -> SkySources:
    """What GalSim draws for physical vectors (n, D) of `BulgeDisk`."""
    column = dict(zip(prior().names, vectors.T, strict=True))
    g = np.stack([column["g1"], column["g2"]], 1)
    log_flux = np.stack([column[f"log_flux_{b}"] for b in BANDS], 1)
    logit = np.stack([column[f"logit_fraction0_{b}"] for b in BANDS], 1)
    none = np.zeros(len(vectors))
    return SkySources(
        bands=survey().bands,
        magnitude=survey().zero_point - 2.5 / np.log(10) * log_flux,
        bulge_fraction=1 / (1 + np.exp(-logit)),
        point_fraction=np.zeros_like(logit),
        bulge_radius=np.exp(column["log_radius"] + column["log_ratio"]),
        disk_radius=np.exp(column["log_radius"]),
        bulge_g=column["shear_ratio"][:, None] * g,
        disk_g=g,
        redshift=none + np.nan,
        row=none.astype(int),
    )


def _vectors(u: np.ndarray) -> np.ndarray:
    return np.asarray(_physical(prior(), jnp.asarray(u, jnp.float32)), float)


@eqx.filter_jit
def _physical(prior, u):
    return jax.vmap(prior.physical)(u)


def truth_of(places, flux, magnitude, radius, g) -> dict[str, np.ndarray]:
    """Values (n,) by name, of places and g (n, 2), fluxes and magnitudes (n, C) and radii (n,)."""
    truth = {f"flux_{band}": flux[:, i] for i, band in enumerate(BANDS)}
    colours = -np.diff(magnitude, axis=1)
    truth |= {f"{a}-{b}": colours[:, i] for i, (a, b) in enumerate(pairwise(BANDS))}
    return truth | {
        "radius": radius,
        "g1": g[:, 0],
        "g2": g[:, 1],
        "u": places[:, 0],
        "v": places[:, 1],
    }
