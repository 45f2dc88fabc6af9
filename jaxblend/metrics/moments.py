"""Adaptive second moments of images, by the method of HSM.

The moments are those of the elliptical Gaussian that fits the image best: the image is weighted by a Gaussian, and
the Gaussian is moved and reshaped until the weighted moments are its own.

References
----------
.. [1] Bernstein & Jarvis 2002, AJ 123, 583.
.. [2] Hirata & Seljak 2003, MNRAS 343, 459: the algorithm of ``galsim.hsm.FindAdaptiveMom``, which the iteration and
   its limits follow.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxblend.metrics.checks import alike, mask

__all__ = ["AdaptiveMoments", "adaptive_moments"]

LARGEST_STEP = 0.25  # of a centre in minor axes, of a moment in minor axes squared: GalSim's bound_correct_wt
TOLERANCE = 1e-6  # of steps in those units: GalSim's convergence_threshold
ROUNDINGS = 100.0  # times eps, where that is coarser


class AdaptiveMoments(NamedTuple):
    """Best-fitting elliptical Gaussians; NaN where the iteration did not converge.

    Attributes
    ----------
    flux
        Of the Gaussian, in the image's unit (``moments_amp`` of GalSim).
    position
        Centre x, y in pixels.
    sigma
        Size, ``det(M) ** (1/4)``, in pixels.
    g
        Reduced shear g1, g2 that belongs to the moments; their distortion, ``(Mxx - Myy, 2 Mxy) / (Mxx + Myy)``, is
        `distortion` of it.
    rho4
        Weighted fourth moment in units of the Gaussian: 2 for a Gaussian.
    iterations
        How many were done.
    converged
        Whether moments were found.
    """

    flux: Float[Array, "..."]
    position: Float[Array, "... 2"]
    sigma: Float[Array, "..."]
    g: Float[Array, "... 2"]
    rho4: Float[Array, "..."]
    iterations: Int[Array, "..."]
    converged: Bool[Array, "..."]


class _State(NamedTuple):
    centre: Float[Array, "2"]
    moments: Float[Array, "3"]  # xx, yy, xy
    amplitude: Float[Array, ""]
    rho4: Float[Array, ""]
    change: Float[Array, ""]
    iteration: Int[Array, ""]
    failed: Bool[Array, ""]


def adaptive_moments(
    image: Any,
    *,
    position: Any = None,
    sigma: float = 5.0,
    where: Any = None,
    tolerance: float | None = None,
    max_iterations: int = 400,
) -> AdaptiveMoments:
    """Centre, size and ellipticity of an image.

    With ``W = exp(-rho^2 / 2)``, ``rho^2 = (x - x0)^T M^-1 (x - x0)``, the centre and M are sought for which
    ``sum(I W (x - x0)) = 0`` and ``M = 2 sum(I W (x - x0)(x - x0)^T) / sum(I W)`` [1, 2].

    No PSF is undone: an error of shape is the difference of two such measurements, of the estimated and of the true
    image (see `moments_residual`).

    Parameters
    ----------
    image : (..., H, W) array
        Images of one source each.
    position : (..., 2) array, optional
        Pixels x, y to start from; the middle of the image by default.
    sigma : float
        Size to start from, in pixels; GalSim's by default.
    where : (..., H, W) booleans, optional
        Pixels that count. An image without any does not converge.
    tolerance : float, optional
        Largest last step, in minor axes; 1e-6 by default, or 100 times the rounding where that is more.
    max_iterations : int
        Where it gives up. A batch goes on until its slowest member is done; the others no longer change.

    Returns
    -------
    AdaptiveMoments
        Not converged are images whose weighted flux becomes 0 or less, whose weight degenerates or becomes larger
        than the image, or whose centre leaves the image.

    Raises
    ------
    ValueError
        If shapes do not match, or what counts is not finite.
    """
    shape = jnp.shape(image)
    if len(shape) < 2:
        raise ValueError(f"image must be (..., H, W), got shape {shape}")
    image, where = alike(mask(where, shape), image=image)
    middle = jnp.array([shape[-1] - 1, shape[-2] - 1], image.dtype) / 2
    position = jnp.broadcast_to(middle if position is None else jnp.asarray(position, image.dtype), (*shape[:-2], 2))
    if tolerance is None:
        tolerance = max(TOLERANCE, ROUNDINGS * float(jnp.finfo(image.dtype).eps))
    found = _moments_of_each(
        image.reshape(-1, *shape[-2:]), position.reshape(-1, 2), sigma, tolerance, max_iterations=max_iterations
    )
    return jax.tree.map(lambda a: a.reshape(*shape[:-2], *a.shape[1:]), found)


@partial(jax.jit, static_argnames="max_iterations")
def _moments_of_each(
    images: Float[Array, "N H W"], starts: Float[Array, "N 2"], sigma: Any, tolerance: Any, max_iterations: int
) -> AdaptiveMoments:
    one = partial(_moments, sigma=sigma, tolerance=tolerance, max_iterations=max_iterations)
    return jax.vmap(one)(images, starts)


def _moments(
    image: Float[Array, "H W"], start: Float[Array, "2"], sigma: Any, tolerance: Any, max_iterations: int
) -> AdaptiveMoments:
    height, width = image.shape
    # From the start, so that squares keep their digits in float32.
    x, y = jnp.arange(width) - start[0], jnp.arange(height) - start[1]
    zero, moments = jnp.zeros((), image.dtype), jnp.array([1.0, 1.0, 0.0], image.dtype) * sigma**2
    state = _State(jnp.zeros(2, image.dtype), moments, zero, zero, zero + jnp.inf, jnp.array(0), ~(moments[0] > 0))

    def unfinished(state):
        return (state.change > tolerance) & (state.iteration < max_iterations) & ~state.failed

    def step(state):
        return _checked(_step(state, image, x, y), x, y)

    state = jax.lax.while_loop(unfinished, step, state)
    converged = (state.change <= tolerance) & ~state.failed
    xx, yy, xy = state.moments
    size2 = jnp.sqrt(xx * yy - xy**2)
    found = (
        2.0 * state.amplitude,
        start + state.centre,
        jnp.sqrt(size2),
        jnp.stack([xx - yy, 2.0 * xy]) / (xx + yy + 2.0 * size2),
        state.rho4,
    )
    flux, position, size, g, rho4 = (jnp.where(converged, a, jnp.nan) for a in found)
    return AdaptiveMoments(flux, position, size, g, rho4, state.iteration, converged)


def _step(state: _State, image: Array, x: Array, y: Array) -> _State:
    """Move centre and moments towards what the weighted image says, by a bounded step."""
    xx, yy, xy = state.moments
    u, v = x - state.centre[0], (y - state.centre[1])[:, None]
    rho2 = (yy * u**2 + xx * v**2 - 2.0 * xy * u * v) / (xx * yy - xy**2)
    weighted = image * jnp.exp(-0.5 * rho2)
    amplitude = weighted.sum()
    first = jnp.stack([(weighted * u).sum(), (weighted * v).sum()]) / amplitude
    second = jnp.stack([(weighted * u**2).sum(), (weighted * v**2).sum(), (weighted * u * v).sum()]) / amplitude
    minor2 = _minor2(state.moments)
    minor = jnp.sqrt(minor2)
    shift = jnp.clip(2.0 * first / minor, -LARGEST_STEP, LARGEST_STEP)
    change = jnp.clip(4.0 * (second - 0.5 * state.moments) / minor2, -LARGEST_STEP, LARGEST_STEP)
    return _State(
        state.centre + shift * minor,
        state.moments + change * minor2,
        amplitude,
        (weighted * rho2**2).sum() / amplitude,
        jnp.maximum(jnp.abs(shift).max(), jnp.abs(change).max()),
        state.iteration + 1,
        ~(amplitude > 0),
    )


def _checked(state: _State, x: Array, y: Array) -> _State:
    xx, yy, _ = state.moments
    inside = (state.centre > jnp.stack([x[0], y[0]])).all() & (state.centre < jnp.stack([x[-1], y[-1]])).all()
    small = jnp.maximum(xx, yy) < max(len(x), len(y)) ** 2
    sound = inside & small & (_minor2(state.moments) > 0) & jnp.isfinite(state.change)
    return state._replace(failed=state.failed | ~sound)


def _minor2(moments: Float[Array, "3"]) -> Float[Array, ""]:
    xx, yy, xy = moments
    return 0.5 * (xx + yy - jnp.hypot(xx - yy, 2.0 * xy))
