"""Training of the coupling of a population: galaxies whose morphology goes with their magnitude, size and colours."""

from __future__ import annotations

import dataclasses
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblend.io.surveys import get_survey
from jaxblend.nets.autoencoder import Autoencoder
from jaxblend.nets.galaxy import NeuralGalaxy
from jaxblend.priors import Population, population_prior
from jaxblend.priors.coupling import Coupling, coordinates
from jaxblend.simulation.morphology.pieces import draw_structure
from jaxblend.simulation.population import draw_galaxies
from jaxblend.train.latents import in_portions
from jaxblend.train.views import conditions, noisy_image, view_of

__all__ = ["BANDS", "BROAD", "coupled_galaxies", "coupling_loss", "gain", "with_broad"]

# Colours are principal components of what bands there are: each set has its share of the galaxies.
BANDS = (
    (("LSST", "ugrizy"),),
    (("LSST", "grizy"),),
    (("LSST", "gri"),),
    (("Euclid_VIS", None), ("Euclid_NISP", None)),
)
_MIDDLE = "i"  # of the magnitudes that are drawn
#: Share of galaxies to train on that follow none of the relations, but those of the population without a coupling.
BROAD = 0.25


def coupled_galaxies(
    model: Autoencoder, galaxy: NeuralGalaxy, names: tuple[str, ...], key, *, side: int, n: int
) -> Float[Array, "n D"]:
    """What a `Coupling` of these names is trained on, in its units, of n galaxies.

    Morphologies are drawn and encoded as the drawn ones for the flow. The share of the old component is that of the
    bulge for which `draw_galaxies` draws size, ellipticity and colours; magnitudes are as broad as in the population,
    so that there is no limit where a catalogue ends.

    Parameters
    ----------
    model
        Whose encoder sees the galaxies.
    galaxy
        The galaxy model of its decoder and flow.
    names
        `Coupling.names`.
    key
        Of all that is random.
    side, n
        Pixels of an image, and how many galaxies.
    """
    z, share = _encoded(model, key, side, n)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    parts = np.array_split(np.arange(n), len(BANDS))
    whitened = partial(_whitened, galaxy, names, rng)
    found = [whitened(bands, z[rows], share[rows]) for bands, rows in zip(BANDS, parts, strict=True)]
    return jnp.asarray(np.concatenate(found)[rng.permutation(n)], float)


def with_broad(galaxies: Float[Array, "n D"], key) -> Float[Array, "m D"]:
    """Galaxies, and so many from the population without a coupling that they are `BROAD` of all.

    Galaxies elsewhere need not follow the relations of those that are drawn here. A density that has learned both is
    nowhere much below the broad one, so that little is lost where the relations are wrong.
    """
    n = round(len(galaxies) * BROAD / (1 - BROAD))
    where, order = jax.random.split(key)
    both = jnp.concatenate([galaxies, jax.random.normal(where, (n, galaxies.shape[1]), galaxies.dtype)])
    return jax.random.permutation(order, both)


def coupling_loss(coupling: Coupling, key, *, galaxies: Float[Array, "n D"], batch_size: int):
    """Nats of a galaxy, turned by a random angle; beside it those of the population without the coupling."""
    which, how = jax.random.split(key)
    picked = galaxies[jax.random.randint(which, (batch_size,), 0, len(galaxies))]
    angle = jax.random.uniform(how, (batch_size,), maxval=2 * jnp.pi)
    at = coupling.names.index("g1")
    g1, g2, cosine, sine = picked[:, at], picked[:, at + 1], jnp.cos(angle), jnp.sin(angle)
    picked = picked.at[:, at].set(cosine * g1 - sine * g2).at[:, at + 1].set(sine * g1 + cosine * g2)
    with_it, without = _nats(coupling, picked)
    return jnp.mean(with_it), {"without": jnp.mean(without)}


def gain(coupling: Coupling, galaxies: Float[Array, "n D"]) -> tuple[float, float]:
    """Nats of a galaxy that a coupling gains, and the standard error of this mean."""
    with_it, without = eqx.filter_jit(_nats)(coupling, galaxies)
    better = np.asarray(without - with_it, float)
    return float(better.mean()), float(better.std(ddof=1) / np.sqrt(len(better)))


def _nats(coupling: Coupling, galaxies: Float[Array, "n D"]) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Of each galaxy, with and without the coupling."""
    u, log_det = jax.vmap(coupling.flow.inverse_and_log_det)(galaxies)
    constant = 0.5 * galaxies.shape[1] * np.log(2 * np.pi)
    return 0.5 * jnp.sum(u**2, axis=1) - log_det + constant, 0.5 * jnp.sum(galaxies**2, axis=1) + constant


def _encoded(model: Autoencoder, key, side: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Latent vectors (n, L), as the encoder draws them of random views, and old shares (n,) of galaxies."""

    def batch(key, size):
        which, how, draws = jax.random.split(key, 3)
        galaxies = jax.vmap(draw_structure)(jax.random.split(which, size))
        views = jax.vmap(partial(view_of, side=side))(galaxies, jax.random.split(how, (size, 4)))
        mean, scale, _ = model.encode(noisy_image(views), conditions(views))
        return mean + scale * jax.random.normal(draws, mean.shape), galaxies.old_share

    z, share = in_portions(batch, key, n)
    return z, share.astype(float)


def _whitened(galaxy: NeuralGalaxy, names, rng: np.random.Generator, bands, z, share) -> np.ndarray:
    """Coordinates (n, D) of galaxies of such morphologies, seen in some bands."""
    population = dataclasses.replace(Population(), log_radius_slope=0.0)
    surveys = [get_survey(*of) for of in bands]
    mean = population.magnitude + population.mean_colours((_MIDDLE,))[0]
    magnitude = rng.normal(mean, population.magnitude_scatter, len(share))
    sky = draw_galaxies(rng, magnitude, share, surveys)
    radius = share * sky.bulge_radius + (1 - share) * sky.disk_radius
    old = np.clip(sky.bulge_fraction, 1e-6, 1 - 1e-6)
    log_flux, logits = -0.4 * np.log(10) * sky.magnitude, np.log(old) - np.log1p(-old)
    vectors = np.column_stack([np.zeros((len(z), 2)), log_flux, np.log(radius), sky.disk_g, z, logits])
    n_bands = len(sky.bands)
    prior = population_prior(
        galaxy, sky.bands, zero_point=np.zeros(n_bands), position_scatter=1.0, population=population
    )
    covariances = population.magnitude_covariance(sky.bands), population.logit_covariance(n_bands)
    at = coordinates(galaxy, sky.bands, covariances, prior.names, galaxy.identity)
    u = jax.jit(jax.vmap(lambda vector: at.to_population.inverse(prior.whitened(vector))))(jnp.asarray(vectors, float))
    return np.asarray(u)[:, [at.where[name] for name in names]]
