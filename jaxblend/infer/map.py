"""Levenberg-Marquardt on the residual vector of a blend, from several starts, ending in exact normal equations."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxblend.infer.columns import exact_normal_equations, metric
from jaxblend.infer.posterior import Blend, objective
from jaxblend.infer.starts import START_SHAPES, start

__all__ = ["MapResult", "maximum_a_posteriori"]

_SEARCH_STEPS = 8
_CHEAP_STEPS = 25
_EXACT_STEPS = 40
_CONVERGED = 1e-2  # predicted decrease of the objective (half a chi2)
_SECOND_MODE = 3.0  # of the objective above the best: the odds of the modes are then above 1 in 20
_APART = 3.0  # standard deviations between modes
_LONGEST = 2.0  # step in any u


class MapResult(eqx.Module):
    """The best point found and the curvature there."""

    u: Float[Array, "K D"]
    objective: Float[Array, ""]
    hessian: Float[Array, "KD KD"]
    decrement: Float[Array, ""]
    steps: Int[Array, ""]
    second_mode: Bool[Array, " K"]
    second_objective: Float[Array, ""]


class _State(eqx.Module):
    u: Float[Array, "K D"]
    value: Float[Array, ""]
    gradient: Float[Array, "K D"]
    damping: Float[Array, ""]
    steps: Int[Array, ""]
    done: Bool[Array, ""]


def maximum_a_posteriori(blend: Blend, starts: Float[Array, "S K D"] | None = None) -> MapResult:
    """Search from every start, converge the two best, polish the best with the exact Jacobian."""
    if starts is None:
        starts = jax.lax.map(lambda d: start(blend, d), jnp.asarray(START_SHAPES))
    searched = jax.lax.map(lambda u: _descend(_begin(u, blend), blend, metric, _SEARCH_STEPS), starts)
    order = jnp.argsort(jnp.where(jnp.isfinite(searched.value), searched.value, jnp.inf))[:2]
    best_two = jax.tree.map(lambda x: x[order], searched)
    ended = jax.lax.map(lambda s: _descend(s, blend, metric, _CHEAP_STEPS), best_two)
    first = jnp.argmin(jnp.where(jnp.isfinite(ended.value), ended.value, jnp.inf))
    final = _descend(jax.tree.map(lambda x: x[first], ended), blend, _exact, _EXACT_STEPS)
    u, value = final.u, final.value
    hessian, gradient = exact_normal_equations(u, blend)
    decrement = 0.5 * jnp.vdot(gradient, _solve(hessian, gradient))
    other = ended.u[1 - first]
    gap = ended.value[1 - first] - value
    moved = _moved(u - other, hessian) > _APART
    return MapResult(
        u=u,
        objective=value,
        hessian=hessian,
        decrement=decrement,
        steps=final.steps,
        second_mode=moved & (gap < _SECOND_MODE) & blend.present,
        second_objective=value + gap,
    )


def _begin(u, blend):
    value, gradient = jax.value_and_grad(objective)(u, blend)
    return _State(u, value, gradient, jnp.asarray(1e-2), jnp.asarray(0), jnp.asarray(False))


def _exact(u, blend):
    return exact_normal_equations(u, blend)[0]


def _descend(state: _State, blend: Blend, curvature, most: int) -> _State:
    """Steps with the exact gradient in a given curvature, until the promised decrease is negligible."""
    last = state.steps + most
    state = eqx.tree_at(lambda s: (s.done, s.damping), state, (jnp.asarray(False), jnp.asarray(1e-3)))

    def step(state):
        approximate = curvature(state.u, blend)
        damped = approximate + state.damping * jnp.diag(jnp.diagonal(approximate))
        move = _solve(damped, state.gradient.reshape(-1)).reshape(state.u.shape)
        move = move * jnp.minimum(1.0, _LONGEST / jnp.maximum(jnp.max(jnp.abs(move)), 1e-9))
        promised = jnp.vdot(move, state.gradient) - 0.5 * jnp.vdot(move.reshape(-1), approximate @ move.reshape(-1))
        trial = state.u - move
        value, gradient = jax.value_and_grad(objective)(trial, blend)
        better = value < state.value
        ratio = (state.value - value) / jnp.maximum(promised, 1e-6)
        damping = jnp.where(ratio > 0.5, state.damping * 0.2, jnp.where(ratio > 0.1, state.damping, state.damping * 5))
        damping = jnp.clip(jnp.where(better, damping, state.damping * 8 + 1e-2), 1e-5, 1e6)
        return _State(
            u=jnp.where(better, trial, state.u),
            value=jnp.where(better, value, state.value),
            gradient=jnp.where(better, gradient, state.gradient),
            damping=damping,
            steps=state.steps + 1,
            done=(promised < _CONVERGED) | (damping > 1e5),
        )

    return jax.lax.while_loop(lambda s: ~s.done & (s.steps < last), step, state)


def _solve(matrix, vector):
    """Cholesky with scaled columns, so that float32 carries it."""
    scale = jax.lax.rsqrt(jnp.diagonal(matrix))
    scaled = matrix * scale[:, None] * scale[None, :]
    factor = jax.scipy.linalg.cho_factor(scaled + 1e-6 * jnp.eye(len(scale), dtype=scale.dtype))
    return scale * jax.scipy.linalg.cho_solve(factor, scale * vector)


def _moved(difference, hessian):
    """Distance of each source's parameters in units of their conditional errors."""
    k, d = difference.shape
    blocks = jnp.einsum("kakb->kab", hessian.reshape(k, d, k, d))
    return jnp.sqrt(jnp.maximum(jnp.einsum("ka,kab,kb->k", difference, blocks, difference), 0.0))
