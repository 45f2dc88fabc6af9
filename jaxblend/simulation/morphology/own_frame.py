"""The normalised frame of a galaxy: its centre, its ellipticity and the radius that holds half of its light."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblend.simulation.morphology.light import brightness, shares
from jaxblend.simulation.morphology.pieces import Structure

__all__ = ["OwnFrame", "own_frame"]

_RADII, _ANGLES = 36, 36
_WITHIN = (0.01, 30.0)  # half-light radii of the disk
_SPACING = np.log(_WITHIN[1] / _WITHIN[0]) / (_RADII - 1)
_ROUNDS = 10
_BISECTIONS = 14
_WEIGHT = 1.2  # standard deviation, in half-light radii, of the Gaussian that weighs moments
_MOST = 0.3  # reduced shear between a face-on disk and its frame: two galaxies are not made one round one


class OwnFrame(NamedTuple):
    """``point = centre + axes @ normalised point``; ``axes`` is symmetric: a radius times a shear."""

    centre: Float[Array, "2"]
    axes: Float[Array, "2 2"]


def own_frame(galaxy: Structure) -> OwnFrame:
    """The frame in which a galaxy is centred, round and has half of its light within a radius of 1.

    Centre and ellipticity are those of adaptive moments (Bernstein & Jarvis 2002, AJ 123, 583) with a weight of a width
    that is given by the half-light radius.
    """
    x, y, light = _points(galaxy)

    def adapt(_, carry):
        centre, axes = carry
        away = jnp.linalg.solve(axes, jnp.stack([x, y]) - centre[:, None])
        weight = light * jnp.exp(-0.5 * jnp.sum(away**2, axis=0) / _WEIGHT**2)
        weight = weight / (weight.sum() + 1e-12)
        offset = away @ weight
        # A round floor changes no round frame, and where one point has nearly all of the light it is its extent.
        second = (away * weight) @ away.T - jnp.outer(offset, offset) + 0.01 * jnp.eye(2)
        centre = centre + axes @ offset
        # A little less than what is seen of the ellipticity is taken out in each round, so that none overshoots.
        step = second / jnp.sqrt(jnp.linalg.det(second))
        stretched = axes @ (jnp.eye(2) + 0.8 * (step - jnp.eye(2))) @ axes.T
        axes = _held(_square_root(stretched / jnp.sqrt(jnp.linalg.det(stretched))))
        return centre, axes * _half_light(x, y, light, centre, axes)

    centre, axes = jax.lax.fori_loop(0, _ROUNDS, adapt, (jnp.zeros(2), jnp.eye(2)))
    return OwnFrame(centre, axes)


def _points(galaxy: Structure):
    """Places x, y (n,) on a polar grid and of the clumps, and the light of each."""
    log_radius = np.linspace(np.log(_WITHIN[0]), np.log(_WITHIN[1]), _RADII)
    angle = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    radius = np.exp(log_radius)
    x, y = (jnp.asarray((radius[:, None] * side).ravel()) for side in (np.cos(angle), np.sin(angle)))
    area = np.repeat(radius**2 * _SPACING * 2 * np.pi / _ANGLES, _ANGLES)
    light = jnp.concatenate([brightness(galaxy, x, y) * area, shares(galaxy)["clumps"]], axis=1)
    clump_x, clump_y = galaxy.clump_place.T
    both = jnp.stack([galaxy.old_share, 1 - galaxy.old_share])
    return jnp.concatenate([x, clump_x]), jnp.concatenate([y, clump_y]), both @ light


def _half_light(x, y, light, centre, axes):
    """Radius that holds half of the light, by bisection; a point on the circle is half within it."""
    away = jnp.linalg.solve(axes, jnp.stack([x, y]) - centre[:, None])
    log_radius = 0.5 * jnp.log(jnp.sum(away**2, axis=0) + 1e-12)
    half = 0.5 * light.sum()

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        within = light @ jnp.clip((middle - log_radius) / _SPACING + 0.5, 0.0, 1.0)
        return jnp.where(within < half, middle, low), jnp.where(within < half, high, middle)

    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, tuple(map(jnp.log, jnp.array([0.05, 20.0]))))
    return jnp.exp(0.5 * (low + high))


def _square_root(matrix):
    """Of a symmetric positive 2 x 2 matrix."""
    root = jnp.sqrt(jnp.linalg.det(matrix))
    return (matrix + root * jnp.eye(2)) / jnp.sqrt(jnp.trace(matrix) + 2 * root)


def _held(axes):
    """A symmetric matrix of unit determinant, its shear within the limit."""
    g = jnp.stack([0.5 * (axes[0, 0] - axes[1, 1]), axes[0, 1]]) / (0.5 * jnp.trace(axes))
    g1, g2 = g * jnp.minimum(1.0, _MOST * jax.lax.rsqrt(g @ g + 1e-12))
    return jnp.array([[1 + g1, g2], [g2, 1 - g1]]) * jax.lax.rsqrt(1 - g1**2 - g2**2)
