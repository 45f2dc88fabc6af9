import jax
import numpy as np
import pytest
from hand_made import REACH, changed, numbers, perfect, random_truths, scattered, truth_table

import jaxblend as jb

APART = [[20, 20], [80, 20], [20, 80]]  # pixels: far beyond reach of each other
BRIGHT = [[100, 200], [100, 200], [50, 100]]


def test_a_missed_source_is_counted_and_its_light_is_in_no_image(blends):
    results = perfect(blends)
    results[2] = changed(results[2], rows=[0, 2])
    evaluation = jb.evaluate(results, blends)
    values = numbers(evaluation)
    assert values["recall"] == pytest.approx(11 / 12)
    assert values["precision"] == 1.0
    assert values["f1"] == pytest.approx(22 / 23)
    assert values["flux_found"] < 1.0
    assert evaluation.efficiency.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 3]]
    missed = evaluation.sources[~evaluation.sources["found"]]
    assert [(row["blend"], row["row"], row["detection"]) for row in missed] == [(2, 1, -1)]
    assert missed["light_kept"][0] == pytest.approx(0.0, abs=1e-4)
    assert missed["light_missing"][0] == pytest.approx(1.0, abs=1e-4)
    assert np.isnan(missed["rmse"][0])
    assert np.isnan(missed["flux_residual_r"][0])


def test_a_false_detection_is_counted():
    truth = truth_table(APART, BRIGHT)
    more = truth_table([*APART, [150, 150]], [*BRIGHT, [1, 1]])
    evaluation = jb.evaluate(more, truth, max_separation=REACH)
    values = numbers(evaluation)
    assert values["precision"] == pytest.approx(3 / 4)
    assert values["recall"] == 1.0
    assert values["fragmented"] == 0.0
    assert list(evaluation.detections["matched"]) == [True, True, True, False]
    assert list(evaluation.detections["true_row"]) == [0, 1, 2, -1]
    assert list(evaluation.detections["n_true"]) == [1, 1, 1, 0]


def test_a_fragment_is_counted_and_its_light_is_lost_to_the_source(blends):
    whole = perfect(blends)
    broken = changed(whole[0], rows=[0, 1, 2, 0], factors=[0.6, 1, 1, 0.4], moved=[[-0.5, 0], [0, 0], [0, 0], [1.5, 0]])
    evaluation = jb.evaluate([broken, *whole[1:]], blends)
    values = numbers(evaluation)
    assert values["fragmented"] == pytest.approx(1 / 12)
    assert values["extra_detections"] == pytest.approx(1 / 12)
    assert values["precision"] == pytest.approx(12 / 13)
    assert values["flux_of_all"] == pytest.approx(1.0)
    first = evaluation.sources[0]
    assert first["n_detections"] == 2
    assert first["flux_residual_r"] == pytest.approx(-0.4, abs=1e-6)
    assert first["light_kept"] == pytest.approx(0.6, abs=1e-3)
    assert first["light_lost"] == pytest.approx(0.4, abs=1e-3)


def test_light_of_detections_that_are_nobodys_is_taken_off_the_field(blends):
    result = perfect(blends[:1])[0]
    false = changed(result, rows=[0, 1, 2, 0], factors=[1, 1, 1, 0.1], moved=[*3 * [[0, 0]], [400, 400]])
    sources = jb.evaluate(false, blends[0]).sources
    assert sources["aperture_honest"][0] == pytest.approx(0.0, abs=1e-5)
    assert sources["aperture_noise_preserving"][0] == pytest.approx(-0.1, abs=0.02)


def test_a_blend_taken_for_one_source_is_counted():
    truth = truth_table([[20, 20], [23, 20], [80, 80]], BRIGHT)
    merged = truth_table([[21.4, 20], [80, 80]], [[200, 400], [50, 100]])
    evaluation = jb.evaluate(merged, truth, max_separation=REACH)
    values = numbers(evaluation)
    assert values["unrecognised_blends"] == pytest.approx(1 / 2)
    assert values["recall"] == pytest.approx(2 / 3)
    assert values["precision"] == 1.0
    assert list(evaluation.detections["n_true"]) == [2, 1]
    closer = jb.evaluate(merged, truth, max_separation=0.1)
    assert numbers(closer)["recall"] == pytest.approx(1 / 3)


def test_a_blend_without_result_is_missed_whole(blends):
    results = perfect(blends)
    nowhere = changed(results[1])
    nowhere.catalog["x"][:] = np.nan
    for gone in (None, nowhere):
        evaluation = jb.evaluate([results[0], gone, *results[2:]], blends)
        values = numbers(evaluation)
        assert values["failed_blends"] == pytest.approx(1 / 4)
        assert values["recall"] == pytest.approx(9 / 12)
        assert values["precision"] == 1.0
        assert values["light_missing"] == pytest.approx(3 / 12, abs=1e-4)
        assert evaluation.detections["placed"].sum() == 9


def test_nothing_found_at_all_is_a_result():
    truths = [truth_table(APART, BRIGHT), truth_table([], [])]
    for results in ([None, None], [truths[1], truths[1]]):
        evaluation = jb.evaluate(results, truths, max_separation=REACH)
        values = numbers(evaluation)
        assert values["recall"] == 0.0
        assert "precision" not in values  # of no detections
        assert "flux_r_median" not in values
        assert evaluation.efficiency.tolist() == [[1, 0, 0, 1], [0] * 4, [0] * 4, [0] * 4]
        assert "0 of 3 sources found" in repr(evaluation)


def test_flagged_sources_stay_and_are_counted():
    truth = truth_table(APART, BRIGHT)
    result = truth_table(APART, [[100, 400], [100, 200], [50, 100]], flags=[4, 0, 0])
    evaluation = jb.evaluate(result, truth, max_separation=REACH)
    values = numbers(evaluation)
    assert values["flagged"] == pytest.approx(1 / 3)
    assert values["flux_r_mean_absolute"] == pytest.approx(1 / 3)
    assert list(evaluation.sources["flagged"]) == [True, False, False]


def test_a_flux_that_is_not_finite_is_no_flux():
    truth = truth_table(APART, BRIGHT)
    result = truth_table(APART, [[100, np.nan], [100, 200], [50, 100]])
    values = numbers(jb.evaluate(result, truth, max_separation=REACH))
    assert values["no_flux_r"] == pytest.approx(1 / 3)
    assert values["no_flux_g"] == 0.0
    assert values["flux_r_mean_absolute"] == pytest.approx(1 / 3)
    assert values["magnitude_r_outliers"] == pytest.approx(1 / 3)


def test_stars_taken_for_galaxies_are_counted_and_have_no_shape():
    shapes = {"g1": [0.1, 0.2, 0.3], "g2": [0.0, 0.1, 0.0], "radius": [1.0, 2.0, 3.0]}
    truth = truth_table(APART, BRIGHT, kind=["galaxy", "galaxy", "star"], **shapes)
    shapes["g1"], shapes["radius"] = [0.15, 0.9, 0.9], [1.5, 9.0, 9.0]
    result = truth_table(APART, BRIGHT, kind=["galaxy", "star", "galaxy"], **shapes)
    evaluation = jb.evaluate(result, truth, max_separation=REACH)
    values = numbers(evaluation)
    assert values["galaxy_completeness"] == pytest.approx(1 / 2)
    assert values["star_completeness"] == 0.0
    np.testing.assert_allclose(evaluation.sources["g1_residual"], [0.05, np.nan, np.nan], atol=1e-6)
    np.testing.assert_allclose(evaluation.sources["size_residual"], [0.5, np.nan, np.nan], atol=1e-6)


@pytest.mark.slow
def test_errors_shrink_with_the_number_of_blends():
    truths = random_truths(320, n_sources=3)
    results = scattered(truths, scatter=0.1)
    results = [catalog[: len(catalog) - (i % 4 == 0)] for i, catalog in enumerate(results)]
    few, many = (jb.evaluate(results[:n], truths[:n], max_separation=REACH) for n in (20, 320))
    for metric in ("recall", "f1", "flux_r_mean_absolute", "flux_g_mean_absolute"):
        ratio = numbers(few, "error")[metric] / numbers(many, "error")[metric]
        assert 2.5 < ratio < 6.0, metric  # 4, each error known to a tenth or two
    expected = np.sqrt(np.pi / 2) * 0.1 / np.sqrt(880)  # of a median of normal numbers
    assert numbers(many, "error")["flux_r_median"] == pytest.approx(expected, rel=0.3)


def test_one_blend_has_no_errors():
    truth = random_truths(1, n_sources=30)
    evaluation = jb.evaluate(truth[0], truth, max_separation=REACH)
    assert np.isnan(evaluation.table["error"]).all()
    assert np.isnan(evaluation.in_bins("snr")["recall_err"]).all()
    assert numbers(evaluation)["recall"] == 1.0


def test_resamples_follow_from_the_key():
    truths = random_truths(10, n_sources=3)
    results = scattered(truths, scatter=0.1)
    options = {"max_separation": REACH, "n_bootstrap": 20}
    first, again, other = (
        numbers(jb.evaluate(results, truths, key=key, **options), "error")["flux_r_median"]
        for key in (None, jax.random.key(0), jax.random.key(1))
    )
    assert first == again != other


def test_shapes_are_held_against_the_shear_that_was_put_on():
    truths, results = [], []
    rng = np.random.default_rng(3)
    for shear in np.repeat([[-0.02, 0.01], [0.03, -0.02]], 20, axis=0):
        shapes = {"kind": ["galaxy"] * 3, "radius": [1.0] * 3}
        truth = truth_table(APART, BRIGHT, g1=np.full(3, shear[0]), g2=np.full(3, shear[1]), **shapes)
        truth.meta["shear"] = {"g1": shear[0], "g2": shear[1]}
        noise = 1e-4 * rng.normal(size=(2, 3))
        g1, g2 = 1.1 * shear[0] + 0.002 + noise[0], 0.8 * shear[1] + noise[1]
        truths.append(truth)
        results.append(truth_table(APART, BRIGHT, g1=g1, g2=g2, **shapes))
    values = numbers(jb.evaluate(results, truths, max_separation=REACH))
    for name, expected in (("m1", 0.1), ("m2", -0.2), ("c1", 0.002), ("c2", 0.0)):
        assert values[name] == pytest.approx(expected, abs=2e-3)
        assert values[f"shear_{name}"] == pytest.approx(expected, abs=2e-3)


def test_a_shear_that_is_the_same_everywhere_gives_no_bias_against_it():
    truths = [truth_table(APART, BRIGHT, g1=[0.1, 0.2, 0.3], g2=[0.1, 0.0, 0.2])] * 2
    for truth in truths:
        truth.meta["shear"] = {"g1": 0.0, "g2": 0.0}
    values = numbers(jb.evaluate(truths, truths, max_separation=REACH))
    assert "m1" in values
    assert "shear_m1" not in values
