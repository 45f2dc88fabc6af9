import jax
import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from jaxblend.metrics.detection import count_matches, detection_scores, f1_score, precision, recall
from jaxblend.metrics.matching import match


def padded(rng, *batch):
    """Indices of partners as match returns them, with slots that hold nothing."""
    positions, true_positions = rng.uniform(0, 12, (*batch, 7, 2)), rng.uniform(0, 12, (*batch, 6, 2))
    where, true_where = rng.random((*batch, 7)) < 0.7, rng.random((*batch, 6)) < 0.7
    result = match(positions, true_positions, max_separation=2.0, where=where, true_where=true_where)
    return result.true_index, result.index, where, true_where


def test_scores_are_those_of_the_labels():
    """Of scikit-learn: two labels, true and detected, for every detection and every missed source."""
    true_index, index, where, true_where = padded(np.random.default_rng(0), 40)
    detected = np.concatenate([np.ones(where.sum()), np.zeros((true_where & (index < 0)).sum())])
    true = np.concatenate([true_index[where] >= 0, np.ones((true_where & (index < 0)).sum())])
    scores = detection_scores(true_index, index, where=where, true_where=true_where)
    expected = precision_recall_fscore_support(true, detected, average="binary")[:3]
    assert all(0.1 < score < 0.9 for score in expected)
    np.testing.assert_allclose([scores.precision, scores.recall, scores.f1], expected, rtol=1e-6)


def test_counts_are_per_blend():
    true_index, index, where, true_where = padded(np.random.default_rng(1), 3, 2)
    counts = count_matches(true_index, index, where=where, true_where=true_where)
    for blend in np.ndindex(3, 2):
        here, there = true_index[blend][where[blend]], index[blend][true_where[blend]]
        expected = [(here >= 0).sum(), len(here), (there >= 0).sum(), len(there)]
        np.testing.assert_array_equal([count[blend] for count in counts], expected)
    np.testing.assert_array_equal(counts.matched, counts.found)
    np.testing.assert_allclose(
        recall(counts.found, counts.true, axis=0), counts.found.sum(axis=0) / counts.true.sum(axis=0)
    )


def test_perfect_detection_scores_one_and_a_lost_source_is_seen():
    perfect = np.arange(4)
    np.testing.assert_array_equal(detection_scores(perfect, perfect), [1, 1, 1])
    np.testing.assert_allclose(detection_scores(perfect[:2], [0, 1, -1, -1]), [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(detection_scores([0, 1, -1, -1], perfect[:2]), [1 / 2, 1, 2 / 3])


def test_recall_of_bright_sources_leaves_precision_alone():
    scores = detection_scores([0, 1, 2], [0, 1, 2, -1], true_where=np.array([True, False, False, True]))
    np.testing.assert_allclose(scores, [1, 1 / 2, 2 / 3])


def test_a_masked_slot_changes_nothing():
    where = np.array([True, True, False])
    for hidden in (-1, 0, 5):
        scores = detection_scores([1, -1, hidden], [-1, 0, hidden], where=where, true_where=where)
        np.testing.assert_allclose(scores, [1 / 2, 1 / 2, 1 / 2])


def test_shares_of_nothing():
    none = np.zeros(0, int)
    assert np.isnan(detection_scores(none, none)).all()
    np.testing.assert_array_equal(detection_scores(none, [-1]), [np.nan, 0, 0])
    np.testing.assert_array_equal(detection_scores([-1], none), [0, np.nan, 0])
    np.testing.assert_array_equal(f1_score([1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 1, 0], axis=()), [1.0, 0.0, np.nan])


def test_jit_and_vmap_agree_with_the_plain_call():
    true_index, index, where, true_where = padded(np.random.default_rng(2), 5)

    def scores(true_index, index, where, true_where):
        return detection_scores(true_index, index, where=where, true_where=true_where)

    together = scores(true_index, index, where, true_where)
    np.testing.assert_allclose(jax.jit(scores)(true_index, index, where, true_where), together, rtol=1e-6)
    each = jax.jit(jax.vmap(scores))(true_index, index, where, true_where)
    loop = [scores(*(a[i] for a in (true_index, index, where, true_where))) for i in range(5)]
    np.testing.assert_allclose(np.stack(each, axis=1), loop, rtol=1e-6)


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="index must be the integers"):
        count_matches([0, 1], [0.0, 1.0])
    with pytest.raises(ValueError, match="same blends"):
        count_matches(np.zeros((2, 3), int), np.zeros((3, 3), int))
    with pytest.raises(ValueError, match="got 5 of 4: are the two in this order"):
        precision([1, 5], [1, 4])
    with pytest.raises(ValueError, match="found must lie between 0 and true"):
        recall(-1, 4)
