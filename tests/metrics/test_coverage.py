"""Where the truth falls among draws, against what is known of Gaussians."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import kstest, norm

from jaxblend.metrics import coverage, pit, ranks

LEVELS = (0.5, 0.68, 0.9, 0.95)


def gaussian(n, n_draws, *, width=1.0, bias=0.0, seed=0):
    """Draws of N posteriors whose standard deviations are wrong by a factor ``width``, and truths."""
    rng = np.random.default_rng(seed)
    centre, sigma = rng.normal(100, 30, n), rng.lognormal(0, 1, n)
    draws = centre[:, None] + sigma[:, None] * (bias + width * rng.normal(size=(n, n_draws)))
    return draws, centre + sigma * rng.normal(size=n)


def assert_share(inside, expected):
    """The share lies within four binomial standard errors."""
    error = np.sqrt(expected * (1 - expected) / len(inside))
    assert np.all(np.abs(np.mean(np.asarray(inside), axis=0) - expected) < 4 * error)


@pytest.mark.parametrize("n_draws", [7, 400])
def test_right_posteriors_cover_what_they_say_however_few_the_draws(n_draws):
    draws, truth = gaussian(5000, n_draws)
    assert_share(coverage(draws, truth, levels=LEVELS, key=jax.random.key(0)), np.array(LEVELS))


@pytest.mark.parametrize("width", [0.6, 1.5])
def test_wrong_widths_cover_what_the_normal_distribution_says(width):
    draws, truth = gaussian(4000, 1000, width=width)
    expected = 2 * norm.cdf(width * norm.ppf(0.5 + np.array(LEVELS) / 2)) - 1
    assert_share(coverage(draws, truth, levels=LEVELS), expected)


def test_intervals_are_those_between_quantiles():
    draws, truth = gaussian(1000, 999)
    for column, level in enumerate(LEVELS):
        low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2], axis=1)
        same = np.asarray(coverage(draws, truth, levels=LEVELS))[:, column] == ((low <= truth) & (truth <= high))
        assert same.mean() > 0.995


def test_ranks_and_pit_are_uniform():
    draws, truth = gaussian(3000, 49)
    rank = np.asarray(ranks(draws, truth, key=jax.random.key(1)))
    np.testing.assert_array_equal(rank, (draws < truth[:, None]).sum(1))
    quantile = np.asarray(pit(draws, truth, key=jax.random.key(1)))
    assert kstest(quantile, "uniform").pvalue > 0.01
    np.testing.assert_array_equal(np.floor(quantile * 50), rank)


def test_ties_are_broken_evenly():
    n, key = 2000, jax.random.key(2)
    draws = np.tile([0.0, 1.0, 1.0, 1.0, 2.0], (n, 1))
    rank = np.asarray(ranks(draws, np.ones(n), key=key))
    counts = np.bincount(rank, minlength=6)
    assert counts[[0, 5]].sum() == 0
    assert np.all(np.abs(counts[1:5] / n - 0.25) < 4 * np.sqrt(0.25 * 0.75 / n))
    quantile = np.asarray(pit(draws, np.ones(n), key=key))
    assert kstest((quantile - 1 / 6) * 6 / 4, "uniform").pvalue > 0.01


def test_weights_equal_duplicates():
    draws, truth = gaussian(300, 60)
    order = np.arange(1, 61) % 3 + 1  # one draw in three counts once, one twice, one three times
    key = jax.random.key(3)
    weighted = pit(draws, truth, weights=np.broadcast_to(order, draws.shape), key=key)
    repeated = pit(np.repeat(draws, order, axis=1), truth, key=key)
    assert np.abs(np.asarray(weighted) - np.asarray(repeated)).max() < 2 * 3 / order.sum()  # the gap of the truth
    both = (
        coverage(draws, truth, weights=np.broadcast_to(order, draws.shape)),
        coverage(np.repeat(draws, order, axis=1), truth),
    )
    assert np.mean(np.asarray(both[0]) == np.asarray(both[1])) > 0.95


def test_equal_weights_change_nothing():
    draws, truth = gaussian(200, 50)
    key = jax.random.key(4)
    weighted = pit(draws, truth, weights=np.full(draws.shape, 1e-30), key=key)
    np.testing.assert_allclose(weighted, pit(draws, truth, key=key), atol=2e-6)


def test_importance_weights_mend_too_wide_draws():
    draws, truth = gaussian(4000, 1000, width=1.4)
    rng = np.random.default_rng(5)
    z = 1.4 * rng.normal(size=draws.shape)
    truth = rng.normal(size=len(truth))
    log_weights = norm.logpdf(z) - norm.logpdf(z, scale=1.4)
    assert_share(coverage(z, truth, levels=LEVELS, weights=np.exp(log_weights)), np.array(LEVELS))
    assert np.mean(np.asarray(coverage(z, truth, levels=(0.68,)))) > 0.8


@given(
    hnp.arrays(int, (4, 9), elements=st.integers(-30, 30)),
    hnp.arrays(int, 4, elements=st.integers(-30, 30)),
    hnp.arrays(int, (4, 9), elements=st.integers(1, 5)),
    st.sampled_from([np.sinh, np.arctan, lambda x: x**3 + x, lambda x: 1e-20 * x + 5e-20]),
)
def test_rising_functions_change_nothing(draws, truth, weights, rising):
    key = jax.random.key(6)
    for given_weights in (None, weights):
        for before, after in zip(
            (coverage(draws, truth, weights=given_weights, key=key), pit(draws, truth, weights=given_weights, key=key)),
            (
                coverage(rising(draws / 3), rising(truth / 3), weights=given_weights, key=key),
                pit(rising(draws / 3), rising(truth / 3), weights=given_weights, key=key),
            ),
            strict=True,
        ):
            np.testing.assert_array_equal(before, after)


def test_a_right_ascension_keeps_its_digits_and_a_small_unit_does_not_vanish():
    draws, truth = gaussian(50, 40)
    key = jax.random.key(7)
    expected = ranks(draws, truth, key=key)
    np.testing.assert_array_equal(ranks(1e-44 * draws, 1e-44 * truth, key=key), expected)
    step = 1e-8 * np.arange(40.0)
    degrees = 210.123456 + np.broadcast_to(step, (40, 40))
    np.testing.assert_array_equal(ranks(degrees, 210.123456 + step + 5e-9, key=key), np.arange(40) + 1)


def test_it_runs_inside_jit():
    draws, truth = gaussian(20, 30)
    key = jax.random.key(8)
    weights = np.ones(draws.shape)
    np.testing.assert_array_equal(
        jax.jit(lambda d, t, w: coverage(d, t, weights=w, key=key))(draws, truth, weights),
        coverage(draws, truth, weights=weights, key=key),
    )
    np.testing.assert_array_equal(
        jax.jit(lambda d, t: ranks(d, t, key=key))(draws, truth), ranks(draws, truth, key=key)
    )


def test_what_cannot_be_judged_is_refused():
    draws, truth = gaussian(6, 5)
    with pytest.raises(ValueError, match=r"shapes \(6, 5\) and \(5,\)"):
        coverage(draws, truth[:5])
    with pytest.raises(ValueError, match="is empty"):
        coverage(draws[:, :0], truth)
    with pytest.raises(ValueError, match="real numbers"):
        coverage(draws + 1j, truth)
    with pytest.raises(ValueError, match="probabilities"):
        coverage(draws, truth, levels=(68.0, 95.0))
    with pytest.raises(ValueError, match=r"one per draw, \(6, 5\)"):
        coverage(draws, truth, weights=np.ones(6))
    with pytest.raises(ValueError, match="exp"):
        coverage(draws, truth, weights=-np.ones((6, 5)))
    with pytest.raises(ValueError, match="all 0 for 6 of 6"):
        coverage(draws, truth, weights=np.zeros((6, 5)))
    draws[[1, 4], 2] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"2 of 6 sources \(rows \[1, 4\]\).*leave"):
        coverage(draws, truth)
