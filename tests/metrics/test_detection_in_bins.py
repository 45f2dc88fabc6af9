from itertools import pairwise

import jax
import numpy as np
import pytest
from scipy.stats import binomtest, norm

from jaxblend.metrics.detection_in_bins import precision_in_bins, recall_in_bins

EDGES = np.array([0.0, 1.0, 5.0, 5.5, 10.0])


def sources(rng, *shape):
    values = rng.uniform(-1, 12, shape)
    values[(values > 5) & (values < 5.5)] = 3.0  # leaves a bin empty
    return np.where(rng.random(shape) < 0.5 + values / 30, 0, -1), values, rng.random(shape) < 0.8


def test_shares_and_intervals_of_each_bin():
    index, snr, where = sources(np.random.default_rng(0), 30, 6)
    result = recall_in_bins(index, snr, edges=EDGES, where=where)
    one_sigma = 2 * norm.cdf(1) - 1
    for bin_, (low, high) in enumerate(pairwise(EDGES)):
        here = where & (snr >= low) & (snr < high)
        assert result.count[bin_] == here.sum()
        if bin_ == 2:
            assert np.isnan([result.share[2], result.lower[2], result.upper[2]]).all()
            continue
        test = binomtest(int((index[here] >= 0).sum()), int(here.sum()))
        interval = test.proportion_ci(one_sigma, method="wilson")
        expected = [test.statistic, interval.low, interval.high]
        np.testing.assert_allclose([f[bin_] for f in (result.share, result.lower, result.upper)], expected, rtol=1e-5)


def test_an_edge_belongs_to_the_bin_above_and_the_last_to_the_last():
    result = recall_in_bins([0, 0, -1, 0, -1], [0.0, 1.0, 1.5, 2.0, 2.1], edges=[0.0, 1.0, 2.0])
    np.testing.assert_array_equal(result.count, [1, 3])
    np.testing.assert_allclose(result.share, [1, 2 / 3])
    np.testing.assert_array_equal(recall_in_bins([0, -1], [1.0, 2.0], edges=[-np.inf, np.inf]).count, [2])


def test_all_found_is_one_with_a_width():
    result = recall_in_bins(np.arange(4), np.ones(4), edges=[0.0, 2.0])
    assert result.share == result.upper == 1
    assert result.lower == pytest.approx(1 / (1 + 1 / 4))


def test_a_masked_slot_changes_nothing_and_jit_and_vmap_agree():
    index, snr, where = sources(np.random.default_rng(1), 3, 20)
    expected = precision_in_bins(index, snr, edges=EDGES, where=where)

    def binned(index, snr, where):
        return precision_in_bins(index, snr, edges=EDGES, where=where)

    hidden = np.where(where, snr, np.nan)
    for got in (binned(index, hidden, where), jax.jit(binned)(index, hidden, where)):
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
    each = jax.vmap(binned)(index, snr, where)
    np.testing.assert_array_equal(each.count, [binned(*a).count for a in zip(index, snr, where, strict=True)])
    np.testing.assert_array_equal(each.count.sum(axis=0), expected.count)


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="rising"):
        recall_in_bins([0], [1.0], edges=[1.0, 1.0])
    with pytest.raises(ValueError, match="each of true_index"):
        precision_in_bins(np.zeros((2, 3), int), np.zeros((3, 3)), edges=EDGES)
    with pytest.raises(ValueError, match="values is NaN"):
        recall_in_bins([0], [np.nan], edges=EDGES)


def test_a_source_alone_has_a_neighbour_at_infinity():
    found = recall_in_bins(np.array([0, -1]), np.array([2.0, np.inf]), edges=[0.0, 5.0, np.inf])
    np.testing.assert_array_equal(found.count, [1, 1])
