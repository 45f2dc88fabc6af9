"""Detection in bins of S/N and flux, and kinds, held against counts by hand and those of scikit-learn."""

from itertools import pairwise

import numpy as np
import pytest
from hand_made import REACH, numbers, random_truths, truth_table

import jaxblend as jb
from jaxblend.io.tables import read_table

EDGES = [5.0, 20.0, 100.0, 1000.0]
KINDS = "value", "error"


@pytest.fixture(scope="module")
def evaluation():
    """Thirty blends of five: faint sources missed, S/N measured with errors, and false detections that are faint."""
    truths, results = random_truths(30, n_sources=5), []
    for seed, truth in enumerate(truths):
        rng = np.random.default_rng(seed)
        found = truth[rng.uniform(size=5) < np.clip(truth["snr"] / 60, 0.3, 1.0)]
        found["snr"] = found["snr"] * rng.uniform(0.7, 1.4, len(found))
        found["flux_r"] = found["flux_r"] * rng.uniform(0.5, 12.0, len(found))
        n = rng.integers(3)
        false = rng.uniform(500, 900, (n, 2)), rng.uniform(0.1, 3, (n, 2)), rng.uniform(5, 30, n)
        places, fluxes = (
            np.stack([found[name] for name in pair], axis=1) for pair in (("x", "y"), ("flux_g", "flux_r"))
        )
        real = np.asarray(getattr(places, "value", places)), fluxes, found["snr"]
        place, flux, snr = (np.concatenate(parts) for parts in zip(real, false, strict=True))
        results.append(truth_table(place, flux, snr=snr))
    return jb.evaluate(results, truths, max_separation=REACH, n_bootstrap=50)


@pytest.mark.parametrize(
    ("by", "true", "own", "edges"),
    [("snr", "snr", "snr", EDGES), ("flux", "true_flux_r", "found_flux_r", [0.0, 1.2, 1.7, 30.0])],
)
def test_scores_are_those_of_counts_in_each_bin(evaluation, by, true, own, edges):
    binned, sources, detections = evaluation.detection_in_bins(by, edges), evaluation.sources, evaluation.detections
    assert not detections["matched"].all()
    for row, (low, high) in zip(binned, pairwise(edges), strict=True):
        inside = (sources[true] >= low) & (sources[true] < high)
        measured = (detections[own] >= low) & (detections[own] < high)
        precision = detections["matched"][measured].mean()
        recall = sources["found"][inside].mean()
        assert (row[f"{by}_low"], row[f"{by}_high"]) == (low, high)
        assert (row["count"], row["detections"]) == (inside.sum(), measured.sum())
        assert row["precision"] == pytest.approx(precision)
        assert row["recall"] == pytest.approx(recall)
        assert row["f1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert binned["f1_err"][0] > 0
    own_bins = np.histogram(detections[own][detections["matched"]], edges)[0]
    true_bins = np.histogram(sources[true][sources["found"]], edges)[0]
    assert list(own_bins) != list(true_bins)  # it matters whose value it is


def test_one_bin_of_all_has_the_scores_of_the_table(evaluation):
    binned, values, errors = evaluation.detection_in_bins("snr", [0, np.inf]), *map(numbers, 2 * [evaluation], KINDS)
    for name in ("precision", "recall", "f1"):
        assert binned[name][0] == pytest.approx(values[name])
        assert binned[f"{name}_err"][0] == pytest.approx(errors[name])


def test_usual_bins_of_flux_hold_everything(evaluation):
    binned = evaluation.detection_in_bins("flux")
    assert binned["count"].sum() == len(evaluation.sources)
    assert binned["detections"].sum() == len(evaluation.detections)
    assert list(binned["flux_high"]) == [1.0, 10.0, np.inf]
    assert (binned["detections"] > 0).all()


def test_what_is_not_measured_is_not_there():
    truth = truth_table([[20, 20], [80, 20]], [[1, 1], [1, 1]], snr=[10.0, 30.0])
    plain = truth["x", "y", "flux_g", "flux_r"]
    evaluation = jb.evaluate(plain, truth, max_separation=REACH)
    with pytest.raises(
        ValueError, match=r"cannot bin detections by 'snr': true sources and detections have \['flux'\]"
    ):
        evaluation.detection_in_bins()
    nothing = jb.evaluate([None], [truth], max_separation=REACH).detection_in_bins("flux")
    assert "precision" not in nothing.colnames
    assert nothing["recall"][nothing["count"] > 0].max() == 0


def test_false_detections_alone_have_a_precision():
    truth = truth_table([[20, 20]], [[1, 1]], snr=[50.0])
    more = truth_table([[20, 20], [80, 80]], [[1, 1], [1, 1]], snr=[50.0, 7.0])
    binned = jb.evaluate(more, truth, max_separation=REACH).detection_in_bins("snr", [5, 10, 100])
    assert list(binned["precision"]) == [0.0, 1.0]
    assert list(binned["count"]) == [0, 1]
    assert np.isnan(binned["recall"][0])


def test_wrong_edges_are_refused(evaluation):
    for binned in (evaluation.detection_in_bins, evaluation.efficiency_in_bins):
        with pytest.raises(ValueError, match="edges must be two or more rising numbers"):
            binned("snr", [10, 5])


def test_efficiency_in_bins_counts_blends(evaluation):
    table, sources = evaluation.efficiency_in_bins("snr", EDGES), evaluation.sources
    expected = {}
    for low, high in pairwise(EDGES):
        for blend in range(30):
            inside = (sources["blend"] == blend) & (sources["snr"] >= low) & (sources["snr"] < high)
            if inside.any():
                place = low, high, int(inside.sum()), int((inside & sources["found"]).sum())
                expected[place] = expected.get(place, 0) + 1
    assert {tuple(row)[:4]: row["blends"] for row in table} == expected
    assert any(true > found for _, _, true, found in expected)


def test_efficiency_in_one_bin_is_the_efficiency(evaluation):
    matrix = np.zeros_like(evaluation.efficiency)
    for row in evaluation.efficiency_in_bins("snr", [0, np.inf]):
        matrix[row["found"], row["true"]] = row["blends"]
    np.testing.assert_array_equal(matrix, evaluation.efficiency)


def test_kinds_are_confused_as_scikit_learn_counts():
    learn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    places = np.stack(np.meshgrid(np.arange(10) * 30, np.arange(6) * 30), axis=-1).reshape(-1, 2)
    is_star = rng.uniform(size=60) < 0.3
    taken = np.where(rng.uniform(size=60) < 0.25, ~is_star, is_star)
    ones = np.ones((60, 2))
    truth = truth_table(places, ones, kind=np.where(is_star, "star", "galaxy"))
    found = truth_table(places, ones, kind=np.where(taken, "star", "galaxy"))
    found["kind"] = found["kind"].astype("U7")
    found["kind"][:3] = "unknown"
    order = rng.permutation(60)[:50]
    evaluation = jb.evaluate(found[order], truth, max_separation=REACH)
    known = order[order >= 3]
    matrix = learn.confusion_matrix(is_star[known], taken[known])
    np.testing.assert_array_equal(evaluation.confusion, matrix)
    values, counts = numbers(evaluation), numbers(evaluation, "count")
    report = learn.classification_report(is_star[known], taken[known], output_dict=True)
    for name, label in (("galaxy", "False"), ("star", "True")):
        assert values[f"{name}_completeness"] == pytest.approx(report[label]["recall"])
        assert values[f"{name}_purity"] == pytest.approx(report[label]["precision"])
        assert counts[f"{name}_completeness"] == report[label]["support"]
    assert counts["star_purity"] == taken[known].sum()


def test_they_are_written(evaluation, tmp_path):
    files = evaluation.write(tmp_path)
    for by in ("snr", "flux"):
        written = read_table(files[f"detection_{by}"])
        np.testing.assert_array_equal(written["precision"], evaluation.detection_in_bins(by)["precision"])
    assert read_table(files["efficiency_snr"])["blends"].sum() >= 30
    assert "## Detection by flux" in files["report"].read_text()
    assert "## Pairs by kind" not in files["report"].read_text()  # no kinds
