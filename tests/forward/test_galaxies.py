"""Size and ellipticity of galaxies and stars, as a catalogue reports them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import gammainc, gammaincinv

from jaxblend.forward.galaxies import BulgeDisk, DeVaucouleurs, Exponential, GalaxyOrStar, Sersic

DISK, SHEAR = 0.6, (0.3, -0.2)
RATIO, SHEAR_RATIO = 0.4, 0.25  # of the bulge, to the disk
CASES = [
    (Exponential(), [np.log(DISK), *SHEAR], [1.0]),
    (DeVaucouleurs(), [np.log(DISK), *SHEAR], [1.0]),
    (Sersic(), [np.log(DISK), *SHEAR, 2.5], [1.0]),
    (BulgeDisk(), [np.log(DISK), *SHEAR, np.log(RATIO), SHEAR_RATIO], [0.3, 0.7]),
]
every_model = pytest.mark.parametrize(
    ("model", "shape", "fractions"), [pytest.param(*case, id=type(case[0]).__name__) for case in CASES]
)


def half_light(fraction):
    """Of a de Vaucouleurs bulge and an exponential disk, from the growth curves."""

    def excess(r):
        bulge, disk = (
            gammainc(2 * n, gammaincinv(2 * n, 0.5) * (r / radius) ** (1 / n))
            for n, radius in ((4, RATIO * DISK), (1, DISK))
        )
        return fraction * bulge + (1 - fraction) * disk - 0.5

    return brentq(excess, 1e-3, 10, xtol=1e-12)


@eqx.filter_jit
def sizes(model, is_star, shapes, fractions):
    """Half-light radii (n,) and shears (n, 2) of sources of one model, each a star or not."""

    def one(is_star, shape, fractions):
        source = GalaxyOrStar(model, is_star)
        return source.half_light_radius(shape, fractions), source.shear(shape, fractions)

    return jax.vmap(one)(is_star, shapes, fractions)


@every_model
def test_a_star_has_neither_size_nor_shear_and_a_galaxy_its_own(model, shape, fractions):
    is_star = jnp.array([False, True, False])
    shapes, shares = (jnp.tile(jnp.asarray(values), (3, 1)) for values in (shape, fractions))
    radii, shears = sizes(model, is_star, shapes, shares)
    radius = half_light(fractions[0]) if len(fractions) == 2 else DISK
    scale = 1 - fractions[0] * (1 - SHEAR_RATIO) if len(fractions) == 2 else 1.0
    np.testing.assert_allclose(radii, [radius, 0.0, radius], rtol=1e-5)
    np.testing.assert_allclose(shears, scale * np.outer([1, 0, 1], SHEAR), rtol=1e-6)


@every_model
def test_nothing_moves_the_size_of_a_star(model, shape, fractions):
    """Where a branch is not taken its slope must not leak, least of all as NaN."""

    def total(shape, fractions, is_star):
        radii, shears = sizes(model, jnp.array([is_star]), shape[None], fractions[None])
        return radii.sum() + shears.sum()

    slopes = jax.grad(total, argnums=(0, 1))
    arguments = jnp.asarray(shape), jnp.asarray(fractions)
    for slope in slopes(*arguments, True):
        np.testing.assert_array_equal(slope, 0.0)
    of_shape, _ = slopes(*arguments, False)
    assert np.isfinite(of_shape).all()
    radii, _ = sizes(model, jnp.array([False]), arguments[0][None], arguments[1][None])
    np.testing.assert_allclose(of_shape[0], radii[0], rtol=1e-5)  # by the logarithm of a radius that scales them all


@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_size_and_shear_of_a_bulge_in_a_disk(fraction):
    shape = jnp.asarray(CASES[-1][1])
    radii, shears = sizes(BulgeDisk(), jnp.array([False]), shape[None], jnp.array([[fraction, 1 - fraction]]))
    np.testing.assert_allclose(radii[0], half_light(fraction), rtol=1e-5)
    np.testing.assert_allclose(shears[0], (1 - fraction + fraction * SHEAR_RATIO) * np.array(SHEAR), rtol=1e-5)


def test_the_slope_of_a_size_is_that_of_the_growth_curves():
    """Errors of radii come from it: the size is a root, found by bisection, which has no slope of its own."""
    with jax.enable_x64(True):
        shape, star = jnp.asarray(CASES[-1][1]), jnp.array([False])

        def radius(fraction):
            return sizes(BulgeDisk(), star, shape[None], jnp.stack([fraction, 1 - fraction])[None])[0][0]

        slope = jax.grad(radius)(jnp.asarray(0.3))
        step = 1e-4
        numeric = (half_light(0.3 + step) - half_light(0.3 - step)) / (2 * step)
        np.testing.assert_allclose(slope, numeric, rtol=1e-6)
