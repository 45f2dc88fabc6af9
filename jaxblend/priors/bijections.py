"""Elementary bijections from unbounded to physical parameters that flowjax lacks."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from flowjax.bijections import AbstractBijection

__all__ = ["DiskRadius", "Ellipticity", "Interval", "Rotation"]


class Ellipticity(AbstractBijection):
    """The plane onto the disk of reduced shears: ``g = limit * v / sqrt(1 + |v|^2)``."""

    limit: float
    shape: ClassVar[tuple[int, ...]] = (2,)
    cond_shape: ClassVar[None] = None

    def transform_and_log_det(self, x, condition=None):
        """Reduced shear of a point of the plane."""
        norm = 1 + jnp.sum(x**2)
        return self.limit * x * jax.lax.rsqrt(norm), 2 * jnp.log(self.limit) - 2 * jnp.log(norm)

    def inverse_and_log_det(self, y, condition=None):
        """Point of the plane of a reduced shear."""
        w = y / self.limit
        norm = 1 / (1 - jnp.sum(w**2))
        return w * jnp.sqrt(norm), -2 * jnp.log(self.limit) + 2 * jnp.log(norm)


class Interval(AbstractBijection):
    """The line onto an interval, by the logistic function."""

    low: float
    high: float
    shape: ClassVar[tuple[int, ...]] = ()
    cond_shape: ClassVar[None] = None

    def transform_and_log_det(self, x: Any, condition=None):
        """Point of the interval."""
        log_det = jnp.log(self.high - self.low) + jax.nn.log_sigmoid(x) + jax.nn.log_sigmoid(-x)
        return self.low + (self.high - self.low) * jax.nn.sigmoid(x), log_det

    def inverse_and_log_det(self, y, condition=None):
        """Point of the line."""
        p = (y - self.low) / (self.high - self.low)
        x = jnp.log(p) - jnp.log1p(-p)
        log_det = jnp.log(self.high - self.low) + jax.nn.log_sigmoid(x) + jax.nn.log_sigmoid(-x)
        return x, -log_det


class Rotation(AbstractBijection):
    """``matrix @ x`` of an orthogonal matrix."""

    matrix: Any
    shape: tuple[int, ...] = eqx.field(static=True)
    cond_shape: ClassVar[None] = None

    def __init__(self, matrix):
        self.matrix, self.shape = matrix, (len(matrix),)

    def transform_and_log_det(self, x: Any, condition=None):
        """Turned."""
        return self.matrix @ x, jnp.zeros((), x.dtype)

    def inverse_and_log_det(self, y: Any, condition=None):
        """Turned back."""
        return self.matrix.T @ y, jnp.zeros((), y.dtype)


class DiskRadius(AbstractBijection):
    """The log radius that holds half of a galaxy's light to that of its disk, which is larger if it has a bulge.

    Entries are this radius, the log ratio of the bulge's radius to the disk's, and the logits of the bulge's share in
    each band. The radius of the whole is taken to be the mean of both, weighted by their light.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    cond_shape: ClassVar[None] = None

    def __init__(self, size: int):
        self.shape = (size,)

    def transform_and_log_det(self, x: Any, condition=None):
        """Of the whole to the disk."""
        return x.at[0].add(-self._smaller(x)), jnp.zeros((), x.dtype)

    def inverse_and_log_det(self, y: Any, condition=None):
        """Of the disk to the whole."""
        return y.at[0].add(self._smaller(y)), jnp.zeros((), y.dtype)

    @staticmethod
    def _smaller(x):
        share = jax.nn.sigmoid(jnp.mean(x[2:]))
        return jnp.log1p(share * jnp.expm1(x[1]))
