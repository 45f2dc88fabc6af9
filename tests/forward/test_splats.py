"""Mixtures of Gaussians against GalSim and draws of random points."""

import galsim
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblend.forward.splats import Splats, half_light_radius, on_the_sky, transform

RADIUS, G1, G2 = 1.7, 0.25, -0.15


@pytest.fixture(scope="module")
def splats():
    rng = np.random.default_rng(1)
    root = np.stack([rng.uniform(0.2, 0.8, 5), rng.uniform(-0.3, 0.3, 5), rng.uniform(0.2, 0.8, 5)], axis=1)
    share = rng.uniform(size=(2, 5))
    return Splats(rng.normal(0, 0.6, (5, 2)), root, share / share.sum(1, keepdims=True))


def in_galsim(splats, component):
    """One Gaussian is a round one, sheared and enlarged by the square root of its covariance."""
    pieces = []
    for place, (first, across, second), share in zip(splats.place, splats.root, splats.share[component], strict=True):
        factor = np.array([[first, 0], [across, second]])
        round_one = galsim.Gaussian(sigma=1.0).transform(*factor.ravel()).withFlux(share)
        pieces.append(round_one.shift(*place))
    return galsim.Sum(pieces).expand(RADIUS).withFlux(1.0).shear(g1=G1, g2=G2)


@pytest.mark.parametrize("component", [0, 1])
def test_transform_on_the_sky_is_that_of_galsim(splats, component):
    k = np.random.default_rng(2).uniform(-3, 3, (2, 1, 40))
    ours = transform(on_the_sky(splats, *map(jnp.asarray, (RADIUS, G1, G2))), *map(jnp.asarray, k))[component, 0]
    profile = in_galsim(splats, component)
    theirs = [profile.kValue(x, y) for x, y in zip(*k[:, 0], strict=True)]
    np.testing.assert_allclose(ours, theirs, atol=3e-6)


def test_half_of_all_points_are_within_the_radius(splats):
    rng = np.random.default_rng(3)
    fractions = np.array([0.3, 0.7])
    which = rng.choice(5, 200_000, p=fractions @ splats.share)
    first, across, second = splats.root[which].T
    a, b = rng.normal(size=(2, len(which)))
    points = splats.place[which] + np.stack([first * a, across * a + second * b], axis=1)
    expected = np.median(np.hypot(*points.T))
    assert half_light_radius(splats, jnp.asarray(fractions)) == pytest.approx(expected, rel=0.01)


def test_the_radius_of_one_gaussian_is_known_to_a_hundredth_and_has_a_slope():
    def radius(sigma):
        one = Splats(jnp.zeros((1, 2)), jnp.array([[1.0, 0.0, 1.0]]) * sigma, jnp.ones((1, 1)))
        return half_light_radius(one, jnp.ones(1))

    value, slope = jax.value_and_grad(radius)(0.8)
    assert value == pytest.approx(0.8 * np.sqrt(2 * np.log(2)), rel=0.007)
    assert slope == pytest.approx(float(value) / 0.8, rel=1e-3)


def plain(place, root, share, kx, ky):
    """The transform as it is written in books, for automatic differentiation."""
    x, y = place.T[:, :, None, None]
    first, across, second = root.T[:, :, None, None]
    form = (first * kx + across * ky) ** 2 + (second * ky) ** 2
    return jnp.tensordot(share.astype(complex), jnp.exp(-0.5 * form - 1j * (kx * x + ky * y)), 1)


@pytest.mark.parametrize("moved", [(0,), (1,), (2,), (3,), (0, 1, 2, 3, 4)], ids=str)
def test_its_slopes_are_those_of_automatic_differentiation(splats, moved):
    rng = np.random.default_rng(4)
    row_and_column = (1, 5), (4, 1)
    parts = [splats.place, splats.root, splats.share, *(rng.uniform(-3, 3, shape) for shape in row_and_column)]
    along = [rng.normal(size=parts[i].shape) for i in moved]

    def slopes(function, parts, along):
        def of(some):
            given = dict(zip(moved, some, strict=True))
            return function(*(given.get(i, part) for i, part in enumerate(parts)))

        some = [parts[i] for i in moved]
        return jax.jvp(of, (some,), (along,)), jax.grad(lambda some: jnp.abs(of(some)).sum())(some)

    with jax.enable_x64(True):
        both = [
            jax.jit(slopes, static_argnums=0)(function, parts, along)
            for function in (lambda place, root, share, *k: transform(Splats(place, root, share), *k), plain)
        ]
    jax.tree.map(lambda found, expected: np.testing.assert_allclose(found, expected, atol=1e-11), *both)
