"""Elementary bijections from unbounded to physical parameters that flowjax lacks."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from flowjax.bijections import AbstractBijection

__all__ = ["Ellipticity", "Interval", "Rotation"]


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

    def transform_and_log_det(self, x, condition=None):
        """Turned."""
        return self.matrix @ x, jnp.zeros((), x.dtype)

    def inverse_and_log_det(self, y, condition=None):
        """Turned back."""
        return self.matrix.T @ y, jnp.zeros((), y.dtype)
