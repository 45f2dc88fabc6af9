"""Where a posterior goes on from its optimum: each source fades, and its neighbours take its light.

Two close sources can share their light in many ways, nearly as good as each other. The optimum may then be the end of a
long, curved ridge that holds more of the posterior than its end does, farther than the Laplace approximation reaches
and without a mode of its own. So points along the ridge get components of their own in the proposal: source by source
the best scene in which it is fainter by some factor, with the curvature there.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxblend.infer.each import each
from jaxblend.infer.levenberg import Point, descend
from jaxblend.infer.mixture import LaplaceMixture

__all__ = ["with_ridges"]

_STRIDE = -0.7  # of the log flux: a factor of two
_STRIDES = 3
_STIFFNESS = 100.0  # of the constraint: the log flux is met to a tenth
_STEPS = 10  # to the best scene after each
_MOST = 10  # components, all modes among them
_NEGLIGIBLE = 8.0  # nats of Laplace evidence below the best
_HEDGE = 0.5  # power of the evidences: too large a share is mended by weights, too small a one is not


def with_ridges(
    mixture: LaplaceMixture,
    potential: Callable,
    curvature: Callable,
    log_flux: Callable,
    present: Bool[Array, " K"],
) -> LaplaceMixture:
    """The mixture with components for sources that fade, as far as they matter; of a fixed number.

    Parameters
    ----------
    mixture
        Of modes; its first is at z = 0 with unit covariance.
    potential
        Minus the log density of z (n,).
    curvature
        A positive definite approximation (n, n) to its second derivatives at z.
    log_flux
        Of the K sources at z.
    present
        Which of them there are.
    """
    n = mixture.place.shape[1]
    optimum = jnp.zeros(n, mixture.place.dtype)
    walks = each(lambda k: _walk(potential, curvature, log_flux, optimum, k), jnp.arange(len(present)))

    highest = potential(optimum)

    def component(place):
        narrow = jnp.linalg.cholesky(curvature(place)).T
        log_det = jnp.sum(jnp.log(jnp.diagonal(narrow)))
        evidence = highest - potential(place) - log_det  # over that of the first mode
        return place, jax.scipy.linalg.solve_triangular(narrow, jnp.eye(n)), narrow, log_det, evidence

    *faded, evidence = each(component, walks.reshape(-1, n))
    known = jnp.isfinite(evidence) & jnp.repeat(present, _STRIDES)
    faded = (jnp.where(known[(...,) + (None,) * (x.ndim - 1)], x, 0.0) for x in faded)
    log_det = jnp.where(jnp.isfinite(mixture.log_share), mixture.log_weight - mixture.log_share, 0.0)
    modes = (mixture.place, mixture.spread, mixture.narrow, log_det)
    evidence = jnp.concatenate([mixture.log_share - mixture.log_share[0], jnp.where(known, evidence, -jnp.inf)])
    # No mode gives way to a ridge; chains begin in the order of components.
    is_mode = jnp.arange(len(evidence)) < len(mixture.log_share)
    order = jnp.where(is_mode & jnp.isfinite(evidence), evidence + 1e6, evidence)
    best = jnp.argsort(-order)[:_MOST]
    place, spread, narrow, log_det = (jnp.concatenate(pair)[best] for pair in zip(modes, faded, strict=True))
    evidence, is_mode = evidence[best], is_mode[best]
    matters = is_mode | (evidence > jnp.max(evidence) - _NEGLIGIBLE)
    share = jnp.where(matters, _HEDGE * evidence, -jnp.inf)
    share = jax.nn.log_softmax(share)
    return LaplaceMixture(place, spread, narrow, share + log_det, share)


def _walk(potential, curvature, log_flux, optimum: Float[Array, " n"], source) -> Float[Array, "strides n"]:
    """The best places at which a source is fainter by one stride after the other."""

    def level(z):
        return log_flux(z)[source]

    def stride(z, target):
        def evaluate(z):
            value, slope = jax.value_and_grad(potential)(z[0])
            off, toward = jax.value_and_grad(level)(z[0])
            off = off - target
            return Point(
                z,
                value + 0.5 * _STIFFNESS * off**2,
                slope + _STIFFNESS * off * toward,
                curvature(z[0]) + _STIFFNESS * jnp.outer(toward, toward),
            )

        # The shortest way in the metric of the curvature: the others make up for it, to first order.
        flux, toward = jax.value_and_grad(level)(z)
        along = jnp.linalg.solve(curvature(z), toward)
        begin = z + (target - flux) * along / jnp.maximum(toward @ along, 1e-12)
        z = descend(evaluate, Point.unknown(begin[None]), _STEPS).point.u[0]
        return z, z

    targets = level(optimum) + _STRIDE * jnp.arange(1, _STRIDES + 1)
    return jax.lax.scan(stride, optimum, targets)[1]
