"""Levenberg-Marquardt on the residual vector of a blend, from several starts, ending in exact normal equations.

Three stages, each from where the last one ended: every start in the low wavenumbers; if several modes are within reach
of the best one, each with the gradient taken in pixels and the low wavenumbers as its metric; the best one with the
exact Jacobian.
"""

from __future__ import annotations

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxblend.infer.columns import exact_normal_equations
from jaxblend.infer.each import each
from jaxblend.infer.levenberg import CONVERGED, DAMPING, STUCK, Point, State, decrement, descend, negligible
from jaxblend.infer.low_modes import LowModes, low_normal_equations
from jaxblend.infer.posterior import Blend, objective
from jaxblend.infer.starts import dispersed_starts, modes_and_fluxes

__all__ = ["MapResult", "maximum_a_posteriori", "polished"]

_SEARCH_STEPS = 40
_FOLLOW_STEPS = 25
_STAGES = 4
_SEARCHED = 2.0  # as _CONVERGED, while searching
_SOFT = 300.0  # S/N to which the noise of the first search is raised: misfit of a bright galaxy moves no faint one
_JACOBIANS = 40
_STEPS_PER_JACOBIAN = 64
_FRESH = 0.5  # as much decrease may lie between a Jacobian and the point that it is reported for
_RIVAL = 15.0  # of the objective above the best: further off, a mode is not followed
_SECOND_MODE = 3.0  # of the objective above the best: the odds of the modes are then above 1 in 20
_EVEN = 0.5  # of the largest weight of a band
_APART = 3.0  # standard deviations between modes


class MapResult(eqx.Module):
    """The best point found and the curvature there, and the R other modes that the starts have led to.

    ``second_mode`` says of which sources one of these is nearly as good. Rivals are in the order of their objectives,
    which are infinite where there is none; their curvature is that in low wavenumbers.
    """

    u: Float[Array, "K D"]
    objective: Float[Array, ""]
    hessian: Float[Array, "KD KD"]
    decrement: Float[Array, ""]
    steps: Int[Array, ""]
    second_mode: Bool[Array, " K"]
    rival_u: Float[Array, "R K D"]
    rival_objective: Float[Array, " R"]
    rival_hessian: Float[Array, "R KD KD"]


def maximum_a_posteriori(blend: Blend, starts: Float[Array, "S K D"] | None = None) -> MapResult:
    """Search from every start, follow the modes within reach, polish the best one with the exact Jacobian."""
    modes, fluxes = modes_and_fluxes(blend)
    if starts is None:
        starts = dispersed_starts(blend, modes, fluxes)
    found, wanted = _distinct(_valued(_search(starts, blend, modes), blend))
    several = jnp.sum(wanted) > 1
    ended = jax.lax.map(lambda x: _follow(x[0], x[1], several, blend, modes), (found.u, wanted))
    bottom = each(lambda p: p.value - decrement(p), ended.point)
    rivals, left = _distinct(eqx.tree_at(lambda p: p.value, ended.point, jnp.where(wanted, bottom, jnp.inf)))
    final, steps = _polish(rivals.u[0], blend)
    gap = jnp.where(several & left, rivals.value - rivals.value[0], jnp.inf)[1:]
    apart = jax.vmap(lambda u: _distance(final.u - u, final.hessian))(rivals.u[1:]) > _APART
    near = jnp.any(apart & (gap < _SECOND_MODE)[:, None], axis=0)
    return MapResult(
        u=final.u,
        objective=final.value,
        hessian=final.hessian,
        decrement=decrement(final),
        steps=jnp.max(ended.steps) + steps,
        second_mode=near & blend.present,
        rival_u=rivals.u[1:],
        rival_objective=final.value + gap,
        rival_hessian=rivals.hessian[1:],
    )


def polished(result: MapResult, blend: Blend) -> MapResult:
    """The minimum next to a result that was found with other weights; what is known of other modes stays."""
    final, steps = _polish(result.u, blend)
    return MapResult(
        u=final.u,
        objective=final.value,
        hessian=final.hessian,
        decrement=decrement(final),
        steps=result.steps + steps,
        second_mode=result.second_mode,
        rival_u=result.rival_u,
        rival_objective=final.value + (result.rival_objective - result.objective),
        rival_hessian=result.rival_hessian,
    )


def _search(starts: Float[Array, "S K D"], blend: Blend, modes: tuple[LowModes, ...]) -> Point:
    """Every start's minimum in the low wavenumbers, first with the noise of a bright blend raised."""
    power = sum(jnp.sum(jnp.abs(mode.data) ** 2) for mode in modes)
    raised = jnp.maximum(1.0, power / _SOFT**2)

    def cooled(u, stage):
        temperature, most = stage
        point = _descend_low(u, blend, modes, most, temperature, _SEARCHED)
        return point.u, point

    def both(u):
        powers = np.linspace(1, 0, _STAGES)
        stages = raised**powers, jnp.where((raised > 1) | (powers == 0), _SEARCH_STEPS, 0)
        return jax.tree.map(lambda x: x[-1], jax.lax.scan(cooled, u, stages)[1])

    return each(both, starts)


def _descend_low(u, blend, modes, most, temperature=1.0, enough=CONVERGED) -> Point:
    def evaluate(u):
        hessian, gradient, value = low_normal_equations(u, blend, modes, temperature)
        return Point(u, value, gradient, hessian)

    return descend(evaluate, Point.unknown(u), most, enough).point


def _valued(points: Point, blend: Blend) -> Point:
    """Points whose values may be compared: low wavenumbers know nothing of masks and uneven weights, pixels do."""
    uneven = jnp.asarray(False)
    for exposure in blend.exposures:
        weight = exposure.root_weight**2
        uneven |= jnp.any(weight < _EVEN * jnp.max(weight, axis=(1, 2), keepdims=True))
    values = jax.lax.cond(uneven, lambda p: each(lambda u: objective(u, blend), p.u), lambda p: p.value, points)
    return eqx.tree_at(lambda p: p.value, points, values)


def _distinct(points: Point) -> tuple[Point, Bool[Array, " S"]]:
    """Points from the best to the worst; which of them are within reach, and apart from every better one."""
    order = jnp.argsort(_finite(points.value))
    points = jax.tree.map(lambda x: x[order], points)

    def farthest(u, hessian):
        return jax.vmap(lambda other: jnp.max(_distance(other - u, hessian)))(points.u)

    apart = jax.vmap(farthest)(points.u, points.hessian) > _APART  # from the first index
    near = jnp.isfinite(points.value) & (points.value - points.value[0] < _RIVAL)
    kept = [jnp.asarray(True)]
    for i in range(1, len(near)):
        kept.append(near[i] & jnp.all(jnp.stack([~kept[j] | apart[j, i] for j in range(i)])))
    return points, jnp.stack(kept)


def _follow(u: Float[Array, "K D"], wanted, several, blend: Blend, modes: tuple[LowModes, ...]) -> State:
    """Converge in the low wavenumbers, if wanted; if there are modes to tell apart, also with pixels' gradient."""
    u = _descend_low(u, blend, modes, jnp.where(wanted, _SEARCH_STEPS, 0)).u

    def evaluate(u):
        return _in_pixels(u, blend, low_normal_equations(u, blend, modes)[0])

    return descend(evaluate, Point.unknown(u), jnp.where(wanted & several, _FOLLOW_STEPS, 0))


def _in_pixels(u: Float[Array, "K D"], blend: Blend, hessian: Float[Array, "KD KD"]) -> Point:
    """Value and gradient of the objective itself, with a curvature from elsewhere."""
    value, gradient = jax.value_and_grad(objective)(u, blend)
    return Point(u, value, gradient.reshape(-1), hessian)


def _polish(u: Float[Array, "K D"], blend: Blend) -> tuple[Point, Int[Array, ""]]:
    """Exact Jacobians, each corrected by a few steps, until one was taken at the minimum."""

    def body(carry):
        state, jacobians, _ = carry
        start, steps, unhindered = state.point.u, state.steps, state.damping <= DAMPING
        hessian, gradient, value = exact_normal_equations(start, blend)

        exact = Point(start, value, gradient, hessian)
        evaluate = functools.partial(_in_pixels, blend=blend, hessian=hessian)
        state = descend(evaluate, exact, _STEPS_PER_JACOBIAN, damping=state.damping, learn=True)
        state = eqx.tree_at(lambda s: s.point.hessian, state, hessian)
        moved = (state.point.u - start).reshape(-1)
        near = 0.5 * moved @ hessian @ moved < _FRESH
        settled = (state.promised < negligible(state.point.value)) | (state.damping > STUCK)
        # Damping is of the curvature that was learned, and may be all that keeps a new one from going on.
        damping = jnp.where(settled, DAMPING, state.damping)
        state = eqx.tree_at(lambda s: (s.damping, s.steps), state, (damping, state.steps + steps))
        return state, jacobians + 1, settled & near & unhindered

    begin = State(Point.unknown(u), jnp.asarray(DAMPING, u.dtype), jnp.asarray(jnp.inf, u.dtype), jnp.asarray(0))
    state = jax.lax.while_loop(lambda c: ~c[2] & (c[1] < _JACOBIANS), body, (begin, jnp.asarray(0), jnp.asarray(False)))
    return state[0].point, state[0].steps


def _distance(difference, hessian):
    """Distance of each source's parameters in units of their conditional errors."""
    k, d = difference.shape
    blocks = jnp.einsum("kakb->kab", hessian.reshape(k, d, k, d))
    return jnp.sqrt(jnp.maximum(jnp.einsum("ka,kab,kb->k", difference, blocks, difference), 0.0))


def _finite(value):
    return jnp.where(jnp.isfinite(value), value, jnp.inf)
