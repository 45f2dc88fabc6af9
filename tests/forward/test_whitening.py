"""Vecchia's whitening against the dense Gaussian likelihood."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate2d
from scipy.stats import multivariate_normal

from jaxblend.forward.noise_checks import with_floor
from jaxblend.forward.vecchia import neighbourhood, power_on_grid, whitening_coefficients
from jaxblend.forward.whitening import power_at, whiten

SHAPE = (12, 12)
KERNELS = {
    "bilinear, a third of a pixel": np.outer([0.7, 0.3], [0.7, 0.3]),
    "drizzle": np.outer([0.25, 1, 0.25], [0.25, 1, 0.25]),
    "plus": np.array([[0, 0.2, 0], [0.2, 1, 0.2], [0, 0.2, 0]]),
    "skew": np.array([[0, 0.1, 0.4], [0.1, 1, 0.1], [0.4, 0.1, 0]]),
}


def correlation_of(kernel):
    """(h, w) of white noise convolved with a kernel."""
    covariance = correlate2d(kernel, kernel)
    return covariance / covariance.max()


def dense_covariance(correlation, root_weight):
    """Of the used pixels, in raster order."""
    at = np.argwhere(root_weight > 0)
    lags = at[:, None] - at[None] + np.array(correlation.shape) // 2
    inside = ((lags >= 0) & (lags < correlation.shape)).all(-1)
    y, x = np.moveaxis(np.where(inside[..., None], lags, 0), -1, 0)
    sigma = 1 / root_weight[root_weight > 0]
    return np.where(inside, correlation[y, x], 0.0) * np.outer(sigma, sigma)


def masked_and_uneven(rng):
    root_weight = rng.uniform(0.5, 2.0, SHAPE)
    root_weight[rng.random(SHAPE) < 0.15] = 0
    root_weight[4:7, 5] = root_weight[-1] = 0
    return root_weight


def whitened(residual, correlation, root_weight):
    coefficients = whitening_coefficients(correlation[None], root_weight[None] > 0, np.float64)
    return np.asarray(whiten(jnp.asarray(residual * root_weight)[..., None, :, :], coefficients))[..., 0, :, :]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("masked", [False, True])
def test_differences_of_log_density_are_those_of_the_dense_gaussian(kernel, masked):
    rng = np.random.default_rng(1)
    correlation = correlation_of(KERNELS[kernel])
    root_weight = masked_and_uneven(rng) if masked else np.ones(SHAPE)
    used = root_weight > 0
    covariance = dense_covariance(correlation, root_weight)
    dense = multivariate_normal(np.zeros(used.sum()), covariance)
    noise = np.zeros((2, 200, *SHAPE))
    noise[:, :, used] = dense.rvs(400, random_state=2).reshape(2, 200, -1)
    y, x = np.mgrid[:12, :12] - 5.3
    noise[1] += 3 * np.exp(-(x**2 + y**2) / 8)  # a galaxy that the model lacks
    exact = dense.logpdf(noise[0][:, used]) - dense.logpdf(noise[1][:, used])
    with jax.enable_x64(True):
        e = whitened(noise, correlation, root_weight)
    found = 0.5 * ((e[1] ** 2).sum((1, 2)) - (e[0] ** 2).sum((1, 2)))
    assert (e[:, :, ~used] == 0).all()
    np.testing.assert_allclose(found.mean(), exact.mean(), rtol=0.05)
    assert np.std(found - exact) < 0.15 * np.std(exact)


@pytest.mark.parametrize("kernel", KERNELS)
def test_whitened_noise_has_unit_variance_and_no_correlation(kernel):
    rng = np.random.default_rng(3)
    correlation = correlation_of(KERNELS[kernel])
    root_weight = masked_and_uneven(rng)
    used = root_weight > 0
    with jax.enable_x64(True):
        basis = np.zeros((used.sum(), *SHAPE))
        basis[np.arange(used.sum()), *np.nonzero(used)] = 1
        operator = whitened(basis, correlation, root_weight)[:, used].T
    covariance = operator @ dense_covariance(correlation, root_weight) @ operator.T
    np.testing.assert_allclose(np.diagonal(covariance), 1, atol=1e-9)  # each prediction is exact
    np.fill_diagonal(covariance, 0)
    assert np.abs(covariance).max() < 0.12
    assert np.sqrt((covariance**2).mean()) < 0.01


def test_a_neighbourhood_that_holds_all_pixels_is_exact():
    correlation = correlation_of(KERNELS["plus"])
    root_weight = np.zeros(SHAPE)
    root_weight[4:7, 3:6] = np.random.default_rng(4).uniform(0.5, 2, (3, 3))
    used = root_weight > 0
    dense = multivariate_normal(np.zeros(9), dense_covariance(correlation, root_weight))
    residual = np.random.default_rng(5).normal(size=(2, *SHAPE)) * used
    with jax.enable_x64(True):
        squares = (whitened(residual, correlation, root_weight) ** 2).sum((1, 2))
    exact = dense.logpdf(residual[:, used])
    np.testing.assert_allclose(0.5 * (squares[1] - squares[0]), exact[0] - exact[1], rtol=1e-9)


def test_white_noise_compiles_to_what_it_would_be_alone():
    z = jnp.ones((2, 6, 7))
    assert whiten(z, None) is z


def test_bands_keep_their_own_correlation_and_stamps_share_coefficients():
    correlations = np.zeros((2, 3, 3))
    correlations[:, 1, 1] = 1
    correlations[1] = correlation_of(KERNELS["bilinear, a third of a pixel"])
    used = np.ones((2, *SHAPE), bool)
    coefficients = whitening_coefficients(correlations, used)
    assert whitening_coefficients(correlations.copy(), used.copy()) is coefficients
    z = np.random.default_rng(6).normal(size=(2, *SHAPE)).astype(np.float32)
    e = whiten(jnp.asarray(z), coefficients)
    np.testing.assert_allclose(e[0], z[0], rtol=1e-6)
    np.testing.assert_allclose(whiten(jnp.asarray(z[1]), coefficients[1]), e[1], rtol=1e-6)
    assert not np.allclose(e[1], z[1], atol=0.1)


def test_the_transpose_is_that_of_the_matrix():
    with jax.enable_x64(True):
        coefficients = whitening_coefficients(correlation_of(KERNELS["skew"])[None], np.ones((1, 6, 7), bool), float)
        matrix = jax.jacfwd(lambda z: whiten(z, coefficients))(jnp.zeros((1, 6, 7))).reshape(42, 42)
        pulled = jax.vjp(lambda z: whiten(z, coefficients), jnp.zeros((1, 6, 7)))[1](jnp.arange(42.0).reshape(1, 6, 7))
        np.testing.assert_allclose(pulled[0].reshape(-1), np.arange(42.0) @ matrix, rtol=1e-9)


def test_power_spectra():
    correlation = correlation_of(KERNELS["skew"])
    grid = power_on_grid(correlation)
    k = 2 * np.pi * np.fft.fftfreq(len(grid))
    one = power_at(jnp.asarray(correlation[None]), k[[3, 60]], k[[5, 9]])[0]
    np.testing.assert_allclose(one, grid[[3, 60], [5, 9]], rtol=1e-4)
    np.testing.assert_allclose(grid.mean(), 1)
    assert power_on_grid(with_floor(correlation_of(np.ones((2, 2))))).min() == pytest.approx(0.01)
    assert (neighbourhood(1) == [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0)]).all()
