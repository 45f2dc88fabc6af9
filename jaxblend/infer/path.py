"""What samplers share that carry draws along a path of densities: resampled steps of b, and moves at each b.

At b the density is ``exp(-((1 - b) before + b after))``, of two potentials that every draw knows at its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxblend.infer.each import each
from jaxblend.infer.mixture import LaplaceMixture

__all__ = ["FAR", "State", "moved", "step_on"]

FAR = 1e30  # potential where it is not finite
_KEPT = 0.8  # effective share of the draws that a step of b must leave: heavy tails of weights are rare then
_TRAJECTORIES = 2  # between two steps of b


class State(eqx.Module):
    """S draws at b; ``value`` begins with both potentials of each, ``number`` steps have been made.

    ``log_weights`` are those before each resampling, ``ancestor`` says from which first draw each descends, ``step`` is
    that of the trajectories in the frame of a component, ``rate`` the share of the last ones that was accepted.
    """

    z: Float[Array, "S n"]
    value: Any
    b: Float[Array, ""]
    step: Float[Array, ""]
    rate: Float[Array, ""]
    ancestor: Int[Array, " S"]
    number: Int[Array, ""]
    log_weights: Float[Array, "steps S"]
    log_evidence: Float[Array, ""]


def step_on(state: State, key) -> State:
    """The longest step of b that keeps enough draws, and draws in proportion to their weights."""
    gain, rest = state.value[0] - state.value[1], 1 - state.b
    step = _longest_step(gain, rest)
    log_weight = step * gain
    recorded = jnp.where(rest > 0, log_weight, jnp.nan)
    chosen = _resampled(key, log_weight)
    z, value, ancestor = jax.tree.map(lambda x: x[chosen], (state.z, state.value, state.ancestor))
    return State(
        z=z,
        value=value,
        b=jnp.where(step >= rest, 1.0, state.b + step),
        step=state.step,
        rate=state.rate,
        ancestor=ancestor,
        number=state.number + 1,
        log_weights=state.log_weights.at[state.number].set(recorded),
        log_evidence=state.log_evidence + jax.nn.logsumexp(log_weight) - jnp.log(gain.size),
    )


def _longest_step(gain: Float[Array, " S"], rest: Float[Array, ""]) -> Float[Array, ""]:
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


def _resampled(key, log_weight: Float[Array, " S"]) -> Int[Array, " S"]:
    """Which draws stay, and how often: in proportion to their weights (systematic resampling)."""
    n_draws = log_weight.size
    places = (jnp.arange(n_draws) + jax.random.uniform(key)) / n_draws
    return jnp.clip(jnp.searchsorted(jnp.cumsum(jax.nn.softmax(log_weight)), places), 0, n_draws - 1)


def moved(state: State, trajectory: Callable, frames: LaplaceMixture, key, side_by_side: int) -> State:
    """Draws after two trajectories each, and a longer or shorter step for the next by how many were accepted.

    Each trajectory runs in the frame of a component of the mixture, drawn by the components' shares where it begins:
    ridges bend, and what is narrow at one end is not at the other. The share at the end then is a part of what decides
    whether it is accepted: component and place are moved together, as a Gibbs sampler of both would.

    ``trajectory((z, value), momentum, frame)``, with the step in the frame, returns where it ends and by how much the
    energy has fallen.
    """

    def once(here, key):
        choose, push, length, coin = jax.random.split(key, 4)
        shares = frames.log_shares_at(here[0])
        which = jax.random.categorical(choose, shares)
        # Steps vary, so that no trajectory runs in circles.
        step = state.step * jax.random.uniform(length, minval=0.6, maxval=1.2)
        momentum = jax.random.normal(push, here[0].shape, here[0].dtype)
        there, fall = trajectory(here, momentum, step * jnp.take(frames.spread, which, 0))
        fall += jnp.take(frames.log_shares_at(there[0]) - shares, which)
        chance = jnp.nan_to_num(jnp.minimum(1.0, jnp.exp(fall)))  # Metropolis; see Neal 2011 for the trajectories
        taken = jax.random.uniform(coin) < chance
        return jax.tree.map(lambda new, old: jnp.where(taken, new, old), there, here), chance

    def one(draw):
        z, value, key = draw
        (z, value), rates = jax.lax.scan(once, (z, value), jax.random.split(key, _TRAJECTORIES))
        return z, value, rates.mean()

    z, value, rates = each(one, (state.z, state.value, jax.random.split(key, len(state.z))), side_by_side)
    rate = rates.mean()
    change = jnp.where(rate > 0.85, 1.25, jnp.where(rate > 0.6, 1.0, jnp.where(rate > 0.2, 0.7, 0.4)))
    step = jnp.clip(state.step * change, 0.02, 1.2)
    return eqx.tree_at(lambda s: (s.z, s.value, s.step, s.rate), state, (z, value, step, rate))
