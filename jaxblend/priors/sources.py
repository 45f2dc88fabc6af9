"""Physical vectors, as a prior makes them, as sources that the renderer draws."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxblend.forward.galaxies import AbstractGalaxy, GalaxyOrStar
from jaxblend.forward.mix import source_axes
from jaxblend.forward.scene import Sources

__all__ = ["sources_of", "unpack"]


def sources_of(
    vectors: Float[Array, "K D"],
    seeds: Float[Any, "K 2"],
    present: Bool[Any, " K"],
    is_star: Bool[Any, " K"],
    *,
    model: AbstractGalaxy,
    n_bands: int,
) -> Sources:
    """Make the renderer's sources of the physical vectors of K slots; seeds in arcsec on the tangent plane."""

    def one(vector, seed, present, is_star, model):
        offset, flux, shape = unpack(vector, model, n_bands)
        return Sources(seed + offset, shape, flux, present, GalaxyOrStar(model, is_star))

    return jax.vmap(one, in_axes=(0, 0, 0, 0, source_axes(model)))(vectors, seeds, present, is_star, model)


def unpack(vector: Float[Array, " D"], model: AbstractGalaxy, n_bands: int):
    """Position offset (2,), flux (components, C) and shape (n,) of a physical vector."""
    log_flux, shape, logits = jnp.split(vector[2:], [n_bands, n_bands + len(model.shape_names)])
    logits = jnp.pad(logits.reshape(-1, n_bands), ((0, 1), (0, 0)))
    return vector[:2], jnp.exp(log_flux) * jax.nn.softmax(logits, axis=0), shape
