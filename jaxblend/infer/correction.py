"""Draws of a cheap density made draws of the exact one.

As in ``smc``, on a path from one to the other. Hamiltonian trajectories follow the slope of the cheap density and are
accepted by the one on the path: any reversible trajectory may be proposed, so that the exact density is evaluated
once for each, and its slope never.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxblend.infer.each import each
from jaxblend.infer.smc import Swarm, longest_step, next_step, resampled, spread_of

__all__ = ["corrected"]

_ROUNDS = 8
_LEAPS = 4
_SIDE_BY_SIDE = 8
_FAR = 1e30  # potential where it is not finite


class _State(eqx.Module):
    z: Float[Array, "S n"]
    cheap: Float[Array, " S"]
    exact: Float[Array, " S"]
    ancestor: Int[Array, " S"]
    b: Float[Array, ""]
    step: Float[Array, ""]
    log_weights: Float[Array, "steps S"]
    log_evidence: Float[Array, ""]
    acceptance: Float[Array, ""]


def corrected(swarm: Swarm, cheap: Callable, exact: Callable, key, wanted: Bool[Array, ""]) -> Swarm:
    """Carry draws of ``exp(-cheap(z))`` to ``exp(-exact(z))`` where that is ``wanted``; else they stay as they are.

    The weights of each step are added to those of the swarm; ``reached`` is below 1 if eight steps were not enough.
    """

    def known(z):
        value = exact(z)
        return jnp.where(jnp.isfinite(value), value, _FAR)

    def evaluated():
        return each(cheap, swarm.z, _SIDE_BY_SIDE), each(known, swarm.z, _SIDE_BY_SIDE)

    unknown = jnp.zeros(len(swarm.z), swarm.z.dtype)
    near, far = jax.lax.cond(wanted, evaluated, lambda: (unknown, unknown))
    nothing = jnp.full((_ROUNDS, len(swarm.z)), jnp.nan, swarm.z.dtype)
    b = jnp.where(wanted, 0.0, jnp.ones((), swarm.z.dtype))
    begin = _State(swarm.z, near, far, swarm.ancestor, b, swarm.step, nothing, swarm.log_evidence, swarm.acceptance)

    def onward(carry):
        state, i = carry
        choose, move = jax.random.split(jax.random.fold_in(key, i))
        return _move(_step_on(state, i, choose), cheap, known, move), i + 1

    state, _ = jax.lax.while_loop(lambda c: (c[0].b < 1) & (c[1] < _ROUNDS), onward, (begin, jnp.asarray(0)))
    return Swarm(
        z=state.z,
        ancestor=state.ancestor,
        log_weights=jnp.concatenate([swarm.log_weights, state.log_weights]),
        plain_log_weights=swarm.plain_log_weights,
        log_evidence=state.log_evidence,
        acceptance=state.acceptance,
        reached=jnp.minimum(swarm.reached, state.b),
        step=state.step,
    )


def _step_on(state: _State, i, key) -> _State:
    gain, rest = state.cheap - state.exact, 1 - state.b
    step = longest_step(gain, rest)
    log_weight = step * gain
    chosen = resampled(key, log_weight)
    z, cheap, exact, ancestor = (x[chosen] for x in (state.z, state.cheap, state.exact, state.ancestor))
    return _State(
        z=z,
        cheap=cheap,
        exact=exact,
        ancestor=ancestor,
        b=jnp.where(step >= rest, 1.0, state.b + step),
        step=state.step,
        log_weights=state.log_weights.at[i].set(log_weight),
        log_evidence=state.log_evidence + jax.nn.logsumexp(log_weight) - jnp.log(gain.size),
        acceptance=state.acceptance,
    )


def _move(state: _State, cheap: Callable, exact: Callable, key) -> _State:
    """Two trajectories of every draw."""
    spread = state.step * spread_of(state.z)

    def one(draw):
        z, near, far, key = draw
        rates = []
        for k in jax.random.split(key):
            z, near, far, rate = _trajectory(z, near, far, k, state.b, spread, cheap, exact)
            rates.append(rate)
        return z, near, far, jnp.stack(rates).mean()

    keys = jax.random.split(key, len(state.z))
    z, near, far, rates = each(one, (state.z, state.cheap, state.exact, keys), _SIDE_BY_SIDE)
    rate = rates.mean()
    return eqx.tree_at(
        lambda s: (s.z, s.cheap, s.exact, s.step, s.acceptance),
        state,
        (z, near, far, next_step(state.step, rate), rate),
    )


def _trajectory(z, near, far, key, b, step: Float[Array, " n"], cheap: Callable, exact: Callable):
    push, length, coin = jax.random.split(key, 3)
    momentum = jax.random.normal(push, z.shape, z.dtype)
    step = step * jax.random.uniform(length, minval=0.6, maxval=1.2)

    def leap(carry, _):
        place, momentum, slope, _ = carry
        momentum = momentum - 0.5 * step * slope
        place = place + step * momentum
        value, slope = jax.value_and_grad(cheap)(place)
        slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
        return (place, momentum - 0.5 * step * slope, slope, value), None

    begin = (z, momentum, jax.grad(cheap)(z), near)
    (there, arrived, _, near_there), _ = jax.lax.scan(leap, begin, length=_LEAPS)
    far_there = exact(there)
    before = (1 - b) * near + b * far + 0.5 * momentum @ momentum
    after = (1 - b) * near_there + b * far_there + 0.5 * arrived @ arrived
    rate = jnp.nan_to_num(jnp.minimum(1.0, jnp.exp(before - after)))
    taken = jax.random.uniform(coin) < rate
    moved = jax.tree.map(lambda new, old: jnp.where(taken, new, old), (there, near_there, far_there), (z, near, far))
    return *moved, rate
