import astropy.units as u
import numpy as np
import pytest
from hand_made import REACH, numbers, random_truths, scattered, truth_table

import jaxblend as jb
from jaxblend.io.tables import read_table

EDGES = [5.0, 20.0, 100.0, 500.0]


@pytest.fixture(scope="module")
def evaluation():
    """Forty blends, faint sources missed more often than bright ones."""
    truths = random_truths(40, n_sources=4)
    results = []
    for seed, (truth, catalog) in enumerate(zip(truths, scattered(truths, scatter=0.1), strict=True)):
        keep = np.random.default_rng(seed).uniform(size=4) < np.clip(truth["snr"] / 50, 0.3, 1.0)
        results.append(catalog[keep])
    return jb.evaluate(results, truths, max_separation=REACH, n_bootstrap=100)


def test_bins_hold_the_statistics_of_their_sources(evaluation):
    binned, sources = evaluation.in_bins("snr", EDGES), evaluation.sources
    assert list(binned["snr_low"]) == EDGES[:-1]
    assert list(binned["snr_high"]) == EDGES[1:]
    for row in binned:
        inside = (sources["snr"] >= row["snr_low"]) & (sources["snr"] < row["snr_high"])
        found = inside & sources["found"]
        residual = sources["flux_residual_r"][found]
        assert row["count"] == inside.sum() > 0
        assert row["recall"] == pytest.approx(found.sum() / inside.sum())
        assert row["flux_r_median"] == pytest.approx(np.median(residual), abs=1e-6)
        assert row["flux_r_nmad"] == pytest.approx(1.4826 * np.median(abs(residual - np.median(residual))), abs=1e-6)
        assert 0 < row["flux_r_median_err"] < 0.1
    assert binned["recall"][0] < binned["recall"][2]
    binomial = np.sqrt(binned["recall"] * (1 - binned["recall"]) / binned["count"])
    np.testing.assert_allclose(binned["recall_err"][:2], binomial[:2], rtol=0.4)


def test_one_bin_of_all_is_the_table(evaluation):
    binned = evaluation.in_bins("snr", [0, np.inf])
    values = numbers(evaluation)
    names = [name for name in binned.colnames if name in values]
    assert {"recall", "flux_r_median", "magnitude_g_outliers", "colour_g_r_nmad"} <= set(names)
    np.testing.assert_allclose([binned[name][0] for name in names], [values[name] for name in names], atol=1e-6)
    errors = numbers(evaluation, "error")
    np.testing.assert_allclose([binned[f"{n}_err"][0] for n in names], [errors[n] for n in names], atol=1e-6)


def test_usual_bins_hold_all_sources(evaluation):
    for by in ("snr", "separation", "magnitude"):
        assert evaluation.in_bins(by, metrics=["recall"])["count"].sum() == 160, by
    assert evaluation.in_bins("magnitude", metrics=["recall"])["magnitude_low"][0] == 20.0


def test_a_lonely_source_is_in_the_last_bin_of_separation():
    truths = [truth_table([[10, 10], [14, 10]], [[1, 1], [1, 1]]), truth_table([[10, 10]], [[1, 1]])]
    evaluation = jb.evaluate(truths, truths, max_separation=REACH)
    np.testing.assert_allclose(evaluation.sources["separation"].value, [0.8, 0.8, np.inf])
    assert list(evaluation.in_bins("separation")["count"]) == [0, 2, 0, 0, 0, 0, 1]


def test_edges_may_have_a_unit(evaluation):
    plain = evaluation.in_bins("separation", [0, 10, 100], metrics=["recall"])
    minutes = evaluation.in_bins("separation", ([0, 10, 100] * u.arcsec).to(u.arcmin), metrics=["recall"])
    assert list(plain["count"]) == list(minutes["count"])
    assert sum(plain["count"]) > 0


def test_metrics_are_those_asked_for(evaluation):
    binned = evaluation.in_bins("snr", EDGES, metrics=["flux_r_nmad", "recall"])
    assert binned.colnames[3:] == ["flux_r_nmad", "flux_r_nmad_err", "recall", "recall_err"]


def test_sources_without_a_value_are_left_out():
    truth = truth_table([[10, 10], [50, 10]], [[1, 1], [1, 1]], snr=[10.0, np.nan])
    evaluation = jb.evaluate([truth, truth], [truth, truth], max_separation=REACH)
    assert evaluation.in_bins("snr", [0, 100])["count"][0] == 2


def test_wrong_bins_are_refused(evaluation):
    with pytest.raises(ValueError, match="cannot bin by 'colour': the sources have"):
        evaluation.in_bins("colour")
    with pytest.raises(ValueError, match="cannot bin by 'blendedness'"):
        evaluation.in_bins("blendedness")
    with pytest.raises(ValueError, match="give edges"):
        evaluation.in_bins("offset")
    with pytest.raises(ValueError, match="edges must be two or more rising numbers"):
        evaluation.in_bins("snr", [10, 5])
    with pytest.raises(ValueError, match=r"no metrics \['purity'\]"):
        evaluation.in_bins("snr", metrics=["purity", "recall"])


def test_everything_is_written(evaluation, tmp_path):
    files = evaluation.write(tmp_path / "new")
    bins = {"snr", "separation", "magnitude", "detection_snr", "detection_flux", "efficiency_snr"}
    assert set(files) == {"table", "sources", "detections", "report"} | bins
    again = read_table(files["sources"])
    assert again["separation"].unit == u.arcsec
    np.testing.assert_array_equal(again["flux_residual_r"], evaluation.sources["flux_residual_r"])
    assert list(read_table(files["table"])["metric"]) == list(evaluation.table["metric"])
    assert len(read_table(files["snr"])) == len(evaluation.in_bins("snr", metrics=["recall"]))
    report = files["report"].read_text()
    recall = numbers(evaluation)["recall"]
    assert f"| recall | {recall:.4g} ±" in report
    assert "## By separation (arcsec)" in report
    assert "## By snr\n" in report
    assert not list((tmp_path / "new").glob(".*"))
