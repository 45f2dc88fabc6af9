"""A posterior whose optimum is the narrow end of a long, bent ridge: most of it lies eight widths away."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from jaxblend.infer.mixture import LaplaceMixture
from jaxblend.infer.ridges import with_ridges
from jaxblend.infer.smc import importance_in_steps

SHARES, PLACES, WIDTHS = np.array([0.3, 0.7]), np.array([0.0, -1.2]), np.array([0.15, 0.5])
ACROSS = 0.1
N_DRAWS = 1000


def parts(z):
    """Log flux, and what its neighbour takes, from coordinates in which the end of the ridge is N(0, 1)."""
    flux = WIDTHS[0] * z[0]
    return flux, ACROSS * z[1] + 0.3 * flux**2


def potential(z):
    flux, taken = parts(z)
    along = jnp.log(SHARES / WIDTHS) - 0.5 * ((flux - PLACES) / WIDTHS) ** 2
    across = (taken - 0.3 * flux**2) / ACROSS
    return 0.5 * across**2 + 0.5 * z[2] ** 2 - jax.nn.logsumexp(along) + jnp.log(SHARES[0] / WIDTHS[0])


def curvature(z):
    return jnp.diag(jnp.array([(WIDTHS[0] / WIDTHS[1]) ** 2, 1.0, 1.0]))


def log_flux(z):
    # The second source is isolated: it cannot fade.
    return jnp.stack([parts(z)[0], 0.001 * z[2]])


@pytest.fixture(scope="module")
def end():
    return jax.tree.map(jnp.asarray, LaplaceMixture.of([np.zeros((1, 3))], [np.eye(3)], [0.0]))


@pytest.fixture(scope="module")
def ridge(end):
    return with_ridges(end, potential, curvature, log_flux, jnp.array([True, True]))


def faint(proposal, key):
    swarm = importance_in_steps(potential, proposal, jax.random.key(key), n_draws=N_DRAWS)
    return np.mean(np.asarray(swarm.z)[:, 0] * WIDTHS[0] < -0.6), float(swarm.log_evidence)


def test_the_ridge_is_in_the_proposal(ridge):
    flux = np.asarray(jax.vmap(lambda z: parts(z)[0])(ridge.place))[np.isfinite(ridge.log_share)]
    np.testing.assert_allclose(sorted(flux), [-2.1, -1.4, -0.7, 0.0], atol=0.1)
    np.testing.assert_allclose(jax.nn.logsumexp(ridge.log_share), 0.0, atol=1e-5)


def test_its_density_is_that_of_its_draws(ridge):
    """Integrated over a grid, and counted."""
    x = np.linspace(-30, 10, 801)
    points = jnp.stack([x, 0 * x, 0 * x], 1)
    density = np.exp(-np.asarray(jax.vmap(ridge.potential)(points))) / np.sqrt(2 * np.pi)
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=0.01)
    draws = np.asarray(ridge.draw_all(jax.random.key(0), 4000))[:, 0]
    inside = np.trapezoid(np.where(x < -5, density, 0.0), x)
    assert np.mean(draws < -5) == pytest.approx(inside, abs=0.02)


def test_draws_reach_all_of_it_with_the_ridge_alone(end, ridge):
    exact = np.sum(SHARES * norm.cdf((-0.6 - PLACES) / WIDTHS))
    found, evidence = faint(ridge, 1)
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 300))
    # The end alone has unit volume; all of the ridge has that of its share.
    assert evidence == pytest.approx(-np.log(SHARES[0]), abs=0.15)
    assert faint(end, 1)[0] < 0.8 * exact


def test_absent_sources_have_no_ridge(end):
    mixture = with_ridges(end, potential, curvature, log_flux, jnp.array([False, True]))
    assert np.isfinite(mixture.log_share).sum() == 1
    np.testing.assert_allclose(mixture.potential(jnp.ones(3)), end.potential(jnp.ones(3)), rtol=1e-5)


def test_no_mode_gives_way_to_a_ridge(end):
    far = [np.zeros((1, 3)), np.array([[0.0, 0.0, 40.0]])]
    modes = jax.tree.map(jnp.asarray, LaplaceMixture.of(far, [np.eye(3)] * 2, [0.0, -7.0]))
    four = jnp.array([True] * 4)

    def faint_sources(z):
        return jnp.stack([0.5 * z[0], 0.4 * z[1], 0.3 * z[2], 0.5 * z[0] + 0.2 * z[1]])

    mixture = with_ridges(modes, lambda z: 0.05 * z @ z, lambda z: 0.1 * jnp.eye(3), faint_sources, four)
    assert np.isfinite(mixture.log_share).sum() == 10
    np.testing.assert_allclose(mixture.place[1], far[1][0], atol=1e-5)
    assert np.isfinite(mixture.log_share[:2]).all()
