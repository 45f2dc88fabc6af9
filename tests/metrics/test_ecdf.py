"""The band of an ECDF, against enumeration, simulation and Kolmogorov and Smirnov."""

from itertools import product

import jax
import numpy as np
import pytest
from scipy.stats import kstest

from jaxblend.metrics import ecdf_band, ecdf_test
from jaxblend.metrics.ecdf import _probability_inside


def assert_false_alarms(alarms, rate):
    """The share of false alarms agrees with a rate, within four binomial standard errors."""
    assert abs(np.mean(alarms) - rate) < 4 * np.sqrt(rate * (1 - rate) / len(alarms))


def test_the_probability_is_that_of_all_samples():
    n, cells = 5, 4
    points = np.arange(1, cells) / cells
    low, high = np.array([0, 1, 3]), np.array([2, 4, 4])
    counts = [[np.sum(np.array(place) < k) for k in range(1, cells)] for place in product(range(cells), repeat=n)]
    inside = ((np.array(counts) >= low) & (np.array(counts) <= high)).all(axis=1)
    assert _probability_inside(n, points, low, high) == pytest.approx(inside.mean(), rel=1e-12)


@pytest.mark.parametrize("n", [15, 300, 2500])
def test_uniform_numbers_stay_in_the_band(n):
    rng = np.random.default_rng(n)
    band = ecdf_band(n)
    ecdf = np.array([np.searchsorted(np.sort(rng.random(n)), band.points) / n for _ in range(1500)])
    alarms = ((ecdf < band.lower - 1e-9) | (ecdf > band.upper + 1e-9)).any(axis=1)
    inside = _probability_inside(
        n, band.points, np.rint(band.lower * n).astype(int), np.rint(band.upper * n).astype(int)
    )
    assert 0.95 <= inside < 0.96
    assert_false_alarms(alarms, 1 - inside)


@pytest.mark.parametrize(("n", "n_ranks"), [(80, 500), (400, 21)])
def test_uniform_ranks_stay_in_the_band(n, n_ranks):
    rng = np.random.default_rng(n)
    results = [ecdf_test(rng.integers(0, n_ranks, n), n_ranks=n_ranks, probability=0.9) for _ in range(500)]
    assert_false_alarms([not result.inside for result in results], 0.1)


def test_p_values_are_uniform_and_agree_with_the_band():
    rng = np.random.default_rng(4)
    results = [ecdf_test(rng.random(200)) for _ in range(500)]
    p = np.array([result.p_value for result in results])
    assert kstest(p, "uniform").pvalue > 0.01
    clear = np.abs(p - 0.05) > 1e-3
    np.testing.assert_array_equal(np.array([result.inside for result in results])[clear], (p > 0.05)[clear])


def test_tails_are_caught_that_kolmogorov_and_smirnov_let_pass():
    middle = (np.arange(984) + 0.5) / 984
    values = np.concatenate([middle, np.full(8, 1e-5), np.full(8, 1 - 1e-5)])
    result = ecdf_test(values)
    assert kstest(values, "uniform").pvalue > 0.9
    assert not result.inside
    assert result.p_value < 0.01
    assert min(result.worst, 1 - result.worst) < 0.01


def test_it_says_where_the_ecdf_leaves_most():
    values = np.random.default_rng(5).random(500) ** 1.5  # too many small ones
    result = ecdf_test(values)
    assert not result.inside
    at = np.argmin(np.abs(result.points - result.worst))
    assert result.ecdf[at] > result.upper[at]
    assert result.p_value < 1e-6


def test_copies_of_a_source_fail_unless_one_is_taken_of_each_blend():
    rng, n_blends = np.random.default_rng(6), 60
    blend = np.repeat(np.arange(n_blends), 5)
    samples = [np.repeat(rng.random(n_blends), 5) for _ in range(300)]
    assert np.mean([not ecdf_test(sample).inside for sample in samples[:60]]) > 0.3
    single = [ecdf_test(s, blend=blend, key=jax.random.key(i)) for i, s in enumerate(samples)]
    assert {result.n for result in single} == {n_blends}
    assert_false_alarms([not result.inside for result in single], 0.05)


def test_every_source_of_a_blend_has_its_turn():
    values, blend = np.array([0.1, 0.5, 0.9, 0.3]), np.array([0, 0, 0, 1])
    taken = [ecdf_test(values, blend=blend, key=jax.random.key(i), n_points=10) for i in range(40)]
    assert len({tuple(result.ecdf) for result in taken}) == 3


def test_one_number_and_small_samples_have_a_band():
    for n in (1, 2, 3):
        band = ecdf_band(n)
        assert np.all(band.lower <= band.points)
        assert np.all(band.upper >= band.points)
    assert ecdf_test([0.5]).inside


def test_what_is_no_rank_is_refused():
    with pytest.raises(ValueError, match=r"n_ranks = S \+ 1"):
        ecdf_test([3, 7, 2])
    with pytest.raises(ValueError, match="integers from 0 to n_ranks - 1 = 9"):
        ecdf_test([3, 10], n_ranks=10)
    with pytest.raises(ValueError, match="integers"):
        ecdf_test([0.3, 0.7], n_ranks=10)
    with pytest.raises(ValueError, match="NaN for 1 of 2"):
        ecdf_test([0.3, np.nan])
    with pytest.raises(ValueError, match="not empty"):
        ecdf_test([])
    with pytest.raises(ValueError, match="without key"):
        ecdf_test([0.3, 0.7], blend=[0, 0])
    with pytest.raises(ValueError, match="blend must be"):
        ecdf_test([0.3, 0.7], blend=[0], key=jax.random.key(0))
    with pytest.raises(ValueError, match="probability"):
        ecdf_band(10, probability=95.0)
    with pytest.raises(ValueError, match="n must be 1"):
        ecdf_band(0)
