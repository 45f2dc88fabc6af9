import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad_vec
from scipy.special import gamma, gammaincinv, j0

from jaxblend.forward import profiles

K = np.array([0.0, 0.01, 0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 20.0])


def hankel(n):
    """Transform of the unit-flux Sersic profile by quadrature over t = (r / half-light radius)^(1/2n)."""
    b = gammaincinv(2 * n, 0.5)
    norm = b ** (2 * n) / (np.pi * 2 * n * gamma(2 * n))

    def integrand(t):
        r = t ** (2 * n)
        return 2 * np.pi * norm * np.exp(-b * t * t) * j0(K * r) * r * 2 * n * t ** (2 * n - 1)

    return quad_vec(integrand, 0, np.sqrt(40 / b), epsabs=1e-9, limit=20000)[0]


@pytest.mark.parametrize("n", [0.5, 0.6, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5])
def test_sersic_is_the_hankel_transform_of_its_profile(n):
    np.testing.assert_allclose(profiles.sersic(jnp.asarray(K**2), jnp.asarray(n)), hankel(n), atol=1e-5)


def test_de_vaucouleurs_is_the_hankel_transform_of_its_profile():
    few = K <= 2  # beyond, quadrature of the oscillating wings is slower than it is useful
    np.testing.assert_allclose(profiles.de_vaucouleurs(jnp.asarray(K[few] ** 2)), hankel(4.0)[few], atol=2e-5)


def test_closed_forms():
    k2 = jnp.asarray(np.linspace(0, 100, 200))
    sigma2 = 1 / (2 * np.log(2))  # of a Gaussian whose half-light radius is 1
    np.testing.assert_allclose(profiles.sersic(k2, jnp.asarray(0.5)), np.exp(-0.5 * k2 * sigma2), atol=1e-5)
    np.testing.assert_allclose(profiles.sersic(k2, jnp.asarray(1.0)), profiles.exponential(k2), atol=1e-5)
    r0 = 1 / 1.67834699
    np.testing.assert_allclose(profiles.exponential(k2), (1 + k2 * r0**2) ** -1.5, rtol=1e-5)


def test_sersic_4_is_de_vaucouleurs():
    k2 = jnp.asarray(np.logspace(-6, 5, 100))
    np.testing.assert_allclose(profiles.sersic(k2, jnp.asarray(4.0)), profiles.de_vaucouleurs(k2), atol=2e-5)


@pytest.mark.parametrize("n", [0.5, 0.9, 2.0, 4.0, 6.0])
def test_a_transform_is_one_at_zero_and_falls(n):
    value = profiles.sersic(jnp.asarray(np.linspace(0, 30, 300) ** 2), jnp.asarray(n))
    assert abs(value[0] - 1) < 2e-5
    assert float(value.max()) <= 1 + 1e-5
    assert float(value.min()) > -1e-5


@pytest.mark.parametrize("n", [0.6, 0.74, 0.76, 1.0, 1.3, 1.99, 2.01, 3.0, 4.0, 5.5])
def test_derivative_in_the_index(n):
    with jax.enable_x64(True):
        k2 = jnp.asarray(K**2)
        exact = jax.jacfwd(lambda m: profiles.sersic(k2, m))(jnp.asarray(n))
        h = 1e-5
        numeric = (profiles.sersic(k2, jnp.asarray(n + h)) - profiles.sersic(k2, jnp.asarray(n - h))) / (2 * h)
        np.testing.assert_allclose(exact, numeric, atol=1e-8)


def test_no_step_where_the_ranges_of_the_index_meet():
    with jax.enable_x64(True):
        k2 = jnp.asarray(K**2)
        for n in (0.75, 1.25, 2.0):
            below, above = (profiles.sersic(k2, jnp.asarray(n + d)) for d in (-1e-9, 1e-9))
            np.testing.assert_allclose(below, above, atol=5e-6)


@pytest.mark.parametrize(
    "profile", [profiles.exponential, profiles.de_vaucouleurs, lambda k2: profiles.sersic(k2, jnp.asarray(3.0))]
)
def test_derivatives_are_finite_everywhere(profile):
    k2 = jnp.asarray([0.0, 1e-20, 1.0, 1e6, 1e10])
    assert np.isfinite(jax.vmap(jax.grad(lambda x: profile(x[None])[0]))(k2)).all()


def test_the_slope_of_de_vaucouleurs_is_that_of_its_values():
    with jax.enable_x64(True):
        k2 = jnp.logspace(-4, 5, 60)
        slope = jax.vmap(jax.grad(profiles.de_vaucouleurs))(k2)
        step = 1e-4 * k2
        numeric = (profiles.de_vaucouleurs(k2 + step) - profiles.de_vaucouleurs(k2 - step)) / (2 * step)
        np.testing.assert_allclose(slope * k2, numeric * k2, atol=1e-8)
        curvature = jax.vmap(jax.grad(jax.grad(profiles.de_vaucouleurs)))(k2)
        numeric = (jax.vmap(jax.grad(profiles.de_vaucouleurs))(k2 + step) - slope) / step
        np.testing.assert_allclose(curvature * k2**2, numeric * k2**2, atol=1e-4)


def test_the_index_is_held_at_its_bounds():
    k2 = jnp.asarray(K**2)
    for inside, outside in ((0.5, 0.2), (6.0, 9.0)):
        np.testing.assert_array_equal(
            profiles.sersic(k2, jnp.asarray(outside)), profiles.sersic(k2, jnp.asarray(inside))
        )
