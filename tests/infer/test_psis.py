"""k-hat and smoothed weights, against ArviZ and against tails that are known."""

import warnings

import numpy as np
import pytest

from jaxblend.infer.psis import effective_number, k_hat, smoothed


@pytest.mark.parametrize("shape", [0.1, 0.5, 0.8, 1.2])
def test_weights_and_k_hat_are_those_of_arviz(shape):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own future
        psislw = pytest.importorskip("arviz").psislw
    log_weights = np.log(np.random.default_rng(0).pareto(1 / shape, 1000) + 1e-3)
    expected, expected_k = psislw(log_weights.copy())
    ours, k = smoothed(log_weights)
    np.testing.assert_allclose(ours, expected, atol=1e-10)
    assert k == pytest.approx(float(expected_k), abs=1e-10)


@pytest.mark.parametrize("shape", [0.2, 0.6, 1.0])
def test_k_hat_is_the_shape_of_a_pareto_tail(shape):
    found = [k_hat(np.log(np.random.default_rng(i).pareto(1 / shape, 4000) + 1)) for i in range(20)]
    # About 190 excesses, whose shape has the standard error (1 + k) / sqrt(190); ten pseudo-observations at 0.5.
    expected = (shape * 190 + 5) / 200
    assert abs(np.mean(found) - expected) < 4 * (1 + shape) / np.sqrt(190 * 20)


def test_even_weights_have_no_tail():
    assert k_hat(np.zeros(100)) == -np.inf
    assert effective_number(np.zeros(100)) == pytest.approx(100)


def test_draws_without_weight_count_as_nothing():
    log_weights = np.random.default_rng(1).normal(size=500)
    with_zeros = np.concatenate([log_weights, [-np.inf, np.nan]])
    ours, k = smoothed(with_zeros)
    assert np.isfinite(k)
    assert (ours[-2:] == -np.inf).all()
    assert np.exp(ours).sum() == pytest.approx(1, rel=0.05)


def test_no_weight_at_all_cannot_be_trusted():
    assert k_hat(np.full(10, -np.inf)) == np.inf


def test_of_twenty_draws_k_hat_cannot_be_told():
    log_weights = np.random.default_rng(0).normal(size=21)
    assert np.isnan(k_hat(log_weights[:20]))
    assert np.isfinite(k_hat(log_weights))
