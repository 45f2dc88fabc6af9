from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxblend.metrics.binned import coverage_in_bins
from jaxblend.metrics.bootstrap import in_bins
from jaxblend.metrics.photometry import residual_summary
from jaxblend.metrics.shear_bias import shear_bias

KEY = jax.random.key(0)
ALL = [-np.inf, np.inf]


def mean(column, where):
    return jnp.mean(column, where=where, axis=0)


def median(column, where):
    return residual_summary(column, where=where, limit=1.0).median


def flat_mean(column, where):
    return mean(column, where[:, None])


def test_values_are_those_of_each_bin():
    rng = np.random.default_rng(0)
    column, values = rng.normal(size=200), rng.uniform(-1, 5, 200)
    edges = [0.0, 1.0, 2.5, 4.0]
    binned = in_bins(median, (column,), values=values, edges=edges, key=KEY, blend=rng.integers(0, 50, 200))
    for number, (low, high) in enumerate(pairwise(edges)):
        used = column[(values >= low) & (values < high)]
        assert binned.count[number] == len(used)
        np.testing.assert_allclose(binned.value[number], np.median(used), rtol=1e-5)


def test_shares_and_errors_are_those_of_coverage_in_bins():
    rng = np.random.default_rng(1)
    inside, values = rng.random((300, 2)) < (0.68, 0.9), rng.normal(size=300)
    given = {"values": values, "edges": [-1, 0, 3], "key": KEY, "blend": rng.integers(0, 80, 300)}
    expected = coverage_in_bins(inside, levels=(0.68, 0.9), **given)
    binned = in_bins(flat_mean, (inside,), **given)
    np.testing.assert_array_equal(binned.count, expected.count)
    np.testing.assert_allclose(binned.value, expected.coverage, rtol=1e-6)
    np.testing.assert_allclose(binned.error, expected.error, rtol=1e-4)


def test_errors_of_independent_sources_are_those_of_scipy():
    column = np.random.default_rng(2).normal(size=100)
    binned = in_bins(median, (column,), values=np.zeros(100), edges=ALL, key=KEY)
    expected = stats.bootstrap((column,), np.median, n_resamples=2000, rng=np.random.default_rng(3), method="basic")
    np.testing.assert_allclose(binned.error, expected.standard_error, rtol=0.1)


def test_sources_of_one_blend_count_once():
    column = np.repeat(np.random.default_rng(4).normal(size=150), 4)
    given = {"values": np.zeros(600), "edges": ALL, "key": KEY}
    naive, by_blend = (in_bins(mean, (column,), blend=b, **given) for b in (None, np.repeat(np.arange(150), 4) * 7 - 9))
    np.testing.assert_allclose(naive.value, by_blend.value, rtol=1e-6)
    np.testing.assert_allclose(by_blend.error / naive.error, 2.0, rtol=0.1)


def test_statistics_of_several_columns_and_numbers():
    rng = np.random.default_rng(5)
    true = rng.normal(0, 0.25, (300, 2))
    g = 1.03 * true + rng.normal(0, 0.05, true.shape)
    values = rng.random(300)
    binned = in_bins(shear_bias, (g, true), values=values, edges=[0, 0.4, 1], key=KEY)
    assert binned.value.m.shape == binned.error.m.shape == (2, 2)
    expected = shear_bias(g[values < 0.4], true[values < 0.4])
    np.testing.assert_allclose(binned.value.m[0], expected.m, rtol=1e-3)
    np.testing.assert_allclose(binned.error.m[0], expected.m_error, rtol=0.2)


def test_an_empty_bin_is_nan_and_a_column_can_leave_sources_out():
    column, found = np.array([1.0, np.nan, 3.0]), np.array([True, False, True])

    def found_mean(column, found, where):
        return mean(column, where & found)

    binned = in_bins(found_mean, (column, found), values=[0.1, 0.2, 0.3], edges=[0, 1, 2], key=KEY, n_bootstrap=50)
    np.testing.assert_array_equal(binned.count, [3, 0])
    np.testing.assert_array_equal(binned.value, [2, np.nan])
    np.testing.assert_array_equal(np.isnan(binned.error), [False, True])


def test_a_nan_that_counts_spoils_its_bin_visibly():
    column = np.ma.masked_array([1.0, 2.0, 3.0, 4.0], [False, True, False, False])
    binned = in_bins(median, (column,), values=[0, 0, 1, 1], edges=[0, 1, 2], key=KEY, n_bootstrap=50)
    np.testing.assert_array_equal(np.isnan(binned.value), [True, False])
    np.testing.assert_array_equal(np.isnan(binned.error), [True, False])


def test_what_does_not_fit_is_refused():
    given = {"values": [1.0, 2.0], "edges": ALL, "key": KEY}
    with pytest.raises(ValueError, match="a single column is given as"):
        in_bins(mean, 1.0 * np.arange(2), **given)
    with pytest.raises(ValueError, match="as many in each"):
        in_bins(mean, (np.arange(2), np.arange(3)), **given)
    with pytest.raises(ValueError, match="values must be one per source"):
        in_bins(mean, (np.arange(3),), **given)
    with pytest.raises(ValueError, match="rising"):
        in_bins(mean, (np.arange(2),), values=[1, 2], edges=[2, 1], key=KEY)
    with pytest.raises(ValueError, match="n_bootstrap"):
        in_bins(mean, (np.arange(2),), **given, n_bootstrap=1)


def test_a_bin_of_one_blend_has_no_error():
    found = in_bins(
        lambda x, where: jnp.sum(jnp.where(where, x, 0.0)) / where.sum(),
        (np.array([1.0, 2.0, 3.0, 4.0]),),
        values=[0.5, 0.5, 1.5, 1.5],
        edges=[0.0, 1.0, 2.0],
        key=jax.random.key(0),
        blend=[0, 0, 1, 2],
        n_bootstrap=50,
    )
    np.testing.assert_allclose(found.value, [1.5, 3.5])
    assert np.isnan(found.error[0])
    assert found.error[1] > 0
