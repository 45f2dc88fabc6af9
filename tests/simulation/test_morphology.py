"""Galaxies with structure: their pieces against GalSim, their fluxes, and the frame they are normalised in."""

import galsim
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblend.simulation.morphology.light import brightness, shares, smooth_transform, structured_brightness
from jaxblend.simulation.morphology.own_frame import own_frame
from jaxblend.simulation.morphology.pieces import draw_structure

N = 24
SIDE, PIXEL = 256, 0.1  # of the disk's half-light radius


@pytest.fixture(scope="module")
def galaxies():
    """Random ones, stacked."""
    return jax.jit(jax.vmap(draw_structure))(jax.random.split(jax.random.key(4), N))


def one_of(galaxies, i):
    return jax.tree.map(lambda leaf: leaf[i], galaxies)


def in_galsim(galaxy, young):
    """All but bar, ring and arms of one component."""

    def sersic(share, radius, index, shear, place):
        profile = galsim.Sersic(n=float(index), half_light_radius=float(radius), flux=float(share))
        return profile.shear(g1=float(shear[0]), g2=float(shear[1])).shift(*map(float, place))

    share, radius, index, *rest = galaxy.companion
    own = 1 - share
    pieces = [sersic(share, radius, index, rest[:2], rest[2:])]
    if young:
        knots = galaxy.clump_share
        pieces.append(sersic(own * (1 - galaxy.ring[0] - knots.sum()), 1.0, galaxy.disk_index, (0, 0), (0, 0)))
        for light, width, place in zip(knots, galaxy.clump_width, galaxy.clump_place, strict=True):
            knot = galsim.Gaussian(sigma=float(width), flux=float(own * light))
            pieces.append(knot.shift(*map(float, place)))
    else:
        bulge = galaxy.bulge_radius, galaxy.bulge_index, galaxy.bulge_shear, galaxy.bulge_place
        pieces.append(sersic(own * (1 - galaxy.bar[0]), *bulge))
    return galsim.Sum(pieces)


def test_smooth_light_is_that_of_galsim(galaxies):
    k = jnp.asarray(np.random.default_rng(0).uniform(-8, 8, (2, 1, 20)), jnp.float32)
    waves = jax.jit(lambda galaxies: jax.vmap(lambda g: smooth_transform(g, *k))(galaxies))(galaxies)
    for i in range(0, N, 3):
        for young in (False, True):
            profile = in_galsim(one_of(galaxies, i), young)
            expected = [profile.kValue(float(x), float(y)) for x, y in zip(*k[:, 0], strict=True)]
            np.testing.assert_allclose(waves[i, int(young), 0], expected, atol=1e-4)


def test_both_components_have_unit_flux_and_no_light_below_zero(galaxies):
    grid = (np.arange(SIDE) - 0.5 * (SIDE - 1)) * PIXEL
    x, y = map(jnp.asarray, np.meshgrid(grid, grid))

    @jax.jit
    def lights(galaxies):
        smooth = jax.vmap(lambda g: smooth_transform(g, jnp.zeros((1, 1)), jnp.zeros((1, 1))))(galaxies)
        drawn = jax.lax.map(lambda g: structured_brightness(g, x, y), galaxies)
        whole = jax.lax.map(lambda g: brightness(g, x, y).min(), galaxies)
        return smooth[..., 0, 0].real + drawn.sum((-2, -1)) * PIXEL**2, whole

    flux, lowest = lights(galaxies)
    np.testing.assert_allclose(flux, 1.0, atol=0.03)  # rings are normalised as if they were thin
    assert np.min(lowest) >= -1e-6


def test_in_its_own_frame_a_galaxy_is_centred_and_half_of_its_light_is_within_one(galaxies):
    grid = (np.arange(SIDE) - 0.5 * (SIDE - 1)) * PIXEL
    points = jnp.asarray(np.stack(np.meshgrid(grid, grid)))

    @jax.jit
    def seen(galaxies):
        def one(galaxy):
            frame = own_frame(galaxy)
            x, y = frame.centre[:, None, None] + jnp.einsum("ij,jab->iab", frame.axes, points)
            light = brightness(galaxy, x, y) * jnp.linalg.det(frame.axes) * PIXEL**2
            knots = jnp.linalg.solve(frame.axes, galaxy.clump_place.T - frame.centre[:, None])
            both = jnp.stack([galaxy.old_share, 1 - galaxy.old_share])
            place = jnp.concatenate([points.reshape(2, -1), knots], axis=1)
            return place, both @ jnp.concatenate([light.reshape(2, -1), shares(galaxy)["clumps"]], axis=1), frame

        return jax.lax.map(one, galaxies)

    places, light, frames = (jax.tree.map(np.asarray, tree) for tree in seen(galaxies))
    x, y = np.moveaxis(places, 1, 0)
    within = (light * (np.hypot(x, y) < 1)).sum(1)
    # A cusp is hard to sum on either grid.
    np.testing.assert_allclose(np.median(within), 0.5, atol=0.01)
    assert np.all(np.abs(within - 0.5) < 0.06)
    weight = light * np.exp(-0.5 * (x**2 + y**2) / 1.2**2)
    weight /= weight.sum(1, keepdims=True)
    off = np.hypot((weight * x).sum(1), (weight * y).sum(1))
    assert np.max(off) < 0.05
    stretch = np.hypot(frames.axes[:, 0, 0] - frames.axes[:, 1, 1], 2 * frames.axes[:, 0, 1])
    held = stretch / np.trace(frames.axes, axis1=1, axis2=2) > 0.299  # shears are held within 0.3
    second = np.hypot((weight * (x**2 - y**2)).sum(1), 2 * (weight * x * y).sum(1))
    assert np.max((second / (weight * (x**2 + y**2)).sum(1))[~held]) < 0.05
    assert held.mean() < 0.2
