"""Draws of a cheap density made draws of the exact one.

As in ``smc``, on a path from one to the other. Hamiltonian trajectories follow the slope of the cheap density and are
accepted by the one on the path: any reversible trajectory may be proposed, so that the exact density is evaluated
once for each, and its slope never.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxblend.infer.each import each
from jaxblend.infer.mixture import LaplaceMixture
from jaxblend.infer.path import FAR, State, moved, step_on
from jaxblend.infer.smc import Swarm

__all__ = ["corrected"]

_ROUNDS = 8
_LEAPS = 4
_SIDE_BY_SIDE = 8


def corrected(
    swarm: Swarm, cheap: Callable, exact: Callable, frames: LaplaceMixture, key, wanted: Bool[Array, ""]
) -> Swarm:
    """Carry draws of ``exp(-cheap(z))`` to ``exp(-exact(z))`` where that is ``wanted``; else they stay as they are.

    The weights of each step are added to those of the swarm; ``reached`` is below 1 if eight steps were not enough.
    """

    def known(z):
        value = exact(z)
        return jnp.where(jnp.isfinite(value), value, FAR)

    def evaluated():
        return each(cheap, swarm.z, _SIDE_BY_SIDE), each(known, swarm.z, _SIDE_BY_SIDE)

    unknown = jnp.zeros(len(swarm.z), swarm.z.dtype)
    near, far = jax.lax.cond(wanted, evaluated, lambda: (unknown, unknown))
    nothing = jnp.full((_ROUNDS, len(swarm.z)), jnp.nan, swarm.z.dtype)
    b = jnp.where(wanted, 0.0, jnp.ones((), swarm.z.dtype))
    begin = State(
        z=swarm.z,
        value=(near, far),
        b=b,
        step=swarm.step,
        rate=jnp.zeros_like(b),
        ancestor=swarm.ancestor,
        number=jnp.asarray(0),
        log_weights=nothing,
        log_evidence=swarm.log_evidence,
    )

    def onward(state):
        choose, move = jax.random.split(jax.random.fold_in(key, state.number))
        state = step_on(state, choose)
        trajectory = functools.partial(_trajectory, b=state.b, cheap=cheap, exact=known)
        return moved(state, trajectory, frames, move, _SIDE_BY_SIDE)

    state = jax.lax.while_loop(lambda s: (s.b < 1) & (s.number < _ROUNDS), onward, begin)
    return Swarm(
        z=state.z,
        ancestor=state.ancestor,
        log_weights=jnp.concatenate([swarm.log_weights, state.log_weights]),
        plain_log_weights=swarm.plain_log_weights,
        log_evidence=state.log_evidence,
        reached=jnp.minimum(swarm.reached, state.b),
        step=state.step,
    )


def _trajectory(here, momentum, frame: Float[Array, "n n"], *, b, cheap: Callable, exact: Callable):
    """Along the cheap density, accepted by that at b."""
    z, (near, far) = here

    def leap(carry, _):
        place, momentum, slope, _ = carry
        momentum = momentum - 0.5 * slope @ frame
        place = place + frame @ momentum
        value, slope = jax.value_and_grad(cheap)(place)
        slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
        return (place, momentum - 0.5 * slope @ frame, slope, value), None

    begin = (z, momentum, jax.grad(cheap)(z), near)
    (there, arrived, _, near_there), _ = jax.lax.scan(leap, begin, length=_LEAPS)
    far_there = exact(there)
    before = (1 - b) * near + b * far + 0.5 * momentum @ momentum
    after = (1 - b) * near_there + b * far_there + 0.5 * arrived @ arrived
    return (there, (near_there, far_there)), before - after
