"""Normal distributions of encoders: densities against scipy, and one told relative to another."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from jaxblend.nets.normal import Normal

SIZE, MANY = 4, 5


def random_normal(seed):
    numbers = np.random.default_rng(seed).normal(0, 0.7, (MANY, Normal.numbers(SIZE)))
    return Normal.of(jnp.asarray(numbers), SIZE)


def covariances(normal):
    inverse = np.linalg.inv(np.asarray(normal.narrow, float))
    return inverse @ np.swapaxes(inverse, 1, 2)


def test_zeros_are_the_prior():
    normal = Normal.of(jnp.zeros((1, Normal.numbers(SIZE))), SIZE)
    np.testing.assert_array_equal(normal.mean[0], np.zeros(SIZE))
    np.testing.assert_array_equal(normal.narrow[0], np.eye(SIZE))


def test_densities_are_those_of_scipy():
    normal, u = random_normal(0), np.random.default_rng(1).normal(size=(MANY, SIZE))
    expected = [
        -multivariate_normal(mean, covariance).logpdf(one)
        for mean, covariance, one in zip(normal.mean, covariances(normal), u, strict=True)
    ]
    np.testing.assert_allclose(normal.negative_log_density(jnp.asarray(u)), expected, rtol=1e-4)


def test_one_about_another_is_its_push_forward():
    inner, outer = random_normal(2), random_normal(3)
    found = inner.about(outer)
    spread = np.linalg.inv(np.asarray(outer.narrow, float))
    mean = np.asarray(outer.mean) + np.einsum("bij,bj->bi", spread, np.asarray(inner.mean))
    np.testing.assert_allclose(found.mean, mean, rtol=1e-4, atol=1e-4)
    expected = spread @ covariances(inner) @ np.swapaxes(spread, 1, 2)
    np.testing.assert_allclose(covariances(found), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_no_number_makes_it_infinite():
    wild = Normal.of(jnp.full((1, Normal.numbers(SIZE)), 1e4), SIZE)
    assert np.isfinite(wild.narrow).all()
    assert wild.narrow[0].diagonal() == pytest.approx(np.exp(9.0), rel=1e-3)
