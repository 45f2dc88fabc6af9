"""Scatter and outliers of fluxes, magnitudes and colours, and how blended the truth is, held against plain NumPy."""

import numpy as np
import pytest
from hand_made import REACH, changed, numbers, perfect, random_truths, scattered, truth_table

import jaxblend as jb
from jaxblend import metrics


@pytest.fixture(scope="module")
def pairs():
    truths = random_truths(20, n_sources=4)
    return truths, scattered(truths, scatter=0.3)


def stacked(tables, name):
    return np.concatenate([np.asarray(table[name]) for table in tables])


def test_scatter_is_a_standard_deviation_and_colours_have_outliers(pairs):
    truths, results = pairs
    results = [result.copy() for result in results]
    results[3]["flux_g"][:2] *= 8  # more than two magnitudes bluer
    ratio = {b: stacked(results, f"flux_{b}") / stacked(truths, f"flux_{b}") for b in "gr"}
    magnitude = {b: -2.5 * np.log10(ratio[b]) for b in "gr"}
    colour = magnitude["g"] - magnitude["r"]
    values = numbers(jb.evaluate(results, truths, max_separation=REACH))
    assert values["flux_g_scatter"] == pytest.approx(np.std(ratio["g"]), rel=1e-4)
    assert values["magnitude_r_scatter"] == pytest.approx(np.std(magnitude["r"]), rel=1e-4)
    assert values["colour_g_r_scatter"] == pytest.approx(np.std(colour), rel=1e-4)
    assert np.mean(np.abs(colour) > 0.75) >= 2 / 80
    assert values["colour_g_r_outliers"] == pytest.approx(np.mean(np.abs(colour) > 0.75))
    assert values["flux_g_scatter"] > 1.2 * values["flux_g_nmad"]  # tails


def test_a_source_without_flux_is_no_part_of_the_scatter():
    places = [[20, 20], [80, 20], [20, 80]]
    truth = truth_table(places, np.ones((3, 2)))
    result = truth_table(places, [[1, 0], [1, 1], [1, 2]])
    values = numbers(jb.evaluate(result, truth, max_separation=REACH))
    assert values["magnitude_r_scatter"] == pytest.approx(2.5 * np.log10(2) / 2, rel=1e-4)
    assert values["colour_g_r_outliers"] == pytest.approx(2 / 3)


def test_the_blend_fraction_is_that_of_the_truth_found_or_not():
    places = [[20, 20], [80, 20], [20, 80], [80, 80]]
    truth = truth_table(places, np.ones((4, 2)), blendedness=[0.0, 0.01, 0.3, np.nan])
    evaluation = jb.evaluate([truth[:1], None], [truth, truth], max_separation=REACH)
    assert numbers(evaluation)["blend_fraction"] == pytest.approx(1 / 3)
    assert numbers(evaluation, "count")["blend_fraction"] == 6
    known = np.array([0.0, 0.01, 0.3] * 2)
    assert numbers(evaluation)["blend_fraction"] == pytest.approx(float(metrics.blend_fraction(known, above=0.01)))
    plain = truth["x", "y", "flux_g", "flux_r"]
    assert "blend_fraction" not in numbers(jb.evaluate(truth, plain, max_separation=REACH))


def test_overlap_of_the_true_images_does_not_depend_on_what_was_found(blends):
    results = perfect(blends)
    results[2] = changed(results[2], rows=[0, 2])
    area, ratio = [], []
    for blend in blends:
        image, sigma = np.asarray(blend.isolated)[:, 1].astype(float), np.asarray(blend.observation.weight)[1] ** -0.5
        seen = image > 3 * sigma
        for i in range(3):
            others = np.delete(np.arange(3), i)
            area.append((seen[i] & seen[others].any(axis=0)).sum() / seen[i].sum() if seen[i].any() else np.nan)
            ratio.append(
                image[others].sum(axis=0)[seen[i]].sum() / image[i][seen[i]].sum() if seen[i].any() else np.nan
            )
    evaluation = jb.evaluate(results, blends, n_bootstrap=2)
    np.testing.assert_allclose(evaluation.sources["blended_area"], area, rtol=1e-5)
    np.testing.assert_allclose(evaluation.sources["neighbour_flux_ratio"], ratio, rtol=1e-3)
    values = numbers(evaluation)
    assert 0 < values["blended_area_mean"] == pytest.approx(np.nanmean(area), rel=1e-5)
    assert values["neighbour_flux_ratio_median"] == pytest.approx(np.nanmedian(ratio), rel=1e-3)
