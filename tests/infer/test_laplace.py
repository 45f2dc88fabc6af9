"""Covariance and evidence of the Laplace approximation against closed forms."""

import numpy as np
import pytest

from jaxblend.infer.laplace import covariance, log_evidence


def linear_model(rng, noise=1.0):
    """Jacobian and data of a linear model with a N(0, 1) prior and unit noise."""
    jacobian = rng.normal(size=(12, 5)) * np.array([1.0, 30.0, 0.1, 5.0, 2.0])
    return jacobian, jacobian @ rng.normal(size=5) + noise * rng.normal(size=12)


def test_covariance_is_the_inverse():
    jacobian, _ = linear_model(np.random.default_rng(0))
    hessian = np.eye(5) + jacobian.T @ jacobian
    np.testing.assert_allclose(covariance(hessian), np.linalg.inv(hessian), rtol=1e-9, atol=1e-12)


def test_covariance_carries_single_precision():
    jacobian, _ = linear_model(np.random.default_rng(1))
    hessian = np.eye(5) + jacobian.T @ jacobian
    expected = np.sqrt(np.diagonal(np.linalg.inv(hessian)))
    np.testing.assert_allclose(np.sqrt(np.diagonal(covariance(np.float32(hessian)))), expected, rtol=1e-3)


def test_evidence_of_a_gaussian_is_exact():
    """Of data d = J u + n, ln Z is that of N(0, 1 + J J^T) without the constants of the noise."""
    jacobian, data = linear_model(np.random.default_rng(2))
    hessian = np.eye(5) + jacobian.T @ jacobian
    best = np.linalg.solve(hessian, jacobian.T @ data)
    objective = 0.5 * np.sum((data - jacobian @ best) ** 2) + 0.5 * best @ best
    marginal = np.eye(12) + jacobian @ jacobian.T
    expected = -0.5 * data @ np.linalg.solve(marginal, data) - 0.5 * np.linalg.slogdet(marginal)[1]
    np.testing.assert_allclose(log_evidence(objective, hessian), expected, rtol=1e-9)


def test_evidence_falls_by_the_objective():
    hessian = np.diag([1.0, 4.0, 100.0])
    np.testing.assert_allclose(log_evidence(0.0, hessian), -0.5 * np.log(400.0))
    np.testing.assert_allclose(log_evidence(7.5, hessian), -7.5 - 0.5 * np.log(400.0))


def rounded(size=1e9):
    """Two parameters of which the data know the sum alone, off by less than single precision tells."""
    hessian = np.eye(4) + size * np.outer([1, 1, 0, 0], [1, 1, 0, 0])
    hessian[0, 1] = hessian[1, 0] = size * (1 + 1e-8)
    return hessian


def test_rounding_below_zero_leaves_errors_and_evidence_finite():
    hessian = rounded()
    assert np.linalg.eigvalsh(hessian)[0] < -1
    errors = np.diagonal(covariance(hessian))
    assert np.isfinite(errors).all()
    assert (errors > 0).all()
    assert np.isfinite(log_evidence(3.0, hessian))
    np.testing.assert_allclose(errors[2:], 1.0)  # what has no part in it is as it was
    total = np.array([1, 1, 0, 0]) @ covariance(hessian) @ np.array([1, 1, 0, 0])
    assert 0 < total < 1e-6


def test_rounding_leaves_the_covariance_positive_definite():
    assert (np.linalg.eigvalsh(covariance(rounded())) > 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_hessian_that_is_not_finite_has_no_errors_and_no_evidence(value):
    hessian = np.eye(3)
    hessian[1, 1] = value
    assert np.isnan(covariance(hessian)).all()
    assert log_evidence(0.0, hessian) == -np.inf
