"""Division by a truth that may be nothing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["over_truth"]


@jax.jit
def over_truth(difference: Float[Array, "..."], truth: Float[Array, "..."]) -> Float[Array, "..."]:
    """Divide by a true flux or size; over one of 0 or less, 0 stays 0 and the rest is infinite with its sign."""
    unbounded = jnp.where(difference > 0, jnp.inf, jnp.where(difference < 0, -jnp.inf, difference))
    share = difference / jnp.where(truth > 0, truth, 1.0)
    return jnp.where(truth > 0, share, jnp.where(truth <= 0, unbounded, jnp.nan))
