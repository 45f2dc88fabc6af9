"""Normal distributions of a source's ``u``, as encoders give them."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

__all__ = ["Normal"]

_STEEPEST = 9.0  # ln of the largest entry on the diagonal


class Normal(NamedTuple):
    """``narrow @ (u - mean)`` is N(0, 1), with a lower triangular ``narrow`` of positive diagonal."""

    mean: Float[Array, "*B D"]
    narrow: Float[Array, "*B D D"]

    @classmethod
    def of(cls, numbers: Float[Array, "B n"], size: int) -> Normal:
        """From any D + D (D + 1) / 2 numbers; N(0, 1) from zeros."""
        mean, log_diagonal, below = jnp.split(numbers, [size, 2 * size], axis=1)
        diagonal = jnp.exp(jnp.clip(log_diagonal, -_STEEPEST, _STEEPEST))
        rows, columns = np.tril_indices(size, -1)
        unit = jnp.broadcast_to(jnp.eye(size, dtype=numbers.dtype), (len(numbers), size, size))
        return cls(mean, diagonal[:, :, None] * unit.at[:, rows, columns].set(below))

    @staticmethod
    def numbers(size: int) -> int:
        """That it takes to describe one."""
        return size + size * (size + 1) // 2

    def about(self, other: Normal) -> Normal:
        """That of u if this one is of ``other.narrow @ (u - other.mean)``."""
        mean = jax.scipy.linalg.solve_triangular(other.narrow, self.mean[..., None], lower=True)[..., 0]
        return Normal(other.mean + mean, self.narrow @ other.narrow)

    def errors(self) -> Float[Array, "*B D"]:
        """Standard deviations."""
        unit = jnp.broadcast_to(jnp.eye(self.mean.shape[-1], dtype=self.mean.dtype), self.narrow.shape)
        wide = jax.scipy.linalg.solve_triangular(self.narrow, unit, lower=True)
        return jnp.sqrt(jnp.sum(wide**2, axis=-1))

    def negative_log_density(self, u: Float[Array, "*B D"]) -> Float[Array, "*B"]:
        """In nats."""
        z = jnp.einsum("...ij,...j->...i", self.narrow, u - self.mean)
        log_det = jnp.sum(jnp.log(jnp.diagonal(self.narrow, axis1=-2, axis2=-1)), -1)
        return 0.5 * jnp.sum(z**2, -1) - log_det + 0.5 * u.shape[-1] * np.log(2 * np.pi)
