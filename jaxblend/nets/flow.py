"""Normalizing flows that carry N(0, 1) to distributions of galaxies."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
from flowjax.bijections import AbstractBijection, MaskedAutoregressive, RationalQuadraticSpline
from flowjax.distributions import Normal
from flowjax.flows import coupling_flow

from jaxblend.priors.coupling import OWN_NAMES, Coupling

__all__ = ["CouplingSize", "FlowSize", "make_coupling", "make_flow"]


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
        _check(self, ("layers", "width", "knots"))


@dataclasses.dataclass(frozen=True)
class CouplingSize:
    """A triangular map of rational quadratic splines, each of which a masked network makes of the entries before it.

    Attributes
    ----------
    width, depth
        Units of its hidden layers, and how many there are.
    knots, interval
        As of `FlowSize`; colours of galaxies whose light is absorbed reach far.
    """

    width: int = 64
    depth: int = 1
    knots: int = 8
    interval: float = 8.0

    def __post_init__(self):
        _check(self, ("width", "depth", "knots"))


def _check(size: FlowSize | CouplingSize, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(size, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(size, name)}")
    if not 0 < size.interval < math.inf:
        raise ValueError(f"interval must be a finite number above 0, got {size.interval}")


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


def make_coupling(latent: int, size: CouplingSize, key) -> Coupling:
    """An untrained coupling of a population and latent vectors of some length."""
    names = (*OWN_NAMES, *(f"z{i}" for i in range(latent)))
    flow = MaskedAutoregressive(
        key,
        transformer=RationalQuadraticSpline(knots=size.knots, interval=size.interval),
        dim=len(names),
        nn_width=size.width,
        nn_depth=size.depth,
        nn_activation=jax.nn.silu,
    )
    return Coupling(flow, names)
