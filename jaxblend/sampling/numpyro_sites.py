"""The sites of a NumPyro model: the default prior, one distribution at a time, and what users put in its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.tree_util import Partial
from jaxtyping import Float

from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.forward.mix import latent_vectors
from jaxblend.priors import Population
from jaxblend.priors.bijections import Ellipticity, Interval
from jaxblend.priors.prior import BOUNDS, RADIUS_AT, SHEAR_LIMIT, shape_prior
from jaxblend.sampling.pushed import pushed

__all__ = [
    "checked_sites",
    "flux_sites",
    "latent_site",
    "latent_sites",
    "layout_of",
    "of_event",
    "shape_site",
    "without_arrays",
]

_TO_LOG = -np.log(10) / 2.5  # from magnitude to log flux


def layout_of(model: AbstractGalaxy, n_bands: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Sites in the order of the physical vector."""
    latent = latent_sites(model)
    first = {names[0]: (site, (len(names),)) for site, (names, _) in latent.items()}
    rest = {"g2"}.union(*(names[1:] for names, _ in latent.values()))
    own = {"g1": ("g", (2,))} | first
    shape = [own.get(name, (name, ())) for name in model.shape_names if name not in rest]
    several = model.n_components > 2
    logits = [(f"logit_fraction{j if several else ''}", (n_bands,)) for j in range(model.n_components - 1)]
    return (("offset", (2,)), ("log_flux", (n_bands,)), *shape, *logits)


def latent_sites(model: AbstractGalaxy) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Site of every latent vector, with what `latent_vectors` says of it."""
    vectors = latent_vectors(model)
    return {"latent" if len(vectors) == 1 else f"latent_{i}": vector for i, vector in enumerate(vectors)}


def latent_site(names: Sequence[str], bijection) -> dist.Distribution:
    """The distribution of a latent vector."""
    normal = dist.Normal(jnp.zeros(len(names)), 1.0).to_event(1)
    return normal if bijection is None else pushed(normal, bijection)


def flux_sites(p: Population, layout, bands: Sequence[str], zero_points) -> dict[str, Any]:
    """The sites with bands, as in ``population_prior``, but for populations of arrays of JAX, too."""
    n = len(bands)
    colours = dataclasses.replace(without_arrays(p), magnitude_scatter=0.0).magnitude_covariance(bands)
    magnitudes = _root(p.magnitude_scatter**2 * np.ones((n, n)) + colours)
    log_flux = _TO_LOG * (p.magnitude + p.mean_colours(bands) - zero_points)
    logits = _root(p.bulge_logit_scatter**2 * np.ones((n, n)) + p.bulge_colour_scatter**2 * np.eye(n))
    fractions = dist.MultivariateNormal(jnp.full(n, p.bulge_logit, float), scale_tril=logits)
    sites = {name: fractions for name, _ in layout if name.startswith("logit_fraction")}
    return sites | {"log_flux": dist.MultivariateNormal(jnp.asarray(log_flux, float), scale_tril=-_TO_LOG * magnitudes)}


def shape_site(p: Population, name: str, flux: dict[str, Any]) -> dist.Distribution | _RadiusOfFlux:
    """The site of a shape parameter, or of both components of g."""
    if name == "g":
        normal = dist.Normal(jnp.zeros(2), jnp.asarray(p.ellipticity_scatter, float)).to_event(1)
        return pushed(normal, Ellipticity(SHEAR_LIMIT))
    shape_prior(without_arrays(p), name)  # has a message where there is none
    field = f"{name}_logit" if name in BOUNDS else name
    loc, scale = (jnp.asarray(getattr(p, each), float) for each in (field, f"{field}_scatter"))
    if name == "log_radius":
        loc = loc + p.log_radius_slope * (p.magnitude - RADIUS_AT)
        return _RadiusOfFlux(loc, scale, jnp.asarray(p.log_radius_slope / _TO_LOG, float), flux["log_flux"].loc[0])
    normal = dist.Normal(loc, scale)
    return pushed(normal, Interval(*BOUNDS[name])) if name in BOUNDS else normal


class _RadiusOfFlux(eqx.Module):
    """The log radius given the first band's log flux."""

    loc: Float[Any, ""]
    scale: Float[Any, ""]
    slope: Float[Any, ""]
    at: Float[Any, ""]

    def __call__(self, values: Mapping[str, Any]) -> dist.Distribution:
        return dist.Normal(self.loc + self.slope * (values["log_flux"][..., 0] - self.at), self.scale)


def _root(covariance):
    """Cholesky factor; in double precision where it holds plain numbers, as that of the prior of ``fit``."""
    linalg = np.linalg if isinstance(covariance, np.ndarray) else jnp.linalg
    return jnp.asarray(linalg.cholesky(covariance), float)


def without_arrays(population):
    """With the defaults in place of arrays of JAX, which may be traced, so that no check can look into them."""
    if not isinstance(population, Population):
        return population
    values = {f.name: getattr(population, f.name) for f in dataclasses.fields(population)}
    arrays = {name: value for name, value in values.items() if isinstance(value, jax.Array)}
    for name in {"colour_scatter", "unknown_colour_scatter"} & set(arrays):
        raise ValueError(f"population.{name} must be a plain number, got an array of JAX")
    for name, value in arrays.items():
        if value.shape != ():
            raise ValueError(f"population.{name} must be one number, got an array of shape {value.shape}")
    return dataclasses.replace(population, **{name: getattr(Population, name) for name in arrays})


def checked_sites(sites, events: dict[str, tuple[int, ...]], n: int) -> dict[str, Any]:
    """Distributions that replace those of the prior; raises ``ValueError`` for a name or shape that is none of its."""
    if not isinstance(sites, Mapping):
        raise ValueError(f"sites must be a dictionary of names and distributions, got {type(sites).__name__}")
    if unknown := [name for name in sites if name not in events]:
        raise ValueError(f"sites {unknown} are not in this model, whose sites are {list(events)}")
    return {name: _checked_site(name, prior, events[name], n) for name, prior in sites.items()}


def _checked_site(name, prior, event, n):
    if isinstance(prior, type) or not callable(prior):  # a distribution of NumPyro is callable, too
        raise ValueError(
            f"sites[{name!r}] must be a distribution of NumPyro or a function that makes one, got {prior!r}"
        )
    if not isinstance(prior, dist.Distribution):
        # As a static part of the pytree a function needs no array; a module is a pytree already.
        return prior if isinstance(prior, eqx.Module) else Partial(prior)
    prior = of_event(name, prior, event)
    if prior.batch_shape not in ((), (1,), (n,)):
        raise ValueError(f"sites[{name!r}] has batch shape {prior.batch_shape}: give () or ({n},), one per source")
    return prior


def of_event(name: str, prior, event: tuple[int, ...]) -> dist.Distribution:
    """With the event shape of the site: independent entries come as batch axes, one number serves all."""
    missing = len(event) - prior.event_dim
    try:
        if missing > 0:
            prior = prior.expand(np.broadcast_shapes(prior.batch_shape, event)).to_event(missing)
    except ValueError:
        missing = -1
    if missing < 0 or prior.event_shape != event:
        raise ValueError(
            f"sites[{name!r}] has batch shape {prior.batch_shape} and event shape {prior.event_shape}: one source has "
            f"{event or 'one number'}"
        )
    return prior
