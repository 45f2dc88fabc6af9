"""Training of the coupling of a population: galaxies whose morphology goes with their magnitude, size and colours."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flowjax.bijections import AbstractBijection, Chain
from jaxtyping import Array, Float

from jaxblend.io.surveys import get_survey
from jaxblend.nets.autoencoder import Autoencoder
from jaxblend.nets.galaxy import NeuralGalaxy
from jaxblend.priors import Population, population_prior
from jaxblend.priors.coupling import Coupling, coordinates
from jaxblend.simulation.morphology.pieces import draw_structure
from jaxblend.simulation.population import draw_galaxies
from jaxblend.train.views import conditions, noisy_image, view_of

__all__ = ["coupled_galaxies", "coupling_loss"]

_SURVEY, _BANDS, _MIDDLE = "LSST", "ugrizy", "i"  # colours are learned as their principal components
_TOGETHER = 32


def coupled_galaxies(
    model: Autoencoder, flow: AbstractBijection, names: tuple[str, ...], key, *, side: int, n: int
) -> Float[Array, "n D"]:
    """What a `Coupling` of these names is trained on, in its units, of n galaxies.

    The morphology is drawn and encoded as for the flow. The share of its old component is that of the bulge for which
    `draw_galaxies` draws size, ellipticity and colours; magnitudes are as broad as in the population, so that there is
    no limit where a catalogue ends.
    """
    population = Population()
    galaxy = NeuralGalaxy(model.decoder, flow, model.decoder.latent)
    z, share = _encoded(model, key, side, n)
    vectors = np.concatenate([np.zeros((n, 2)), *_described(key, z, share, population)], axis=1)
    bands = tuple(_BANDS)
    prior = population_prior(galaxy, bands, zero_point=np.zeros(len(bands)), position_scatter=1.0)
    covariances = population.magnitude_covariance(bands), population.logit_covariance(len(bands))
    where, rotations = coordinates(galaxy, bands, covariances, prior.names)
    turn = Chain(rotations)
    u = jax.jit(jax.vmap(lambda vector: turn.inverse(prior.whitened(vector))))(jnp.asarray(vectors, float))
    return u[:, np.array([where[name] for name in names])]


def coupling_loss(coupling: Coupling, key, *, galaxies: Float[Array, "n D"], batch_size: int):
    """Nats of a galaxy; beside it those of the population without the coupling."""
    picked = galaxies[jax.random.randint(key, (batch_size,), 0, len(galaxies))]
    u, log_det = jax.vmap(coupling.flow.inverse_and_log_det)(picked)
    constant = 0.5 * picked.shape[1] * np.log(2 * np.pi)
    without = 0.5 * jnp.sum(picked**2, axis=1).mean() + constant
    return jnp.mean(0.5 * jnp.sum(u**2, axis=1) - log_det) + constant, {"without": without}


def _encoded(model: Autoencoder, key, side: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Latent vectors (n, L), as the encoder draws them of random views, and old shares (n,) of galaxies."""

    @jax.jit
    def batch(key):
        which, how, draws = jax.random.split(key, 3)
        galaxies = jax.vmap(draw_structure)(jax.random.split(which, _TOGETHER))
        views = jax.vmap(partial(view_of, side=side))(galaxies, jax.random.split(how, (_TOGETHER, 4)))
        mean, scale, _ = model.encode(noisy_image(views), conditions(views))
        return mean + scale * jax.random.normal(draws, mean.shape), galaxies.old_share

    parts = [batch(jax.random.fold_in(key, i)) for i in range(-(-n // _TOGETHER))]
    z, share = (np.concatenate([np.asarray(part) for part in both])[:n] for both in zip(*parts, strict=True))
    return z, share.astype(float)


def _described(key, z, share, population: Population):
    """Log fluxes, shape and logits of the old share, per band, of galaxies with such shares."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    mean = population.magnitude + population.mean_colours((_MIDDLE,))[0]
    magnitude = rng.normal(mean, population.magnitude_scatter, len(share))
    sky = draw_galaxies(rng, magnitude, share, get_survey(_SURVEY, _BANDS))
    radius = share * sky.bulge_radius + (1 - share) * sky.disk_radius
    old = np.clip(sky.bulge_fraction, 1e-6, 1 - 1e-6)
    return -0.4 * np.log(10) * sky.magnitude, np.log(radius)[:, None], sky.disk_g, z, np.log(old) - np.log1p(-old)
