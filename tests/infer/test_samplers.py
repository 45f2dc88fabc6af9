"""Samplers against posteriors that are known: a Gaussian, two modes, a bent ridge, and a wall."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float
from scipy import integrate, stats

from jaxblend.infer.correction import corrected
from jaxblend.infer.mixture import LaplaceMixture
from jaxblend.infer.nuts import nuts
from jaxblend.infer.smc import importance_in_steps
from jaxblend.infer.svi import svi

N_DRAWS = 1000


class Gaussian(eqx.Module):
    """``(z - mean)^T precision (z - mean) / 2``."""

    mean: Float[Array, " n"]
    precision: Float[Array, "n n"]

    def __call__(self, z):
        return 0.5 * (z - self.mean) @ self.precision @ (z - self.mean)


def proposal(n=3):
    return jax.tree.map(jnp.asarray, LaplaceMixture.of([np.zeros((1, n))], [np.eye(n)], [0.0]))


def gaussian():
    spread = np.array([[1.5, 0, 0], [0.6, 0.8, 0], [-0.3, 0.2, 0.5]])
    covariance = spread @ spread.T
    return Gaussian(jnp.array([0.8, -0.5, 0.3]), jnp.asarray(np.linalg.inv(covariance))), covariance


def assert_moments(z, mean, covariance, effective):
    errors = np.sqrt(np.diag(covariance) / effective)
    assert (np.abs(z.mean(0) - mean) < 4.5 * errors).all()
    scatter = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / effective)
    assert (np.abs(np.cov(z.T) - covariance) < 4.5 * scatter).all()


def test_importance_in_steps_reaches_a_gaussian_and_its_evidence():
    target, covariance = gaussian()
    swarm = importance_in_steps(target, proposal(), jax.random.key(0), n_draws=N_DRAWS)
    assert swarm.reached == 1
    assert_moments(np.asarray(swarm.z, float), np.asarray(target.mean), covariance, 400)
    # Both integrals have the same 2 pi.
    assert swarm.log_evidence == pytest.approx(0.5 * np.linalg.slogdet(covariance)[1], abs=0.15)


def test_nuts_draws_from_a_gaussian():
    target, covariance = gaussian()
    chains = nuts(target, jnp.zeros((4, 3)), jax.random.key(1), n_draws=400, warmup=200)
    assert chains.z.shape == (4, 400, 3)
    assert not chains.diverging.any()
    assert_moments(np.asarray(chains.z, float).reshape(-1, 3), np.asarray(target.mean), covariance, 500)


class LinearModel(eqx.Module):
    """Data of unit noise, a linear model, a unit normal prior, all in the whitened coordinates of a rough guess."""

    design: Float[Array, "d n"]
    data: Float[Array, " d"]
    centre: Float[Array, " n"]
    spread: Float[Array, "n n"]

    def __call__(self, z):
        u = self.centre + self.spread @ z
        return 0.5 * jnp.sum((self.design @ u - self.data) ** 2) + 0.5 * u @ u


@pytest.fixture(scope="module")
def linear():
    """Model, exact mean and covariance of z, and the exact log evidence in ``LinearModel``'s constants."""
    rng = np.random.default_rng(7)
    design, n = rng.normal(size=(40, 8)), 8
    data = design @ rng.normal(size=n) + rng.normal(size=40)
    covariance = np.linalg.inv(design.T @ design + np.eye(n))
    spread = np.linalg.cholesky(covariance) @ (np.eye(n) + 0.2 * np.tril(rng.normal(size=(n, n)), -1))
    inverse = np.linalg.inv(spread)
    exact = covariance @ design.T @ data
    centre = exact + np.linalg.cholesky(covariance) @ rng.normal(size=n)
    mean = inverse @ (exact - centre)
    marginal = stats.multivariate_normal(np.zeros(40), design @ design.T + np.eye(40)).logpdf(data)
    evidence = marginal + 20 * np.log(2 * np.pi) - np.linalg.slogdet(spread)[1]
    model = LinearModel(*map(jnp.asarray, (design, data, centre, spread)))
    return model, mean, inverse @ covariance @ inverse.T, evidence


def test_importance_is_exact_for_a_linear_model(linear):
    target, mean, covariance, evidence = linear
    swarm = importance_in_steps(target, proposal(8), jax.random.key(0), n_draws=N_DRAWS)
    assert_moments(np.asarray(swarm.z, float), mean, covariance, 400)
    assert swarm.log_evidence == pytest.approx(evidence, abs=0.3)


def test_nuts_is_exact_for_a_linear_model(linear):
    target, mean, covariance, _ = linear
    chains = nuts(target, jnp.zeros((4, 8)), jax.random.key(1), n_draws=400, warmup=200)
    assert_moments(np.asarray(chains.z, float).reshape(-1, 8), mean, covariance, 500)


def test_a_normal_guide_is_exact_for_a_linear_model(linear):
    target, mean, covariance, evidence = linear
    found = svi(target, 8, jax.random.key(2), n_draws=2000, steps=1500)
    z = np.asarray(found.z, float)
    # The optimiser's noise is what is left: a few hundredths of the posterior's width.
    np.testing.assert_allclose(z.mean(0), mean, atol=0.12 * np.sqrt(np.diag(covariance).max()))
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.15 * np.diag(covariance).max())
    weights = np.asarray(found.log_weights, float)
    estimate = np.logaddexp.reduce(weights) - np.log(len(weights)) - 4 * np.log(2 * np.pi)
    assert estimate == pytest.approx(evidence, abs=0.1)
    assert np.mean(found.bound[-100:]) - 4 * np.log(2 * np.pi) < evidence + 0.05


@pytest.mark.slow
def test_a_guide_may_be_chosen():
    from numpyro.infer.autoguide import AutoIAFNormal

    found = svi(bent, 3, jax.random.key(3), n_draws=2000, steps=1500, guide=AutoIAFNormal)
    plain = svi(bent, 3, jax.random.key(3), n_draws=2000, steps=1500)
    # A flow bends where a Gaussian cannot.
    assert np.mean(found.bound[-100:]) > np.mean(plain.bound[-100:]) + 0.3


def test_modes_keep_their_weights():
    places, widths, shares = np.array([-6.0, 6.0]), np.array([0.5, 1.5]), np.array([0.3, 0.7])

    def target(z):
        each = jnp.log(shares / widths) - 0.5 * ((z[0] - places) / widths) ** 2
        return 0.5 * z[1] ** 2 - jax.nn.logsumexp(each)

    modes = [np.array([[place, 0.0]]) for place in places]
    roots = [np.diag([width, 1.0]) for width in widths]
    # The first mode is that of the whitened coordinates: z = (x + 6) / 0.5.
    mixture = jax.tree.map(jnp.asarray, LaplaceMixture.of(modes, roots, np.log(shares)))
    np.testing.assert_allclose(np.exp(mixture.log_share), shares, rtol=1e-5)

    def whitened(z):
        return target(jnp.array([-6 + 0.5 * z[0], z[1]]))

    swarm = importance_in_steps(whitened, mixture, jax.random.key(2), n_draws=N_DRAWS)
    first = np.mean(-6 + 0.5 * np.asarray(swarm.z)[:, 0] < 0)
    assert abs(first - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 500)


def bent(z):
    return 0.5 * (z[1] - 0.7 * z[0] ** 2 + 0.5) ** 2 / 0.3**2 + 0.5 * z[0] ** 2 + 0.5 * z[2] ** 2


def test_modes_of_wrong_shares_get_their_weights():
    places, shares = np.array([-4.0, 4.0]), np.array([0.2, 0.8])

    def target(z):
        return -jax.nn.logsumexp(jnp.log(shares) - 0.5 * (z[0] - places) ** 2)

    first = np.array([[places[0]]]), np.array([[places[1]]])
    mixture = jax.tree.map(jnp.asarray, LaplaceMixture.of(first, [np.eye(1)] * 2, np.log([0.6, 0.4])))
    swarm = importance_in_steps(lambda z: target(z + places[0]), mixture, jax.random.key(6), n_draws=N_DRAWS)
    share = np.mean(np.asarray(swarm.z)[:, 0] + places[0] < 0)
    # Weights of 1/3 and 2: the effective number of draws is about a half of them.
    assert abs(share - 0.2) < 4.5 * np.sqrt(0.2 * 0.8 / 400)
    assert swarm.log_evidence == pytest.approx(0.0, abs=0.2)


def test_draws_are_carried_from_a_cheap_density_to_the_exact_one():
    target, covariance = gaussian()

    def cheap(z):
        return 0.5 * (z - 0.4) @ (z - 0.4) / 1.5

    swarm = importance_in_steps(cheap, proposal(), jax.random.key(7), n_draws=N_DRAWS)
    found = corrected(swarm, cheap, target, proposal(), jax.random.key(8), jnp.asarray(True))
    assert found.reached == 1
    assert_moments(np.asarray(found.z, float), np.asarray(target.mean), covariance, 300)
    assert found.log_evidence == pytest.approx(0.5 * np.linalg.slogdet(covariance)[1], abs=0.2)
    untouched = corrected(swarm, cheap, target, proposal(), jax.random.key(8), jnp.asarray(False))
    np.testing.assert_array_equal(untouched.z, swarm.z)
    assert untouched.log_evidence == swarm.log_evidence
    assert np.isnan(untouched.log_weights[-8:]).all()


def test_a_bent_ridge_is_followed():
    swarm = importance_in_steps(bent, proposal(), jax.random.key(3), n_draws=N_DRAWS)
    z = np.asarray(swarm.z, float)
    # z0 ~ N(0, 1), z1 - 0.7 z0^2 + 0.5 ~ N(0, 0.3).
    assert abs(z[:, 0].std() - 1) < 5 / np.sqrt(2 * 400)
    assert abs(z[:, 1].mean() - 0.2) < 5 * np.sqrt(2 * 0.49 + 0.09) / np.sqrt(400)
    assert abs((z[:, 1] - 0.7 * z[:, 0] ** 2 + 0.5).std() - 0.3) < 5 * 0.3 / np.sqrt(2 * 400)
    assert swarm.log_evidence == pytest.approx(np.log(0.3), abs=0.2)


def test_where_there_is_no_posterior_no_draw_stays():
    def walled(z):
        return jnp.where(z[0] > 0, 0.5 * z @ z, jnp.nan)

    swarm = importance_in_steps(walled, proposal(), jax.random.key(4), n_draws=N_DRAWS)
    z = np.asarray(swarm.z)
    assert (z[:, 0] > 0).all()
    half_normal = integrate.quad(lambda x: 2 * x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), 0, np.inf)[0]
    assert abs(z[:, 0].mean() - half_normal) < 5 * 0.6 / np.sqrt(400)
    assert swarm.log_evidence == pytest.approx(np.log(0.5), abs=0.15)


def test_the_same_key_gives_the_same_draws():
    first, again, other = (importance_in_steps(bent, proposal(), jax.random.key(k), n_draws=100).z for k in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
