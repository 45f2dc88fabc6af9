"""What a galaxy with structure is made of, and random ones.

Lengths are in half-light radii of the disk, seen face-on: size, inclination and position angle are those of the frame
that the galaxy is drawn in. Light is divided between an old component (bulge, bar) and a young one (disk, arms, ring,
clumps), whose colours differ; a companion has both.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["CLUMPS", "KINDS", "Structure", "draw_structure"]

CLUMPS = 10
KINDS = {"early": 0.25, "smooth": 0.2, "spiral": 0.3, "clumpy": 0.15, "merger": 0.1}


class Structure(NamedTuple):
    """One galaxy; shares are of the light of the component that a piece belongs to.

    Attributes
    ----------
    old_share : ()
        Of the light of both components, in a band between the bluest and the reddest.
    colour : ()
        By how much the logit of ``old_share`` grows from the bluest to the reddest band.
    bulge_radius, bulge_index : ()
        Half-light radius and Sersic index.
    bulge_shear : (2,)
        Reduced shear, relative to the disk.
    bulge_place : (2,)
        Off the disk's centre.
    disk_index : ()
        Sersic index.
    bar : (4,)
        Share of the old light, half length, axis ratio, position angle.
    arms : (5,)
        Number of arms, contrast, tangent of the pitch angle (its sign is the way they wind), phase, radius at which
        they begin.
    lopsided : (2,)
        Vector of the disk's m = 1 excess.
    ring : (3,)
        Share of the young light, radius, width.
    clump_share, clump_width : (clumps,)
        Shares of the young light, and standard deviations.
    clump_place : (clumps, 2)
    companion : (7,)
        Share of all light, half-light radius, Sersic index, reduced shear (2), place (2).
    """

    old_share: Float[Array, ""]
    colour: Float[Array, ""]
    bulge_radius: Float[Array, ""]
    bulge_index: Float[Array, ""]
    bulge_shear: Float[Array, "2"]
    bulge_place: Float[Array, "2"]
    disk_index: Float[Array, ""]
    bar: Float[Array, "4"]
    arms: Float[Array, "5"]
    lopsided: Float[Array, "2"]
    ring: Float[Array, "3"]
    clump_share: Float[Array, " clumps"]
    clump_width: Float[Array, " clumps"]
    clump_place: Float[Array, "clumps 2"]
    companion: Float[Array, "7"]


def draw_structure(key) -> Structure:
    """One random galaxy.

    Frequencies and sizes are round numbers of the right order, wide enough to hold what is seen: bars in a third of
    disks (Masters et al. 2011, MNRAS 411, 2026), pitch angles of 10 to 35 degrees (Ma 2001, ChJAA 1, 395), clumps with
    a few to thirty per cent of a galaxy's light (Guo et al. 2015, ApJ 800, 39), one galaxy in ten with a companion.
    """
    keys = iter(jax.random.split(key, 64))

    def normal(mean=0.0, scatter=1.0, shape=()):
        return mean + scatter * jax.random.normal(next(keys), shape)

    def uniform(low, high, shape=()):
        return jax.random.uniform(next(keys), shape, minval=low, maxval=high)

    def chance(probability):
        return jax.random.bernoulli(next(keys), probability)

    names, weights = list(KINDS), jnp.log(jnp.asarray(list(KINDS.values())))
    kind = jax.random.categorical(next(keys), weights)
    early, spiral, clumpy, merger = (kind == names.index(name) for name in ("early", "spiral", "clumpy", "merger"))
    # Mergers are as disturbed as clumpy galaxies, and half of them have tails, which are single arms.
    clumpy |= merger & chance(0.5)
    tails = merger & chance(0.5)

    old_logit = jnp.where(early, normal(1.5, 1.2), normal(-1.8, 1.3))
    bulge_index = jnp.clip(jnp.exp(jnp.where(early, normal(1.1, 0.35), normal(0.7, 0.45))), 0.7, 5.5)
    bulge_radius = jnp.exp(jnp.where(early, normal(-0.2, 0.35), normal(-1.1, 0.45)))
    spread = jnp.where(clumpy, 0.1, 0.02)

    number = jax.random.categorical(next(keys), jnp.log(jnp.array([0.1, 0.5, 0.2, 0.2]))) + 1.0
    contrast = jnp.where(spiral, uniform(0.4, 2.5), 0.0)
    pitch = jnp.tan(jnp.deg2rad(uniform(10.0, 35.0)))
    arms = jnp.stack([number, contrast, pitch, uniform(0.0, 2 * jnp.pi), uniform(0.2, 0.7)])
    tail = jnp.stack([jnp.ones(()), 2.5 * jnp.ones(()), pitch, arms[3], jnp.ones(())])
    arms = jnp.where(tails, tail, arms)

    barred = chance(0.35) & ~early
    bar = jnp.stack(
        [jnp.where(barred, uniform(0.2, 0.7), 0.0), uniform(0.3, 0.9), uniform(0.2, 0.45), uniform(0.0, jnp.pi)]
    )
    ringed = chance(0.15) & ~early
    ring = jnp.stack([jnp.where(ringed, uniform(0.05, 0.35), 0.0), uniform(0.5, 1.8), uniform(0.08, 0.25)])

    lopsided = jnp.where(early, 0.02, 0.15) * normal(shape=(2,)) + jnp.where(clumpy | tails, 0.3, 0.0) * normal(
        shape=(2,)
    )
    knots = jnp.where(clumpy, uniform(0.08, 0.5), jnp.where(spiral, uniform(0.0, 0.2), 0.0))
    weights = jnp.exp(normal(0.0, 1.2, (CLUMPS,)))
    distance = jnp.sqrt(-2 * jnp.log(uniform(1e-3, 1.0, (CLUMPS,)))) * 0.75
    clump_angle = uniform(0.0, 2 * jnp.pi, (CLUMPS,))

    share = jnp.where(merger, jax.nn.sigmoid(normal(-1.0, 0.8)), 0.0)
    apart, angle = jnp.exp(uniform(jnp.log(0.6), jnp.log(3.0))), uniform(0.0, 2 * jnp.pi)
    companion = jnp.concatenate(
        [
            jnp.stack([share, jnp.exp(normal(-0.6, 0.4)), jnp.clip(jnp.exp(normal(0.3, 0.4)), 0.7, 4.0)]),
            _shear(normal(0.0, 0.2, (2,))),
            apart * jnp.stack([jnp.cos(angle), jnp.sin(angle)]),
        ]
    )
    arms = arms.at[2].multiply(jnp.where(chance(0.5), 1.0, -1.0))  # as many wind one way as the other
    return Structure(
        old_share=jax.nn.sigmoid(old_logit),
        colour=jnp.abs(normal(0.8, 0.6)),
        bulge_radius=bulge_radius,
        bulge_index=bulge_index,
        bulge_shear=_shear(normal(0.0, 0.15, (2,))),
        bulge_place=spread * normal(shape=(2,)),
        disk_index=jnp.clip(jnp.exp(normal(0.0, 0.2)), 0.6, 1.8),
        bar=bar,
        arms=arms,
        # One arm that is also brighter on one side would have another flux.
        lopsided=jnp.where(arms[0] == 1, 0.0, jnp.clip(lopsided, -0.6, 0.6)),
        ring=ring,
        clump_share=(1 - ring[0]) * knots * weights / weights.sum(),
        clump_width=jnp.exp(uniform(jnp.log(0.03), jnp.log(0.18), (CLUMPS,))),
        clump_place=_towards_arms(distance, clump_angle, arms),
        companion=companion,
    )


def _shear(v):
    return v / jnp.sqrt(1 + 4 * v @ v)  # |g| < 1/2


def _towards_arms(distance, angle, arms):
    """Places (clumps, 2) whose angles are drawn towards the crests of the arms, the more so the higher these are."""
    number, contrast, pitch, phase, start = arms
    crest = number * (angle - phase) - number * jnp.log(distance / start) / pitch
    angle = angle - jnp.tanh(contrast) * jnp.sin(crest) / number
    return distance[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
