import numpy as np
import pytest
from astropy.table import QTable, vstack
from hand_made import changed, numbers, perfect

import jaxblend as jb

RIGHT_IS_ONE = ("precision", "f1", "recall", "ssim", "cosine", "correlation", "iou", "dice", "light_kept")
ALSO_ONE = (
    "galaxy_completeness",
    "star_completeness",
    "galaxy_purity",
    "star_purity",
    "flux_of",
    "flux_found",
    "moments_converged",
)


@pytest.fixture(scope="module")
def evaluation(blends):
    return jb.evaluate(perfect(blends), blends)


def plain(table):
    """A table of sources without the columns that number blends and rows, as one array."""
    names = [name for name in table.colnames if name not in ("blend", "row", "id", "detection")]
    return np.stack([np.asarray(getattr(table[n], "value", table[n]), float) for n in names], axis=1)


def test_a_perfect_result_scores_perfectly_in_every_metric(evaluation):
    values = numbers(evaluation)
    assert values.pop("psnr_median") == np.inf
    field = [name for name in values if name.startswith("aperture_honest_of_field")]  # has the noise in it
    assert all(0 < abs(values.pop(name)) < 0.1 for name in field)
    of_the_truth = [name for name in values if name.startswith(("blend_fraction", "blended_area", "neighbour"))]
    assert [values.pop(name) >= 0 for name in of_the_truth] == [True] * 3
    ones = {name: value for name, value in values.items() if name.startswith((*RIGHT_IS_ONE, *ALSO_ONE))}
    assert {"precision", "recall", "ssim_mean", "light_kept", "flux_found", "star_completeness"} <= set(ones)
    np.testing.assert_allclose(list(ones.values()), 1.0, atol=2e-5)
    zeros = {name: value for name, value in values.items() if name not in ones}
    assert {"flux_r_median", "colour_g_r_nmad", "size_median", "m1", "c2", "rmse_median", "light_lost"} <= set(zeros)
    np.testing.assert_allclose(list(zeros.values()), 0.0, atol=2e-5)


def test_the_table_says_what_its_numbers_are(evaluation, blends):
    table = evaluation.table
    assert table.colnames == ["metric", "value", "error", "count", "unit", "meaning"]
    assert len(set(table["metric"])) == len(table)
    rows = {row["metric"]: row for row in table}
    assert rows["magnitude_g_median"]["unit"] == "mag"
    assert rows["rmse_median"]["unit"] == "electron"
    assert rows["recall"]["count"] == 12
    assert rows["failed_blends"]["count"] == len(blends)
    assert "in g" in rows["flux_g_nmad"]["meaning"]
    assert np.isfinite(rows["flux_g_nmad"]["error"])
    assert table.meta["max_separation"] == pytest.approx(evaluation.max_separation)


def test_it_says_in_a_line_what_came_out(evaluation):
    assert repr(evaluation).startswith("Evaluation(4 blends; 12 of 12 sources found")


def test_half_the_flux_is_seen(blends):
    results = [changed(result, factors=[0.5, 0.5, 0.5]) for result in perfect(blends)]
    values = numbers(jb.evaluate(results, blends))
    for name, expected in (
        ("flux_g_median", -0.5),
        ("flux_r_mean_absolute", 0.5),
        ("magnitude_r_median", 2.5 * np.log10(2)),
        ("magnitude_r_outliers", 1.0),
        ("colour_g_r_median", 0.0),
        ("blend_flux_median", -0.5),
        ("flux_of_pairs", 0.5),
        ("light_kept", 0.5),
        ("light_missing", 0.5),
        ("aperture_honest_median", -0.5),
        ("cosine_mean", 1.0),
        ("moments_g1_median", 0.0),
        ("recall", 1.0),
    ):
        assert values[name] == pytest.approx(expected, abs=1e-4), name
    assert values["rmse_median"] > 0
    assert values["psnr_median"] < 40
    assert values["ssim_mean"] < 0.99
    assert values["iou_mean"] < 0.95
    assert values["aperture_noise_preserving_mean_absolute"] > 0.001


def test_light_of_a_neighbour_is_seen(blends):
    result = perfect(blends[:1])[0]
    images = result.images.copy()
    images[0] += 0.2 * result.images[1]
    images[1] *= 0.8
    stolen = type(result)("thief", images, result.catalog)
    sources = jb.evaluate(stolen, blends[0]).sources
    flux = blends[0].isolated[:, 1].sum(axis=(1, 2))
    np.testing.assert_allclose(sources["light_gained"], [0.2 * flux[1] / flux[0], 0, 0], atol=1e-3)
    np.testing.assert_allclose(sources["light_lost"], [0, 0.2, 0], atol=1e-3)
    np.testing.assert_allclose(sources["light_kept"], [1, 0.8, 1], atol=1e-3)


def test_the_order_of_rows_does_not_matter(blends, evaluation):
    results = perfect(blends)
    orders = [[2, 0, 1], [1, 0, 2], [0, 2, 1], [2, 1, 0]]
    factors = np.array([0.7, 1.0, 1.3])
    straight = jb.evaluate([changed(one, factors=factors) for one in results], blends)
    mixed = jb.evaluate(
        [changed(one, rows=order, factors=factors[order]) for one, order in zip(results, orders, strict=True)], blends
    )
    np.testing.assert_allclose(plain(mixed.sources), plain(straight.sources), rtol=1e-4, atol=1e-4)
    assert [list(part["detection"]) for part in mixed.sources.group_by("blend").groups] == [
        list(np.argsort(order)) for order in orders
    ]


def test_a_batch_is_its_blends_one_by_one(blends):
    results = [changed(one, factors=[0.9, 1.2, 1.0]) for one in perfect(blends)]
    results[1] = changed(results[1], rows=[0, 2])
    options = {"max_separation": 0.8}
    together = jb.evaluate(results, blends, **options).sources
    apart = [jb.evaluate(*pair, **options).sources for pair in zip(results, blends, strict=True)]
    for table in apart:
        table.meta.clear()
    assert apart[0].colnames == together.colnames
    np.testing.assert_allclose(plain(vstack(apart)), plain(together), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_blends_of_several_stamp_shapes_and_portions_are_scored_alike(blends, monkeypatch):
    cut = [smaller(blend) for blend in blends[:2]]
    truths = [blends[0], cut[0], blends[1], cut[1], blends[2]]
    results = [changed(one, factors=[0.9, 1.2, 1.0]) for one in perfect(truths)]
    at_once = jb.evaluate(results, truths, max_separation=0.8).sources
    alone = jb.evaluate(results[3], truths[3], max_separation=0.8).sources
    mine = at_once[at_once["blend"] == 3]
    np.testing.assert_allclose(plain(mine), plain(alone), rtol=1e-4, atol=1e-4)
    monkeypatch.setattr("jaxblend.evaluation.images.PIXELS_AT_ONCE", 2 * 3 * 41**2)  # two blends
    in_portions = jb.evaluate(results, truths, max_separation=0.8).sources
    np.testing.assert_allclose(plain(in_portions), plain(at_once), rtol=1e-4, atol=1e-4)


def smaller(blend):
    """The same blend without the outermost two rows and columns of pixels."""
    from dataclasses import replace

    inside = slice(2, -2)
    truth = blend.truth.copy()
    for name in "xy":
        truth[name] -= 2 * truth[name].unit
    observation = blend.observation.cutout(slice(2, 39), slice(2, 39))
    return replace(blend, truth=truth, observation=observation, isolated=blend.isolated[..., inside, inside])


def test_a_plain_catalogue_has_all_but_images(blends, evaluation):
    catalogs = [QTable(blend.truth) for blend in blends]
    values, full = numbers(jb.evaluate(catalogs, blends)), numbers(evaluation)
    assert set(values) < set(full)
    assert {"flux_r_median", "size_nmad", "m1", "precision"} <= set(values)
    assert not any(name.startswith(("rmse", "psnr", "light", "aperture", "moments", "blended")) for name in values)


def test_another_reference_band_is_measured_in_it(blends):
    results = perfect(blends)
    for one in results:
        one.images[:, 0] = 0.5 * one.images[:, 0]
    in_g, in_r = (jb.evaluate(results, blends, band=band) for band in "gr")
    assert numbers(in_g)["light_kept"] == pytest.approx(0.5, abs=1e-4)
    assert numbers(in_r)["light_kept"] == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(
        in_g.sources["magnitude"].value, np.concatenate([blend.truth["mag_g"].value for blend in blends])
    )


def test_errors_of_images_are_those_of_plain_numpy(blends):
    results = [changed(one, factors=[0.9, 1.2, 1.0]) for one in perfect(blends)]
    sources = jb.evaluate(results, blends).sources
    error = np.concatenate([(a.images - b.isolated)[:, 1].astype(float) for a, b in zip(results, blends, strict=True)])
    rmse = np.sqrt((error**2).mean(axis=(1, 2)))
    np.testing.assert_allclose(sources["rmse"].value, rmse, rtol=1e-4, atol=1e-6)
