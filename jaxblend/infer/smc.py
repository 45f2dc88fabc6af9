"""Importance sampling in steps: from the Laplace approximation to the posterior, with Hamiltonian moves in between.

A sequential Monte Carlo sampler (Del Moral, Doucet & Jasra 2006, J. R. Stat. Soc. B 68, 411) on the path of densities
``q^(1 - b) p^b`` from the proposal q (b = 0) to the posterior p (b = 1). Every step of b is as long as the effective
number of draws allows; draws are then resampled and moved by Hamiltonian Monte Carlo, which leaves the density at b
as it is. One step alone is plain importance sampling, and only posteriors that are nearly Gaussian let it pass.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxblend.infer.each import each
from jaxblend.infer.mixture import LaplaceMixture
from jaxblend.infer.path import FAR, State, moved, step_on

__all__ = ["Swarm", "importance_in_steps"]

_MAX_STEPS = 32  # of b, and rounds at the posterior itself
_SETTLED = 0.5  # of the trajectories are accepted
_LEAPS = 4  # in a trajectory on the way
_LAST_LEAPS = 16  # in one at the posterior itself, whose long tails are far
_SIDE_BY_SIDE = 40  # draws in one vectorised call on a CPU: their arrays stay in the cache


class Swarm(eqx.Module):
    """S draws of z, and how they came about.

    ``log_weights`` (steps, S) are those before each resampling, NaN beyond the last step; ``ancestor`` is the number
    of the first draw from which each descends, ``step`` that of the trajectories in the frames of components.
    """

    z: Float[Array, "S n"]
    ancestor: Int[Array, " S"]
    log_weights: Float[Array, "steps S"]
    plain_log_weights: Float[Array, " S"]
    log_evidence: Float[Array, ""]
    reached: Float[Array, ""]
    step: Float[Array, ""]


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
        Rounds of moves at the posterior itself after the last resampling; those that were mostly refused, the step
        being too long still, do not count.
    """
    evaluate = _evaluator(potential, proposal)
    first, path = jax.random.split(key)
    z = proposal.draw_all(first, n_draws)
    value = each(evaluate, z, _SIDE_BY_SIDE)
    plain = value[0] - value[1]
    zero = jnp.zeros((), z.dtype)
    empty = jnp.full((_MAX_STEPS, n_draws), jnp.nan, z.dtype)
    state = State(z, value, zero, zero + 0.5, zero, jnp.arange(n_draws), jnp.asarray(0), empty, zero)

    def onward(carry):
        state, left = carry
        key = jax.random.fold_in(path, state.number)
        there = state.b >= 1  # the step is then 0, and all draws stay
        state = step_on(state, key)
        trajectory = functools.partial(_trajectory, b=state.b, evaluate=evaluate)
        state = moved(state, trajectory, proposal, jax.random.fold_in(key, 1), _SIDE_BY_SIDE)
        return state, jnp.where(there & (state.rate > _SETTLED), left - 1, left)

    def going(carry):
        state, left = carry
        return (left > 0) & (state.number < _MAX_STEPS)

    state, _ = jax.lax.while_loop(going, onward, (state, jnp.asarray(last)))
    return Swarm(
        z=state.z,
        ancestor=state.ancestor,
        log_weights=state.log_weights,
        plain_log_weights=plain,
        log_evidence=state.log_evidence,
        reached=state.b,
        step=state.step,
    )


def _evaluator(potential, proposal):
    def evaluate(z):
        before, before_slope = jax.value_and_grad(proposal.potential)(z)
        after, after_slope = jax.value_and_grad(potential)(z)
        good = jnp.isfinite(after) & jnp.isfinite(after_slope).all()
        return before, jnp.where(good, after, FAR), before_slope, jnp.where(good, after_slope, 0.0)

    return evaluate


def _trajectory(here, momentum, frame: Float[Array, "n n"], *, b, evaluate: Callable):
    """Along the density at b (Neal 2011)."""
    start, value = here

    def energy(value, momentum):
        return (1 - b) * value[0] + b * value[1] + 0.5 * momentum @ momentum

    def pulled(momentum, value, share):
        return momentum - share * ((1 - b) * value[2] + b * value[3]) @ frame

    def leap(_, carry):
        z, value, momentum = carry
        momentum = pulled(momentum, value, 0.5)
        z = z + frame @ momentum
        value = evaluate(z)
        return z, value, pulled(momentum, value, 0.5)

    leaps = jnp.where(b < 1, _LEAPS, _LAST_LEAPS)
    z, there, arrived = jax.lax.fori_loop(0, leaps, leap, (start, value, momentum))
    return (z, there), energy(value, momentum) - energy(there, arrived)
