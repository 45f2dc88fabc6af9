from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from hand_made import REACH, changed, numbers, perfect, truth_table

import jaxblend as jb
from jaxblend.frames import Scene

APART, BRIGHT = [[20, 20], [80, 20]], [[100, 200], [50, 100]]


@pytest.fixture(scope="module")
def fit(blends):
    """A fit of the first blend."""
    return jb.fit(blends[0].observation, blends[0].positions)


def as_scene(result, observation):
    """The same as a deblended frame, in stamps that hold all the light."""
    height, width = observation.shape
    rows, columns = slice(1, height), slice(0, width - 1)
    cutouts = [(image[:, rows, columns], (rows, columns)) for image in result.images]
    n = len(result.catalog)
    nobody = np.zeros(n, int)
    return Scene(observation, result.catalog, result.images.sum(axis=0), cutouts, nobody, Table(), [], np.arange(n))


@pytest.mark.slow
def test_a_fit_is_evaluated_with_its_images(blends, fit):
    evaluation = jb.evaluate(fit, blends[0])
    assert evaluation.sources["found"].all()
    values = numbers(evaluation)
    assert values["cosine_mean"] > 0.9
    assert values["flux_r_median_absolute"] < 0.3
    rmse = np.sqrt(((fit.images[:, 1] - blends[0].isolated[:, 1]) ** 2).mean(axis=(1, 2)))
    np.testing.assert_allclose(evaluation.sources["rmse"].value, rmse, rtol=1e-4)
    without = jb.evaluate(replace(fit, observations=(), item=None), blends[0])
    assert "rmse" not in without.sources.colnames
    np.testing.assert_array_equal(without.sources["flux_residual_r"], evaluation.sources["flux_residual_r"])


def test_a_scene_is_evaluated_with_its_images(blends):
    result = changed(perfect(blends[:1])[0], factors=[0.9, 1.0, 1.1])
    images = result.images.copy()
    images[:, :, 0], images[:, :, :, -1] = 0.0, 0.0  # beyond the stamps
    expected = jb.evaluate(replace(result, images=images), blends[0]).sources
    sources = jb.evaluate(as_scene(result, blends[0].observation), blends[0]).sources
    for name in ("rmse", "flux_residual_g", "light_kept"):
        np.testing.assert_allclose(np.asarray(sources[name]), np.asarray(expected[name]), rtol=1e-5)


def test_images_that_are_not_finite_are_not_measured(blends):
    result = perfect(blends[:1])[0]
    result.images[1, :, 3, 3] = np.nan
    sources = jb.evaluate(result, blends[0]).sources
    assert list(np.isnan(sources["rmse"])) == [False, True, False]
    assert sources["found"].all()
    assert np.isfinite(sources["flux_residual_r"]).all()


def test_images_of_some_results_only_leave_the_others_out(blends):
    results = perfect(blends[:2])
    evaluation = jb.evaluate([results[0], results[1].catalog], blends[:2])
    assert list(np.isnan(evaluation.sources["rmse"])) == [False] * 3 + [True] * 3
    rows = {row["metric"]: row["count"] for row in evaluation.table}
    assert rows["ssim_mean"] == 3
    assert rows["light_kept"] == 3
    assert rows["flux_r_median"] == 6


def test_fluxes_and_images_in_other_units_are_converted(blends):
    result = perfect(blends[:1])[0]
    for band in "gr":
        result.catalog[f"flux_{band}"] = result.catalog[f"flux_{band}"].to(1000 * u.electron)
    thousands = replace(result, images=result.images / 1000)
    values = numbers(jb.evaluate(thousands, blends[0]))
    assert values["flux_r_median_absolute"] == pytest.approx(0.0, abs=1e-6)
    assert values["light_kept"] == pytest.approx(1.0, abs=1e-5)


def test_bands_of_one_side_are_left_out():
    truth = truth_table(APART, BRIGHT)
    red = truth["id", "x", "y", "flux_r"]
    evaluation = jb.evaluate(red, truth, max_separation=REACH)
    assert evaluation.bands.names == ("r",)
    assert not any("_g_" in metric for metric in numbers(evaluation))
    green = truth["id", "x", "y", "flux_g"]
    assert jb.evaluate(green, truth, max_separation=REACH).bands.reference == "g"


def test_names_of_sources_may_be_words():
    truth = truth_table(APART, BRIGHT)
    truth["id"] = ["left", "right"]
    evaluation = jb.evaluate(truth[::-1], truth, max_separation=REACH)
    assert list(evaluation.sources["id"]) == ["left", "right"]
    assert list(evaluation.detections["id"]) == ["right", "left"]
    assert list(evaluation.sources["detection"]) == [1, 0]


def test_the_usual_separation_is_the_width_of_the_psf(blends):
    survey = jb.get_survey("LSST", bands="gr")
    catalogs = [blend.truth for blend in blends]
    # Of the effective PSF, which the pixel widens.
    expected = np.median(np.hypot(survey.psf_fwhm, survey.pixel_scale))
    assert jb.evaluate(catalogs, blends).max_separation == pytest.approx(expected, rel=0.05)


WRONG = {
    "there must be one result per blend": lambda t: ([t, t], [t]),
    "got 0 results and 0 truths": lambda t: ([], []),
    "share no band": lambda t: (renamed(t, "flux_g", "flux_z", "flux_r", "flux_y"), t),
    "result 1 has fluxes in the bands": lambda t: ([t, renamed(t, "flux_g", "flux_z")], [t, t]),
    "truth 1 has fluxes in the bands": lambda t: ([t, t], [t, renamed(t, "flux_g", "flux_z")]),
    "result 0 has no column x": lambda t: (renamed(t, "x", "x_pixel"), t),
    "result 0: column x is in deg, expected pix": lambda t: (with_column(t, "x", [1, 2] * u.deg), t),
    "result 0: flux_r is in Jy, and the truth in no unit": lambda t: (with_column(t, "flux_r", [1, 2] * u.Jy), t),
    "result 0: flux_r is in mag.AB., and the truth in electron": lambda t: (
        with_column(t, "flux_r", [1, 2] * u.ABmag),
        with_column(t, "flux_r", [1, 2] * u.electron),
    ),
    "result 0: column radius must be of numbers": lambda t: (with_column(t, "radius", ["small", "large"]), t),
    r"truth 0: x, y or a flux is not finite in rows \[1\]": lambda t: (t, with_column(t, "flux_r", [1, np.nan])),
    "the zero point of g is 30.0000, that of the truth 31.0000": lambda t: (zero_point(t, 30), zero_point(t, 31)),
}


def renamed(table, *names):
    table = table.copy()
    for old, new in zip(names[::2], names[1::2], strict=True):
        table.rename_column(old, new)
    return table


def with_column(table, name, values):
    table = table.copy()
    table[name] = values
    return table


def zero_point(table, value):
    table = table.copy()
    table.meta["zero_point"] = [value, value]
    return table


@pytest.mark.parametrize("message", WRONG)
def test_what_does_not_fit_together_is_refused(message):
    result, truth = WRONG[message](truth_table(APART, BRIGHT))
    with pytest.raises(ValueError, match=message):
        jb.evaluate(result, truth, max_separation=REACH)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_separation": 0.0}, "max_separation must be positive, in arcsec, got 0"),
        ({"max_separation": None}, "give max_separation in arcsec: tables do not tell the PSF"),
        ({"band": "z"}, "band must be one of"),
        ({"n_bootstrap": 1}, "n_bootstrap must be 2 or more"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    truth = truth_table(APART, BRIGHT)
    with pytest.raises(ValueError, match=message):
        jb.evaluate(truth, truth, **{"max_separation": REACH} | options)


def test_a_psf_for_each_source_has_no_width_for_a_default(blends):
    observed = blends[0].observation
    per_source = jb.ImagePSF(np.full((3, 2, 5, 5), 0.04))
    truth = replace(blends[0], observation=observed.replace(psf=per_source))
    with pytest.raises(ValueError, match="give max_separation in arcsec: its default is the width of the PSF"):
        jb.evaluate(perfect(blends)[0], truth)


def test_a_truth_must_say_how_large_pixels_are():
    truth = truth_table(APART, BRIGHT)
    del truth.meta["pixel_scale"]
    with pytest.raises(ValueError, match="truth 0: its meta"):
        jb.evaluate(truth, truth, max_separation=REACH)


def test_other_kinds_are_refused():
    truth = truth_table(APART, BRIGHT)
    for wrong in (3, "catalog.ecsv", {"x": [1]}, np.zeros((2, 2))):
        with pytest.raises(TypeError, match="expected a Fit, a Scene"):
            jb.evaluate(wrong, truth)
    with pytest.raises(TypeError, match="result 1 must be a Fit, a Scene"):
        jb.evaluate([truth, 3], [truth, truth])
    with pytest.raises(TypeError, match="truth 0 must be a simulated Blend"):
        jb.evaluate(truth, None)


def test_images_of_other_stamps_are_refused(blends):
    result = perfect(blends[:1])[0]
    with pytest.raises(ValueError, match=r"result 0 has images of shape \(3, 31, 31\) in r for 3 sources"):
        jb.evaluate(replace(result, images=result.images[..., 5:36, 5:36]), blends[0])
    with pytest.raises(ValueError, match=r"images of shape \(2, 41, 41\) in r for 3 sources"):
        jb.evaluate(replace(result, images=result.images[:2]), blends[0])
