"""Blends of galaxies drawn from the learned prior that they are fitted with; GalSim draws their Gaussians."""

import functools

import equinox as eqx
import galsim
import jax
import jax.numpy as jnp
import numpy as np

import jaxblend as jb
from experiments.calibration.blends import TrueBlend, draw_seeds, observed, to_pixels, truth_of
from experiments.calibration.noise import draw_noise, signal_to_noise, white
from jaxblend.forward.splats import Splats
from jaxblend.priors.prior import Prior
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.profiles import galsim_sources
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.truth import blendedness

SEED = 20261129
SURVEY, BANDS, BAND, PSF = "LSST", "gri", "r", "kolmogorov"
SIDE = 32  # pixels
COUNTS = (1, 2)  # galaxies, in turn
SPREAD = 1.3  # arcsec: seeds are uniform in a square of twice that side
NEAREST = 0.8  # arcsec between two seeds
POSITION_SCATTER = 0.2  # arcsec, one pixel
POPULATION = jb.Population(magnitude=23.5, magnitude_scatter=1.0)  # most leave S/N 10 to 200: structure can be seen


@functools.cache
def survey() -> Survey:
    return jb.get_survey(SURVEY, BANDS)


@functools.cache
def galaxy(weights: str) -> jb.NeuralGalaxy:
    return jb.NeuralGalaxy.load(weights)


@functools.cache
def prior(weights: str) -> Prior:
    """The same that `fit_options` give a fit."""
    options = {"zero_point": survey().zero_point, "position_scatter": POSITION_SCATTER, "population": POPULATION}
    return jb.population_prior(galaxy(weights), survey().bands, **options)


def fit_options(weights: str) -> dict:
    """Of `jb.fit`."""
    return {"model": galaxy(weights), "population": POPULATION, "position_scatter": POSITION_SCATTER}


def draw_blend(index: int, weights: str) -> TrueBlend:
    """Blend ``index``, the same whatever else is drawn."""
    rng, here = np.random.default_rng([SEED, index]), survey()
    n = COUNTS[index % len(COUNTS)]
    seeds = draw_seeds(rng, n, SPREAD, NEAREST)
    vectors, splats, radius = _drawn(galaxy(weights), prior(weights), rng.normal(size=(n, prior(weights).size)))
    column = dict(zip(prior(weights).names, vectors.T, strict=True))
    log_flux, logit = (np.stack([column[name + b] for b in BANDS], 1) for name in ("log_flux_", "logit_fraction0_"))
    flux, old = np.exp(log_flux), 1 / (1 + np.exp(-logit))
    magnitude = here.zero_point - 2.5 * np.log10(flux)
    g, places = np.stack([column["g1"], column["g2"]], 1), seeds + vectors[:, :2]
    profiles = [part for i in range(n) for part in _profiles(splats, i, np.exp(column["log_radius"][i]), g[i])]
    share = np.stack([old, 1 - old], 1).reshape(2 * n, -1)
    parts = galsim_sources(profiles, magnitude.repeat(2, axis=0) - 2.5 * np.log10(share), bands=here.bands)
    drawn = draw_isolated(
        parts, to_pixels(places, side=SIDE).repeat(2, axis=0), here, psfs=survey_psfs(here, PSF), shape=(SIDE, SIDE)
    )
    isolated = drawn.reshape(n, 2, *drawn.shape[1:]).sum(1)
    sigma, r = np.sqrt(here.sky_level), here.band_index(BAND)
    image = isolated.sum(0) + draw_noise(rng, sigma, (SIDE, SIDE), white())
    return TrueBlend(
        observation=observed(image, sigma, here, PSF),
        seeds=to_pixels(seeds, side=SIDE),
        truth=truth_of(places, flux, magnitude, radius, g),
        about={
            "snr": signal_to_noise(isolated[:, r], float(sigma[r]), white()),
            "blendedness": blendedness(isolated[:, r]),
        },
    )


def _drawn(model: jb.NeuralGalaxy, prior: Prior, u: np.ndarray) -> tuple[np.ndarray, Splats, np.ndarray]:
    """Physical vectors, the Gaussians of each galaxy in its own frame, and half-light radii in `BAND`."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, float), _physical(model, prior, jnp.asarray(u, jnp.float32)))


@eqx.filter_jit
def _physical(model, prior, u):
    vectors = jax.vmap(prior.physical)(u)
    first = prior.names.index(model.shape_names[0])
    shape = vectors[:, first : first + len(model.shape_names)]
    old = jax.nn.sigmoid(vectors[:, prior.names.index(f"logit_fraction0_{BAND}")])
    radius = jax.vmap(model.half_light_radius)(shape, jnp.stack([old, 1 - old], 1))
    return vectors, jax.vmap(model.decoder)(shape[:, 3:]), radius


def _profiles(splats: Splats, i: int, radius: float, g: np.ndarray) -> list[galsim.GSObject]:
    """Both components of a galaxy, of unit flux."""
    gaussians = []
    for (first, across, second), (x, y) in zip(splats.root[i], splats.place[i], strict=True):
        one = galsim.Gaussian(sigma=1.0).transform(first, 0.0, across, second).withFlux(1.0)
        gaussians.append(one.shift(x, y))
    parts = [galsim.Sum([each * share for each, share in zip(gaussians, row, strict=True)]) for row in splats.share[i]]
    return [part.dilate(radius).shear(g1=g[0], g2=g[1]) for part in parts]
