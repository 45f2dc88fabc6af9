"""Importance sampling in steps: from the Laplace approximation to the posterior, with Hamiltonian moves in between.

A sequential Monte Carlo sampler (Del Moral, Doucet & Jasra 2006, J. R. Stat. Soc. B 68, 411) on the path of densities
``q^(1 - b) p^b`` from the proposal q (b = 0) to the posterior p (b = 1). Every step of b is as long as the effective
number of draws allows; draws are then resampled and moved by Hamiltonian Monte Carlo, which leaves the density at b
as it is. One step alone is plain importance sampling, and only posteriors that are nearly Gaussian let it pass.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxblend.infer.each import each
from jaxblend.infer.mixture import LaplaceMixture

__all__ = ["Swarm", "importance_in_steps", "longest_step", "next_step", "resampled", "spread_of"]

_MAX_STEPS = 24
_KEPT = 0.5  # effective share of the draws that a step of b must leave
_TRAJECTORIES = 2  # between two steps of b
_LEAPS = 4  # in a trajectory on the way
_LAST_LEAPS = 16  # in one at the posterior itself, whose long tails are far
_SIDE_BY_SIDE = 40  # draws in one vectorised call on a CPU: their arrays stay in the cache
_FAR = 1e30  # potential where it is not finite


class Swarm(eqx.Module):
    """S draws of z, and how they came about.

    ``log_weights`` (steps, S) are those before each resampling, NaN beyond the last step; ``ancestor`` is the number
    of the first draw from which each descends, ``step`` that of the trajectories in units of the draws' spread.
    """

    z: Float[Array, "S n"]
    ancestor: Int[Array, " S"]
    log_weights: Float[Array, "steps S"]
    plain_log_weights: Float[Array, " S"]
    log_evidence: Float[Array, ""]
    acceptance: Float[Array, ""]
    reached: Float[Array, ""]
    step: Float[Array, ""]


class _State(eqx.Module):
    z: Float[Array, "S n"]
    value: Any  # potential of proposal and posterior, and their gradients
    b: Float[Array, ""]
    step: Float[Array, ""]
    ancestor: Int[Array, " S"]
    number: Int[Array, ""]
    log_weights: Float[Array, "steps S"]
    log_evidence: Float[Array, ""]
    acceptance: Float[Array, ""]


def importance_in_steps(potential: Callable, proposal: LaplaceMixture, key, *, n_draws: int, last: int = 2) -> Swarm:
    """Draw from ``exp(-potential(z))``.

    Parameters
    ----------
    potential
        Of one z (n,); where it is not finite there is no posterior.
    proposal
        Draws and density to begin with.
    n_draws
        S; equally weighted in the end.
    last
        Rounds of moves at the posterior itself after the last resampling.
    """
    evaluate = _evaluator(potential, proposal)
    first, path = jax.random.split(key)
    z = proposal.draw_all(first, n_draws)
    value = each(evaluate, z, _SIDE_BY_SIDE)
    plain = value[0] - value[1]
    zero = jnp.zeros((), z.dtype)
    empty = jnp.full((_MAX_STEPS + last, n_draws), jnp.nan, z.dtype)
    state = _State(z, value, zero, zero + 0.5, jnp.arange(n_draws), jnp.asarray(0), empty, zero, zero)

    def onward(carry):
        state, left = carry
        key = jax.random.fold_in(path, state.number)
        left = jnp.where(state.b < 1, left, left - 1)  # rounds at the posterior itself: the step is 0, all draws stay
        return _move(_step_on(state, key), evaluate, key), left

    def going(carry):
        state, left = carry
        return (left > 0) & (state.number < _MAX_STEPS + last)

    state, _ = jax.lax.while_loop(going, onward, (state, jnp.asarray(last)))
    return Swarm(
        z=state.z,
        ancestor=state.ancestor,
        log_weights=state.log_weights,
        plain_log_weights=plain,
        log_evidence=state.log_evidence,
        acceptance=state.acceptance,
        reached=state.b,
        step=state.step,
    )


def _evaluator(potential, proposal):
    def evaluate(z):
        before, before_slope = jax.value_and_grad(proposal.potential)(z)
        after, after_slope = jax.value_and_grad(potential)(z)
        good = jnp.isfinite(after) & jnp.isfinite(after_slope).all()
        return before, jnp.where(good, after, _FAR), before_slope, jnp.where(good, after_slope, 0.0)

    return evaluate


def longest_step(gain: Float[Array, " S"], rest: Float[Array, ""]) -> Float[Array, ""]:
    """Of b, at most ``rest``: draws weighted by ``exp(step * gain)`` are to keep enough of their effective number."""
    enough = _KEPT * gain.size

    def effective(step):
        return 1 / jnp.sum(jax.nn.softmax(step * gain) ** 2)

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        good = effective(middle) >= enough
        return jnp.where(good, middle, low), jnp.where(good, high, middle)

    low, _ = jax.lax.fori_loop(0, 25, halve, (jnp.zeros_like(rest), rest))
    return jnp.where(effective(rest) >= enough, rest, jnp.maximum(low, 1e-6))


def resampled(key, log_weight: Float[Array, " S"]) -> Int[Array, " S"]:
    """Which draws stay, and how often: in proportion to their weights (systematic resampling)."""
    n_draws = log_weight.size
    places = (jnp.arange(n_draws) + jax.random.uniform(key)) / n_draws
    return jnp.clip(jnp.searchsorted(jnp.cumsum(jax.nn.softmax(log_weight)), places), 0, n_draws - 1)


def _step_on(state: _State, key) -> _State:
    """The longest step of b that keeps enough draws, and draws in proportion to their weights."""
    gain, rest = state.value[0] - state.value[1], 1 - state.b
    step = longest_step(gain, rest)
    log_weight = step * gain
    recorded = jnp.where(rest > 0, log_weight, jnp.nan)
    chosen = resampled(key, log_weight)
    z, value, ancestor = jax.tree.map(lambda x: x[chosen], (state.z, state.value, state.ancestor))
    return _State(
        z=z,
        value=value,
        b=jnp.where(step >= rest, 1.0, state.b + step),
        step=state.step,
        ancestor=ancestor,
        number=state.number + 1,
        log_weights=state.log_weights.at[state.number].set(recorded),
        log_evidence=state.log_evidence + jax.nn.logsumexp(log_weight) - jnp.log(gain.size),
        acceptance=state.acceptance,
    )


def spread_of(z: Float[Array, "S n"]) -> Float[Array, " n"]:
    """The draws' own, along each axis, within reason."""
    return jnp.clip(jnp.std(z, axis=0), 0.2, 3.0)


def next_step(step: Float[Array, ""], acceptance: Float[Array, ""]) -> Float[Array, ""]:
    """A longer or a shorter one, for trajectories that were accepted at this rate."""
    change = jnp.where(acceptance > 0.85, 1.25, jnp.where(acceptance < 0.6, 0.7, 1.0))
    return jnp.clip(step * change, 0.02, 1.2)


def _move(state: _State, evaluate: Callable, key) -> _State:
    """Hamiltonian trajectories at the state's b, each axis in units of the draws' own spread."""
    spread = spread_of(state.z)
    keys = jax.random.split(jax.random.fold_in(key, 1), len(state.z))

    def one(draw):
        z, value, key = draw
        move = functools.partial(_trajectory, b=state.b, step=state.step * spread, evaluate=evaluate)
        (z, value), accepted = jax.lax.scan(move, (z, value), jax.random.split(key, _TRAJECTORIES))
        return z, value, accepted.mean()

    z, value, accepted = each(one, (state.z, state.value, keys), _SIDE_BY_SIDE)
    rate = accepted.mean()
    return eqx.tree_at(
        lambda s: (s.z, s.value, s.step, s.acceptance),
        state,
        (z, value, next_step(state.step, rate), rate),
    )


def _trajectory(here, key, *, b, step: Float[Array, " n"], evaluate: Callable):
    """One trajectory, accepted or not (Neal 2011); its steps vary, so that none runs in circles."""
    push, length, coin = jax.random.split(key, 3)
    start, value = here
    momentum = jax.random.normal(push, start.shape, start.dtype)
    step = step * jax.random.uniform(length, minval=0.6, maxval=1.2)

    def energy(value, momentum):
        return (1 - b) * value[0] + b * value[1] + 0.5 * momentum @ momentum

    def slope(value):
        return (1 - b) * value[2] + b * value[3]

    def leap(_, carry):
        z, value, momentum = carry
        momentum = momentum - 0.5 * step * slope(value)
        z = z + step * momentum
        value = evaluate(z)
        return z, value, momentum - 0.5 * step * slope(value)

    leaps = jnp.where(b < 1, _LEAPS, _LAST_LEAPS)
    z, there, arrived = jax.lax.fori_loop(0, leaps, leap, (start, value, momentum))
    chance = jnp.nan_to_num(jnp.minimum(1.0, jnp.exp(energy(value, momentum) - energy(there, arrived))))
    taken = jax.random.uniform(coin) < chance
    return jax.tree.map(lambda new, old: jnp.where(taken, new, old), (z, there), here), chance
