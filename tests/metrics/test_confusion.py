import jax
import numpy as np
import pytest

from jaxblend.metrics.confusion import efficiency_matrix, star_galaxy_confusion


def test_blends_are_counted_by_sources_found_and_there():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 5, 200)
    matched = rng.binomial(true, 0.7)
    expected = np.zeros((5, 5))
    for found, there in zip(matched, true, strict=True):
        expected[found, there] += 1
    np.testing.assert_array_equal(efficiency_matrix(matched, true), expected)
    np.testing.assert_array_equal(efficiency_matrix(matched.reshape(4, 50), true.reshape(4, 50)), expected)
    shares = efficiency_matrix(matched, true, normalised=True, max_sources=6)
    assert shares.shape == (7, 7)
    np.testing.assert_allclose(shares[:5, :5], expected / expected.sum(axis=0), rtol=1e-6)
    assert np.isnan(shares[:, 5:]).all()


def test_perfect_detection_fills_the_diagonal_alone():
    np.testing.assert_array_equal(efficiency_matrix([1, 2, 2, 3], [1, 2, 2, 3]), np.diag([0, 1, 2, 1]))


def test_masked_blends_and_those_beyond_the_matrix_are_left_out():
    where = np.array([True, True, False])
    eager = efficiency_matrix([1.0, 0.0, np.nan], [1.0, 2.0, 9.0], where=where)
    np.testing.assert_array_equal(eager, [[0, 0, 1], [0, 1, 0], [0, 0, 0]])
    jitted = jax.jit(lambda m, t, w: efficiency_matrix(m, t, max_sources=1, where=w))
    np.testing.assert_array_equal(jitted(np.array([1, 0, 1]), np.array([1, 2, 1]), where), [[0, 0], [0, 1]])


def test_stars_and_galaxies_are_counted_by_pairs():
    rng = np.random.default_rng(1)
    is_star, true_is_star = rng.random((3, 8)) < 0.4, rng.random((3, 6)) < 0.4
    true_index = np.stack([rng.permutation([-1, -1, -1, 0, 1, 2, 3, 5]) for _ in range(3)])
    where = rng.random((3, 8)) < 0.8
    expected = np.zeros((2, 2))
    for blend, slot in np.argwhere(where & (true_index >= 0)):
        expected[int(true_is_star[blend, true_index[blend, slot]]), int(is_star[blend, slot])] += 1
    assert (expected > 0).all()
    for confusion in (star_galaxy_confusion, jax.jit(star_galaxy_confusion)):
        np.testing.assert_array_equal(confusion(is_star, true_is_star, true_index, where=where), expected)
    shares = star_galaxy_confusion(is_star, true_is_star, true_index, where=where, normalised=True)
    np.testing.assert_allclose(shares, expected / expected.sum(axis=1, keepdims=True), rtol=1e-6)


def test_a_perfect_classification_has_no_confusion():
    kind = np.array([True, False, False])
    np.testing.assert_array_equal(star_galaxy_confusion(kind, kind, np.arange(3)), [[2, 0], [0, 1]])
    only_galaxies = star_galaxy_confusion(kind, np.zeros(3, bool), np.arange(3), normalised=True)
    np.testing.assert_allclose(only_galaxies, [[2 / 3, 1 / 3], [np.nan, np.nan]], rtol=1e-6)


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="max_sources = 2, got 1 to 3"):
        efficiency_matrix([1, 3], [1, 3], max_sources=2)
    with pytest.raises(ValueError, match="max_sources must be given inside"):
        jax.jit(efficiency_matrix)(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=r"give probability > 0\.5"):
        star_galaxy_confusion(np.array([0.2]), np.array([True]), np.array([0]))
    with pytest.raises(ValueError, match="one per detection"):
        star_galaxy_confusion(np.array([True]), np.array([True]), np.array([0, -1]))
