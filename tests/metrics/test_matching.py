from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from jaxblend.metrics.matching import match, take_partners


def best_of_all(separation, limit):
    """Most pairs, and their least total separation, by trying every assignment."""
    if separation.shape[0] > separation.shape[1]:
        separation = separation.T
    n, m = separation.shape
    totals = []
    for partner in permutations(range(m), n):
        allowed = [s for s in separation[range(n), partner] if s <= limit]
        totals.append((-len(allowed), sum(allowed)))
    pairs, total = min(totals)
    return -pairs, total


def best_dense(separation, limit):
    """The same by a dense solver, in which a forbidden pair costs more than all others together."""
    cost = np.where(separation <= limit, separation, 10 * limit * min(separation.shape))
    kept = separation[linear_sum_assignment(cost)]
    kept = kept[kept <= limit]
    return len(kept), kept.sum()


def crowd(rng, n, m, size):
    return rng.uniform(0, size, (n, 2)), rng.uniform(0, size, (m, 2))


def check(result, positions, true_positions, limit, expected):
    found = np.flatnonzero(result.true_index >= 0)
    partner = result.true_index[found]
    apart = np.hypot(*(positions[found] - true_positions[partner]).T)
    assert len(set(partner)) == len(found) == (result.index >= 0).sum() == expected[0]
    np.testing.assert_array_equal(result.index[partner], found)
    np.testing.assert_allclose(result.separation[found], apart, rtol=1e-12)
    assert (apart <= limit).all()
    assert apart.sum() == pytest.approx(expected[1])
    assert np.isnan(np.delete(result.separation, found)).all()


def test_no_assignment_is_better():
    rng = np.random.default_rng(0)
    numbers = []
    for _ in range(100):
        positions, true_positions = crowd(rng, rng.integers(1, 6), rng.integers(1, 6), 4.0)
        expected = best_of_all(cdist(positions, true_positions), 1.5)
        numbers.append(expected[0])
        check(match(positions, true_positions, max_separation=1.5), positions, true_positions, 1.5, expected)
    assert set(numbers) >= {0, 1, 2, 3, 4}


@pytest.mark.parametrize(("n", "m", "size"), [(300, 400, 40.0), (500, 350, 200.0), (1500, 1400, 300.0)])
def test_a_crowded_frame_agrees_with_the_dense_solver(n, m, size):
    positions, true_positions = crowd(np.random.default_rng(n), n, m, size)
    expected = best_dense(cdist(positions, true_positions), 4.0)
    check(match(positions, true_positions, max_separation=4.0), positions, true_positions, 4.0, expected)


def test_the_limit_is_part_of_the_assignment():
    true_positions = np.array([[0.0, 0.0], [4.0, 0.0]])
    positions = np.array([[3.9, 0.0], [100.0, 0.0]])
    gated_afterwards = cdist(positions, true_positions)[linear_sum_assignment(cdist(positions, true_positions))]
    assert (gated_afterwards > 2).all()
    result = match(positions, true_positions, max_separation=2.0)
    np.testing.assert_array_equal(result.true_index, [1, -1])
    np.testing.assert_array_equal(result.index, [-1, 0])


def test_more_pairs_come_before_closer_ones():
    result = match([[0.0, 0.0], [-1.5, 0.0]], [[0.0, 0.0], [1.5, 0.0]], max_separation=2.0)
    np.testing.assert_array_equal(result.true_index, [1, 0])
    np.testing.assert_array_equal(result.nearest_true, [0, 0])
    np.testing.assert_array_equal(result.nearest, [0, 0])


def test_the_limit_itself_is_allowed_and_coincidence_is_a_pair():
    np.testing.assert_array_equal(match([[3.0, 4.0]], [[0.0, 0.0]], max_separation=5.0).separation, [5.0])
    np.testing.assert_array_equal(match([[3.0, 4.0]], [[0.0, 0.0]], max_separation=4.999).true_index, [-1])
    np.testing.assert_array_equal(match([[3.0, 4.0]] * 2, [[3.0, 4.0]], max_separation=1.0).true_index >= 0, [0, 1])
    assert sorted(match(*crowd(np.random.default_rng(0), 5, 5, 1.0), max_separation=np.inf).index) == [0, 1, 2, 3, 4]


def test_the_nearest_are_found_whoever_the_partner_is():
    positions, true_positions = crowd(np.random.default_rng(3), 60, 50, 20.0)
    separation = cdist(positions, true_positions)
    result = match(positions, true_positions, max_separation=1.0)
    for nearest, apart in ((result.nearest_true, separation), (result.nearest, separation.T)):
        np.testing.assert_array_equal(nearest, np.where(apart.min(axis=1) <= 1, apart.argmin(axis=1), -1))


def test_a_batch_is_matched_blend_by_blend_and_padding_does_nothing():
    rng = np.random.default_rng(4)
    positions, true_positions = rng.uniform(0, 9, (2, 3, 5, 2)), rng.uniform(0, 9, (2, 3, 4, 2))
    where, true_where = rng.random((2, 3, 5)) < 0.6, rng.random((2, 3, 4)) < 0.6
    where[0, 0] = True
    positions[~where], true_positions[~true_where] = np.nan, np.inf
    result = match(positions, true_positions, max_separation=4.0, where=where, true_where=true_where)
    for blend in np.ndindex(2, 3):
        here, true_here = np.flatnonzero(where[blend]), np.flatnonzero(true_where[blend])
        alone = match(positions[blend][here], true_positions[blend][true_here], max_separation=4.0)
        expected = np.full(5, -1)
        paired = alone.true_index >= 0
        expected[here[paired]] = true_here[alone.true_index[paired]]
        np.testing.assert_array_equal(result.true_index[blend], expected)
        np.testing.assert_allclose(result.separation[blend][here], alone.separation)
    assert (result.true_index >= 0).sum() == (result.index >= 0).sum() > 4
    assert (result.true_index[~where] == -1).all()
    assert (result.nearest[~true_where] == -1).all()


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (3, 0)])
def test_nothing_has_no_partner(n, m):
    result = match(np.zeros((2, n, 2)), np.zeros((2, m, 2)), max_separation=1.0)
    assert [field.shape for field in result] == [(2, n), (2, m), (2, n), (2, n), (2, m)]
    assert (result.true_index == -1).all()
    assert (result.nearest == -1).all()


def test_wrong_input_is_refused():
    positions = np.zeros((3, 2))
    with pytest.raises(ValueError, match="positive, got 0"):
        match(positions, positions, max_separation=0.0)
    with pytest.raises(ValueError, match=r"\(\.\.\., N, 2\)"):
        match(positions.T, positions, max_separation=1.0)
    with pytest.raises(ValueError, match="same leading axes"):
        match(positions[None], positions, max_separation=1.0)
    with pytest.raises(ValueError, match=r"true_positions is NaN or infinite for 1 of 3 .* \(1,\)"):
        match(positions, np.array([[0, 0], [0, np.nan], [0, 0]]), max_separation=1.0)
    with pytest.raises(TypeError, match="positions cannot be traced"):
        jax.jit(lambda x: match(x, positions, max_separation=1.0))(positions)


def test_partners_lend_their_values():
    flux, index = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), np.array([[1, -1, 0], [-1, -1, 1]])
    expected = [[2.0, np.nan, 1.0], [np.nan, np.nan, 4.0]]
    for take in (take_partners, jax.jit(take_partners), jax.vmap(take_partners)):
        np.testing.assert_array_equal(take(flux, index), expected)
    bands = take_partners(np.stack([flux, -flux], axis=-1), index)
    np.testing.assert_array_equal(bands, np.stack([expected, np.negative(expected)], axis=-1))
    kinds = take_partners(flux > 2, index, fill_value=False)
    assert kinds.dtype == bool
    np.testing.assert_array_equal(kinds, [[0, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(take_partners(np.zeros((2, 0)), np.full((2, 1), -1)), np.full((2, 1), np.nan))


def test_values_without_a_partner_harm_no_gradient():
    gradient = jax.grad(lambda v: jnp.nansum(take_partners(v, np.array([2, -1]))))(jnp.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(gradient, [0.0, 0.0, 1.0])


def test_indices_of_another_catalogue_are_refused():
    with pytest.raises(ValueError, match="M - 1 = 1, got 0 to 2"):
        take_partners(np.zeros(2), np.array([0, 2]))
    with pytest.raises(ValueError, match="leading axes"):
        take_partners(np.zeros((2, 3)), np.zeros((3, 1), int))
