"""Normalizing flows that carry N(0, 1) to the distribution of latent vectors."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
from flowjax.bijections import AbstractBijection, RationalQuadraticSpline
from flowjax.distributions import Normal
from flowjax.flows import coupling_flow

__all__ = ["FlowSize", "make_flow"]


@dataclasses.dataclass(frozen=True)
class FlowSize:
    """Coupling layers of rational quadratic splines (Durkan et al. 2019, NeurIPS 32).

    Attributes
    ----------
    layers
        Coupling layers.
    width
        Units of the hidden layer of each.
    knots
        Of each spline.
    interval
        Within plus and minus which the splines bend; beyond they are the identity.
    """

    layers: int = 6
    width: int = 48
    knots: int = 8
    interval: float = 5.0

    def __post_init__(self):
        for name in ("layers", "width", "knots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.interval < math.inf:
            raise ValueError(f"interval must be a finite number above 0, got {self.interval}")


def make_flow(latent: int, size: FlowSize, key) -> AbstractBijection:
    """An untrained flow of vectors of some length, from N(0, 1); both of its ways take one pass."""
    flow = coupling_flow(
        key,
        base_dist=Normal(jnp.zeros(latent)),
        transformer=RationalQuadraticSpline(knots=size.knots, interval=size.interval),
        flow_layers=size.layers,
        nn_width=size.width,
        nn_activation=jax.nn.silu,
        invert=False,
    )
    return flow.bijection
