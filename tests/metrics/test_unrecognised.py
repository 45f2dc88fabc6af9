import jax
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jaxblend.metrics.matching import match
from jaxblend.metrics.unrecognised import (
    detections_per_source,
    fragmentation,
    sources_per_detection,
    unrecognised_blend_fraction,
)


def line(*x):
    """Sources at these places along x."""
    return np.stack([np.asarray(x, float), np.zeros(len(x))], axis=-1)


def crowds(rng, *batch):
    positions, true_positions = rng.uniform(0, 8, (*batch, 6, 2)), rng.uniform(0, 8, (*batch, 9, 2))
    where, true_where = rng.random((*batch, 6)) < 0.7, rng.random((*batch, 9)) < 0.7
    return positions, true_positions, where, true_where


def test_two_sources_under_one_detection_are_an_unrecognised_blend():
    pair = match(line(0.6, 30.0), line(0.0, 1.0, 30.0), max_separation=2.0)
    np.testing.assert_array_equal(sources_per_detection(pair), [2, 1])
    assert unrecognised_blend_fraction(pair) == 0.5
    assert fragmentation(pair) == (0.0, 0.0)


def test_a_pair_with_two_detections_is_recognised():
    pair = match(line(0.1, 0.9), line(0.0, 1.0), max_separation=2.0)
    assert unrecognised_blend_fraction(pair) == 0.0
    assert fragmentation(pair) == (0.0, 0.0)


def test_a_source_that_was_missed_belongs_to_the_nearest_detection_alone():
    three = match(line(0.0, 3.0), line(0.0, 1.4, 3.0), max_separation=2.0)
    np.testing.assert_array_equal(sources_per_detection(three), [2, 1])


def test_a_faint_neighbour_does_not_make_a_blend():
    pair = match(line(0.1), line(0.0, 1.0), max_separation=2.0)
    assert unrecognised_blend_fraction(pair) == 1.0
    assert unrecognised_blend_fraction(pair, true_where=np.array([True, False])) == 0.0


def test_a_source_in_pieces_and_a_false_detection():
    pieces = match(line(-0.5, 0.2, 0.9, 50.0, 70.0), line(0.0, 50.0, 90.0), max_separation=2.0)
    np.testing.assert_array_equal(detections_per_source(pieces), [3, 1, 0])
    np.testing.assert_array_equal(sources_per_detection(pieces), [0, 1, 0, 1, 0])
    assert fragmentation(pieces) == (0.5, 1.0)
    assert fragmentation(pieces, true_where=np.array([False, True, True])) == (0.0, 0.0)
    np.testing.assert_allclose(fragmentation(pieces, where=np.array([True, True, False, True, True])), [0.5, 0.5])


def test_perfect_detection_has_neither():
    positions = np.random.default_rng(0).uniform(0, 5, (4, 6, 2))
    perfect = match(positions, positions, max_separation=3.0)
    assert unrecognised_blend_fraction(perfect) == 0.0
    assert fragmentation(perfect) == (0.0, 0.0)


def test_counts_follow_from_the_distances():
    rng = np.random.default_rng(1)
    positions, true_positions, where, true_where = crowds(rng, 3, 4)
    result = match(positions, true_positions, max_separation=2.0, where=where, true_where=true_where)
    sources = np.zeros((3, 4, 6), int)
    for blend in np.ndindex(3, 4):
        apart = cdist(true_positions[blend], positions[blend][where[blend]])
        for source in np.flatnonzero(true_where[blend]):
            owner = result.index[blend][source]
            if owner < 0 and apart.shape[1] and apart[source].min() <= 2:
                owner = np.flatnonzero(where[blend])[apart[source].argmin()]
            if owner >= 0:
                sources[(*blend, owner)] += 1
    assert sources.max() > 2
    np.testing.assert_array_equal(sources_per_detection(result), sources)
    fraction = unrecognised_blend_fraction(result, where=where, true_where=true_where)
    assert fraction == pytest.approx((sources[where] > 1).mean())


def test_the_other_way_round_is_the_mirror():
    positions, true_positions, where, true_where = crowds(np.random.default_rng(2), 5)
    there = match(positions, true_positions, max_separation=2.0, where=where, true_where=true_where)
    back = match(true_positions, positions, max_separation=2.0, where=true_where, true_where=where)
    np.testing.assert_array_equal(there.index, back.true_index)
    np.testing.assert_array_equal(detections_per_source(there), sources_per_detection(back))


def test_jit_and_vmap_agree_with_the_plain_call():
    positions, true_positions, where, true_where = crowds(np.random.default_rng(3), 4)
    result = match(positions, true_positions, max_separation=2.0, where=where, true_where=true_where)

    def both(result, where, true_where):
        masks = {"where": where, "true_where": true_where}
        return unrecognised_blend_fraction(result, **masks), *fragmentation(result, **masks)

    np.testing.assert_allclose(jax.jit(both)(result, where, true_where), both(result, where, true_where), rtol=1e-6)
    each = jax.vmap(both)(result, where, true_where)
    loop = [both(jax.tree.map(lambda a, i=i: a[i], result), where[i], true_where[i]) for i in range(4)]
    np.testing.assert_allclose(np.stack(each, axis=1), loop, rtol=1e-6)


def test_shares_of_nothing():
    nothing = match(np.zeros((0, 2)), line(0.0), max_separation=1.0)
    assert np.isnan(unrecognised_blend_fraction(nothing))
    assert np.isnan(fragmentation(nothing)).all()
    np.testing.assert_array_equal(detections_per_source(nothing), [0])
