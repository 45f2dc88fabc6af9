"""From what an encoder says at a glance to the models of a blend that fit it together, and their errors."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxblend.forward.render import images
from jaxblend.infer.levenberg import Point, descend
from jaxblend.infer.low_modes import low_modes, low_normal_equations
from jaxblend.infer.posterior import Blend
from jaxblend.nets.normal import Normal

__all__ = ["Approach", "approach"]

_STEPS = 6  # the first of which is none
_ENOUGH = 0.1  # predicted decrease of the objective
_STEEPEST = 1e4


class Approach(NamedTuple):
    """Each source's distribution, and the images of all, (K, C, H, W)."""

    found: Normal
    light: Float[Array, "K C H W"]


def approach(begin: Float[Array, "K D"], blend: Blend) -> Approach:
    """A few steps of all sources together in the low wavenumbers, from the means at a glance.

    Errors are those of the curvature where the steps end, each source's with the others unknown. One exposure.
    """
    (exposure,) = blend.exposures
    there = blend.present[:, None]
    begin = jnp.where(there, jnp.clip(begin, -4.0, 4.0), 0.0)
    light = images(blend.sources(begin), exposure.frame, exposure.transfer)
    modes = (low_modes(exposure, light.sum(0)),)

    def evaluate(u):
        hessian, gradient, value = low_normal_equations(u, blend, modes)
        return Point(u, value, gradient, hessian)

    state = descend(evaluate, Point.unknown(begin), _STEPS, _ENOUGH)
    point = state.point
    u = jnp.where(there & jnp.isfinite(point.u), point.u, 0.0)
    # Where the last step went down by d, the end is some sqrt(2 d) standard deviations away.
    wider = jnp.sqrt(1 + 2 * jnp.clip(jnp.nan_to_num(state.promised), 0.0, _STEEPEST))
    return Approach(_marginals(u, point.hessian, wider), images(blend.sources(u), exposure.frame, exposure.transfer))


def _marginals(u: Float[Array, "K D"], hessian: Float[Array, "KD KD"], wider: Float[Array, ""]) -> Normal:
    """Of each source alone, from the curvature of all."""
    k, size = u.shape
    unit = jnp.eye(k * size, dtype=u.dtype)
    sound = jnp.isfinite(hessian).all()
    hessian = jnp.where(sound, hessian, unit)
    scale = jax.lax.rsqrt(jnp.diagonal(hessian))
    factor = jnp.linalg.cholesky(hessian * scale[:, None] * scale[None, :] + 1e-5 * unit)
    root = jax.scipy.linalg.solve_triangular(factor, unit, lower=True) * scale[None, :]
    blocks = root.reshape(k * size, k, size)
    covariance = jnp.einsum("mki,mkj->kij", blocks, blocks)
    # narrow @ covariance @ narrow.T = 1, and narrow is lower triangular.
    wide = jnp.linalg.cholesky(wider**2 * covariance + 1e-6 * jnp.eye(size, dtype=u.dtype))
    inverse = jax.vmap(lambda w: jax.scipy.linalg.solve_triangular(w, jnp.eye(size, dtype=u.dtype), lower=True))
    return Normal(u, inverse(wide))
