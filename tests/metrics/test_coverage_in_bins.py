import jax
import numpy as np
import pytest

from jaxblend.metrics import coverage_in_bins

KEY = jax.random.key(0)
ALL = [-np.inf, np.inf]


def binned(inside, values=None, *, edges=ALL, key=KEY, **options):
    inside = np.asarray(inside, bool).reshape(len(inside), -1)
    values = np.zeros(len(inside)) if values is None else values
    return coverage_in_bins(inside, values, edges=edges, key=key, **{"levels": (0.9,) * inside.shape[1]} | options)


def test_counts_and_shares():
    result = binned(
        [[1, 1], [0, 1], [1, 1], [1, 0], [0, 0]], [0.0, 0.5, 1.0, 2.0, 2.1], edges=[0, 1, 2], levels=(0.6, 0.8)
    )
    np.testing.assert_array_equal(result.count, [2, 2])  # the last bin has both edges
    np.testing.assert_allclose(result.coverage, [[0.5, 1.0], [1.0, 0.5]])
    np.testing.assert_allclose(result.nominal_error, np.sqrt([[0.12, 0.08], [0.12, 0.08]]))
    np.testing.assert_array_equal(result.levels, [0.6, 0.8])


def test_an_empty_bin_is_nan_and_a_full_one_has_no_scatter():
    result = binned([1, 1, 1], [0.1, 0.2, 0.3], edges=[0, 1, 2])
    np.testing.assert_array_equal(result.count, [3, 0])
    np.testing.assert_array_equal(result.error, [[0.0], [np.nan]])
    np.testing.assert_array_equal(np.isnan(result.coverage), [[False], [True]])
    np.testing.assert_array_equal(np.isnan(result.nominal_error), [[False], [True]])


def test_errors_of_independent_sources_are_binomial():
    inside = np.random.default_rng(0).random((600, 2)) < (0.68, 0.9)
    result = binned(inside, levels=(0.68, 0.9))
    share = result.coverage
    np.testing.assert_allclose(result.error, np.sqrt(share * (1 - share) / 600), rtol=0.1)


def test_sources_of_one_blend_count_once():
    inside = np.repeat(np.random.default_rng(1).random(300) < 0.8, 4)
    naive = binned(inside)
    by_blend = binned(inside, blend=np.repeat(np.arange(300), 4) * 7 - 100)
    np.testing.assert_array_equal(naive.coverage, by_blend.coverage)
    np.testing.assert_allclose(by_blend.error / naive.error, 2.0, rtol=0.1)


def test_errors_are_the_scatter_of_samples():
    rng = np.random.default_rng(2)
    snr = rng.normal(size=(400, 100))

    def sample(row):
        both = rng.normal(size=(50, 1)) + 0.7 * rng.normal(size=(50, 2)) > -0.5
        return both.ravel(), row

    blend = np.repeat(np.arange(50), 2)
    many = [binned(*sample(row), edges=[-1, 0, 3], blend=blend, n_bootstrap=100) for row in snr]
    scatter = np.std([m.coverage for m in many], axis=0)
    np.testing.assert_allclose(np.mean([m.error for m in many], axis=0), scatter, rtol=0.12)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="same levels"):
        binned([[1, 1]], levels=(0.9,))
    with pytest.raises(ValueError, match="NaN for 1 of 2"):
        binned([1, 0], [np.nan, 1.0])
    with pytest.raises(ValueError, match="blend must be one per source"):
        binned([1, 0], blend=[1])
    with pytest.raises(ValueError, match="rising"):
        binned([1, 0], edges=[1, 1])
    with pytest.raises(ValueError, match="n_bootstrap"):
        binned([1, 0], n_bootstrap=1)
