"""Levenberg-Marquardt steps on any function that gives a value, a gradient and a curvature."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

__all__ = ["CONVERGED", "DAMPING", "STUCK", "Point", "State", "decrement", "descend", "negligible"]

DAMPING = 0.1
STUCK = 1e8  # damping beyond which there is no way down
CONVERGED = 1e-2  # predicted decrease of the objective (half a chi2), or ...
_RELATIVE = 1e-6  # ... of the objective itself, where float32 tells no more
_LONGEST = 2.0  # step in any u
_NEAR = 3.0  # times the promised decrease: further up, a gradient tells nothing of the curvature here
_LEAST_CURVATURE = 0.2  # along a step, of what had been expected


class Point(eqx.Module):
    """A point, the objective's value and gradient there, and a curvature that need not be exact."""

    u: Float[Array, "K D"]
    value: Float[Array, ""]
    gradient: Float[Array, " KD"]
    hessian: Float[Array, "KD KD"]

    @classmethod
    def unknown(cls, u: Float[Array, "K D"]) -> Point:
        """Where nothing is known yet: no step leads anywhere, and every value is better."""
        return cls(u, jnp.asarray(jnp.inf, u.dtype), jnp.zeros_like(u).reshape(-1), jnp.eye(u.size, dtype=u.dtype))


class State(eqx.Module):
    """Where the steps have come to, and what the last one had promised."""

    point: Point
    damping: Float[Array, ""]
    promised: Float[Array, ""]
    steps: Int[Array, ""]


def descend(evaluate, begin: Point, most, least=CONVERGED, damping=DAMPING, learn=False) -> State:
    """Take at most ``most`` steps, until the promised decrease is negligible; ``evaluate`` makes a ``Point`` of u.

    To ``learn`` is to keep the curvature of the beginning, and to correct it by what gradients were found to be: those
    that ``evaluate`` says are then left out.
    """

    def step(state):
        here = state.point
        # Damping in the prior's own metric: soft directions bend, and Marquardt's scaling would let them run.
        move = _solve(here.hessian + state.damping * jnp.eye(here.gradient.size), here.gradient)
        move = move * jnp.minimum(1.0, _LONGEST / jnp.maximum(jnp.max(jnp.abs(move)), 1e-9))
        promised = jnp.vdot(move, here.gradient) - 0.5 * jnp.vdot(move, here.hessian @ move)
        there = evaluate(here.u - move.reshape(here.u.shape))
        better = there.value < here.value
        if learn:
            near = there.value - here.value < _NEAR * jnp.abs(promised)
            slope = there.gradient - here.gradient
            learned = jnp.where(near, _corrected(here.hessian, -move, slope), here.hessian)
            here, there = (eqx.tree_at(lambda p: p.hessian, point, learned) for point in (here, there))
        ratio = (here.value - there.value) / jnp.maximum(promised, 1e-6)
        change = jnp.where(ratio > 0.5, 0.2, jnp.where(ratio > 0.1, 1.0, 5.0))
        change = jnp.where(jnp.isinf(here.value), 1.0, jnp.where(better, change, 8.0))
        return State(
            point=jax.tree.map(lambda new, old: jnp.where(better, new, old), there, here),
            damping=jnp.clip(state.damping * change, 1e-3, 10 * STUCK),
            promised=jnp.where(jnp.isinf(here.value), jnp.inf, promised),
            steps=state.steps + 1,
        )

    def going(state):
        return (state.promised > negligible(state.point.value, least)) & (state.damping < STUCK) & (state.steps < most)

    start = jnp.asarray(jnp.inf, begin.value.dtype)
    return jax.lax.while_loop(going, step, State(begin, jnp.asarray(damping, start.dtype), start, jnp.asarray(0)))


def _corrected(hessian: Float[Array, "n n"], step: Float[Array, " n"], change: Float[Array, " n"]):
    """The curvature with which a step changes the gradient as it has, kept positive.

    Damped BFGS: Powell 1978, Lecture Notes in Mathematics 630, 144, equations 5.8 and 5.9.
    """
    expected = hessian @ step
    along, found = step @ expected, step @ change
    share = jnp.where(found < _LEAST_CURVATURE * along, (1 - _LEAST_CURVATURE) * along / (along - found), 1.0)
    change = share * change + (1 - share) * expected
    new = hessian + jnp.outer(change, change) / (step @ change) - jnp.outer(expected, expected) / along
    sound = (along > 0) & (step @ change > 0) & jnp.isfinite(new).all()
    return jnp.where(sound, new, hessian)


def negligible(value, least=CONVERGED):
    """Decrease of the objective that is not worth a step."""
    return jnp.maximum(least, jnp.where(jnp.isinf(value), 0.0, _RELATIVE * jnp.abs(value)))


def decrement(point: Point) -> Float[Array, ""]:
    """How far the value is above the minimum of the quadratic that the point describes."""
    return 0.5 * jnp.vdot(point.gradient, _solve(point.hessian, point.gradient))


def _solve(matrix: Float[Array, "n n"], vector: Float[Array, " n"]) -> Float[Array, " n"]:
    """``matrix^-1 vector`` by Cholesky with scaled columns, so that float32 carries it."""
    scale = jax.lax.rsqrt(jnp.diagonal(matrix))
    scaled = matrix * scale[:, None] * scale[None, :]
    factor = jax.scipy.linalg.cho_factor(scaled + 1e-6 * jnp.eye(len(scale), dtype=scale.dtype))
    return scale * jax.scipy.linalg.cho_solve(factor, scale * vector)
