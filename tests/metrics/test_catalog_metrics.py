import jax
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jaxblend.metrics.catalog import blend_fraction, neighbour_separation, recovered_flux
from jaxblend.metrics.matching import match


def catalogues(rng, *bands):
    """A catalogue of 5 blends, its truth, and which slots hold sources."""
    positions, true_positions = rng.uniform(0, 12, (5, 7, 2)), rng.uniform(0, 12, (5, 6, 2))
    where, true_where = rng.random((5, 7)) < 0.7, rng.random((5, 6)) < 0.7
    index = match(positions, true_positions, max_separation=3.0, where=where, true_where=true_where).true_index
    return rng.uniform(1, 9, (5, 7, *bands)), rng.uniform(1, 9, (5, 6, *bands)), index, where, true_where


def test_blended_are_those_beyond_the_limit():
    blendedness = np.array([[0.0, 0.01, 0.3], [0.02, np.nan, 0.5]])
    where = np.array([[True, True, True], [True, False, False]])
    assert blend_fraction(blendedness, above=0.01, where=where) == 0.5
    assert blend_fraction([1.0, 2.0, 3.0, np.inf], below=2.5) == 0.5
    assert np.isnan(blend_fraction(np.zeros(0), above=0.1))
    jitted = jax.jit(lambda b, w: blend_fraction(b, above=0.01, where=w))
    assert jitted(blendedness, where) == 0.5
    np.testing.assert_allclose(jax.vmap(jitted)(blendedness, where), [1 / 3, 1], rtol=1e-6)


def test_the_nearest_neighbour_is_that_of_all_distances():
    rng = np.random.default_rng(0)
    positions, where = rng.uniform(0, 9, (3, 2, 6, 2)), rng.random((3, 2, 6)) < 0.6
    where[0, 0], where[1, 1] = False, [True] + [False] * 5
    positions[~where] = np.nan
    separation = neighbour_separation(positions, where=where)
    for blend in np.ndindex(3, 2):
        apart = cdist(positions[blend][where[blend]], positions[blend][where[blend]])
        np.fill_diagonal(apart, np.inf)
        np.testing.assert_allclose(separation[blend][where[blend]], apart.min(axis=1, initial=np.inf))
    assert np.isnan(separation[~where]).all()
    assert separation[1, 1, 0] == np.inf
    np.testing.assert_array_equal(neighbour_separation([[1.0, 1.0], [1.0, 1.0]]), [0, 0])
    assert neighbour_separation(np.zeros((0, 2))).shape == (0,)


@pytest.mark.parametrize("bands", [(), (3,)])
def test_flux_is_summed_over_the_catalogue(bands):
    flux, true_flux, index, where, true_where = catalogues(np.random.default_rng(1), *bands)
    blend, slot = np.nonzero(where & (index >= 0))
    pair_flux, pair_true = flux[blend, slot].sum(axis=0), true_flux[blend, index[blend, slot]].sum(axis=0)
    all_flux, all_true = flux[where].sum(axis=0), true_flux[true_where].sum(axis=0)
    expected = [all_flux / all_true, pair_flux / pair_true, pair_true / all_true]
    flux[~where], true_flux[~true_where] = np.nan, np.inf

    def recovered(*arrays):
        return recovered_flux(*arrays[:3], where=arrays[3], true_where=arrays[4])

    for got in (recovered, jax.jit(recovered)):
        np.testing.assert_allclose(got(flux, true_flux, index, where, true_where), expected, rtol=1e-5)


def test_perfect_photometry_recovers_all_and_half_the_flux_is_seen():
    true_flux = np.array([3.0, 5.0, 7.0])
    order = np.array([2, 0, 1])
    np.testing.assert_array_equal(recovered_flux(true_flux[order], true_flux, order), [1, 1, 1])
    np.testing.assert_array_equal(recovered_flux(0.5 * true_flux[order], true_flux, order), [0.5, 0.5, 1])


def test_the_precision_of_the_input_is_kept():
    with jax.enable_x64(True):
        assert recovered_flux([1 + 1e-12], [1.0], [0]).total - 1 == pytest.approx(1e-12, rel=1e-3)
        assert recovered_flux(np.ones(1, np.float32), np.ones(1, np.float32), [0]).total.dtype == np.float32


def test_missed_and_false_sources_show_in_their_own_ratios():
    missed = recovered_flux([3.0], [3.0, 9.0], [0])
    np.testing.assert_allclose(missed, [0.25, 1, 0.25])
    false = recovered_flux([3.0, 3.0], [3.0], [0, -1])
    np.testing.assert_allclose(false, [2, 1, 1])
    faint_left_out = recovered_flux([3.0, 1.0], [3.0, 2.0], [0, 1], true_where=np.array([True, False]))
    np.testing.assert_allclose(faint_left_out, [4 / 3, 1, 1])
    np.testing.assert_array_equal(recovered_flux([3.0], [2.0], [-1]), [1.5, np.nan, 0])


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="one limit"):
        blend_fraction([0.1])
    with pytest.raises(ValueError, match="one limit"):
        blend_fraction([0.1], above=0.1, below=0.2)
    with pytest.raises(ValueError, match="NaN for 1 of 2"):
        blend_fraction([0.1, np.nan], above=0.1)
    with pytest.raises(TypeError, match="cannot be traced"):
        jax.jit(neighbour_separation)(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="same blends and bands"):
        recovered_flux(np.ones((2, 3)), np.ones((2, 4)), [0, 1])
    with pytest.raises(ValueError, match="one row for each"):
        recovered_flux(np.ones(3), np.ones(2), [0, 1])
    with pytest.raises(ValueError, match="flux is NaN"):
        recovered_flux([np.nan], [1.0], [0])
