"""Bijections of flowjax as transforms of NumPyro."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpyro.distributions as dist
from flowjax.bijections import AbstractBijection
from numpyro.distributions import constraints
from numpyro.distributions.transforms import Transform, biject_to

__all__ = ["pushed"]


class _Push(Transform):
    """A bijection of flowjax, whose range, which may be bounded, is the support."""

    def __init__(self, bijection: AbstractBijection):
        # Numbers that are no arrays would not stack.
        self.arrays, self.static = eqx.partition(bijection, eqx.is_array)

    domain = property(lambda self: constraints.real if self._dim == 0 else constraints.real_vector)
    codomain = property(lambda self: _Range(self))
    _dim = property(lambda self: len(self.static.shape))

    def __call__(self, x):
        return self.call_with_intermediates(x)[0]

    def call_with_intermediates(self, x):
        return self._vectorized("transform_and_log_det")(x)

    def _inverse(self, y):
        return self._vectorized("inverse_and_log_det")(y)[0]

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        return self.call_with_intermediates(x)[1] if intermediates is None else intermediates

    def _vectorized(self, method: str) -> Callable:
        function = getattr(eqx.combine(self.arrays, self.static), method)
        return jnp.vectorize(function, signature=("()->(),()", "(n)->(n),()")[self._dim])

    def tree_flatten(self):
        return (self.arrays,), (("arrays",), {"static": self.static})


class _Range(constraints.Constraint):
    """Where the inverse of a bijection is finite."""

    def __init__(self, push: _Push):
        self.push, self.event_dim = push, push._dim

    def __call__(self, x):
        finite = jnp.isfinite(self.push._inverse(x))
        return finite.all(-1) if self.event_dim else finite

    def feasible_like(self, prototype):
        return self.push(jnp.zeros_like(prototype))

    def tree_flatten(self):
        return (self.push,), (("push",), {"event_dim": self.event_dim})


@biject_to.register(_Range)
def _push_of(constraint: _Range) -> _Push:
    return constraint.push


def pushed(normal, bijection: AbstractBijection) -> dist.TransformedDistribution:
    """The push-forward of a distribution by a bijection."""
    return dist.TransformedDistribution(normal, _Push(bijection))
