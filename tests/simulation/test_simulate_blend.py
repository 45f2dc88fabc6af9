import inspect

import galsim
import jax
import jaxtyping
import numpy as np
import pytest

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import observe, simulate, simulate_blends
from jaxblend.simulation.galsim_truth import accurate_gsparams, draw_isolated
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.sample import Selection, numpy_generator
from jaxblend.simulation.truth import blendedness, signal_to_noise

KEY = jax.random.key(3)
STAMP = 48


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="gri")


@pytest.fixture(scope="module")
def blend(survey):
    return simulate(survey, key=KEY, n_sources=3, stamp_size=STAMP)


def test_the_key_decides_everything(survey, blend):
    again = simulate(survey, key=KEY, n_sources=3, stamp_size=STAMP)
    np.testing.assert_array_equal(again.observation.image, blend.observation.image)
    other = simulate(survey, key=jax.random.key(4), n_sources=3, stamp_size=STAMP)
    assert np.any(other.observation.image != blend.observation.image)
    quiet = simulate(survey, key=KEY, n_sources=3, stamp_size=STAMP, noise=False)
    np.testing.assert_array_equal(quiet.isolated, blend.isolated)


def test_blends_do_not_depend_on_their_neighbours(survey):
    options = {"max_sources": 2, "stamp_size": 24, "max_offset": 1.5}
    many = list(simulate_blends(survey, 3, key=KEY, **options))
    few = list(simulate_blends(survey, 2, key=KEY, **options))
    alone = simulate(survey, key=jax.random.fold_in(KEY, 1), **options)
    for blend in (few[1], alone):
        np.testing.assert_array_equal(blend.observation.image, many[1].observation.image)
    assert np.any(many[0].observation.image != many[1].observation.image)


def test_truth_agrees_with_the_images(survey, blend):
    truth = blend.truth
    assert len(truth) == 3
    np.testing.assert_allclose(np.stack([truth["x"].value, truth["y"].value], 1), blend.positions)
    for index, band in enumerate(survey.bands):
        flux = truth[f"flux_{band}"].to_value("electron")
        inside = blend.isolated[:, index].sum(axis=(1, 2))
        np.testing.assert_array_less(inside, flux)
        np.testing.assert_allclose(inside, flux, rtol=0.05)
        np.testing.assert_allclose(truth[f"mag_{band}"].value, survey.zero_point[index] - 2.5 * np.log10(flux))
    assert truth.meta["versions"]["surveycodex"] == survey.codex_version
    assert truth.meta["reference_band"] == "r"


def test_selection_is_kept(survey, blend):
    assert (blend.truth["snr"] > 10).all()
    assert (blend.truth["mag_i"].value < 25.3).all()
    assert np.abs(blend.offsets).max() <= 2.4
    np.testing.assert_allclose(blend.positions, blend.offsets / 0.2 + 0.5 * (STAMP - 1))


def test_noise_has_the_variance_of_sky_and_model(survey):
    sources = draw_population(np.random.default_rng(0), 1, survey, max_magnitude=18.5, star_fraction=0.0)
    options = {"stamp_size": 24}
    keys = jax.random.split(KEY, 40)
    blends = [observe(sources, [(0.0, 0.0)], survey, key=key, **options) for key in keys]
    weight = blends[0].observation.weight
    residual = np.stack([blend.observation.image for blend in blends]) - blends[0].isolated.sum(axis=0)
    assert np.mean(residual**2 * weight) == pytest.approx(1.0, abs=0.02)
    centre = residual[:, :, 10:14, 10:14]
    assert np.mean(centre**2 * weight[:, 10:14, 10:14]) == pytest.approx(1.0, abs=0.1)
    sky_only = observe(sources, [(0.0, 0.0)], survey, key=KEY, variance="sky", **options).observation.weight
    np.testing.assert_allclose(
        sky_only, np.broadcast_to(1 / survey.sky_level[:, None, None], sky_only.shape), rtol=1e-6
    )
    assert (weight < sky_only).all()


def test_the_same_sky_by_two_instruments(survey):
    euclid = get_survey("Euclid_VIS")
    sources = draw_population(np.random.default_rng(1), 2, (survey, euclid), max_magnitude=22.0, star_fraction=0.0)
    offsets = [(0.5, -0.3), (-0.6, 0.7)]
    for instrument in (survey, euclid):
        blend = observe(sources, offsets, instrument, key=KEY, stamp_size=64, noise=False)
        sky = (blend.positions - 31.5) * instrument.pixel_scale
        np.testing.assert_allclose(sky, offsets, atol=1e-12)
        y, x = np.unravel_index(blend.isolated[0, 0].argmax(), (64, 64))
        np.testing.assert_allclose((x, y), blend.positions[0], atol=0.6)


def test_galsim_default_accuracy_is_enough(survey):
    sources = draw_population(np.random.default_rng(2), 3, survey, star_fraction=0.3)
    options = {"psfs": survey_psfs(survey), "shape": (32, 32)}
    positions = [(15.2, 16.1), (12.0, 20.5), (17.3, 14.0)]
    fast = draw_isolated(sources, positions, survey, **options)
    exact = draw_isolated(sources, positions, survey, gsparams=accurate_gsparams(), **options)
    peak = exact.max(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(fast / peak, exact / peak, atol=1e-5)


def test_any_galsim_psf(survey):
    psf = galsim.Gaussian(fwhm=0.7).shear(g1=0.05)
    blend = simulate(survey, key=KEY, n_sources=1, stamp_size=32, psf=psf)
    assert blend.isolated.shape == (1, 3, 32, 32)


def test_blendedness_and_signal_to_noise():
    image = np.zeros((2, 4, 4))
    image[0, 1, 1], image[1, 1, 1] = 1.0, 3.0
    np.testing.assert_allclose(blendedness(image), [0.75, 0.25])
    image[1] = np.roll(image[1], 2, axis=0)
    np.testing.assert_allclose(blendedness(image), 0.0)
    np.testing.assert_allclose(signal_to_noise(image, 4.0), [0.5, 1.5])
    assert blendedness(np.zeros((1, 4, 4)))[0] == 0


def test_none_twice_while_others_remain(survey):
    pool = draw_population(np.random.default_rng(5), 4, survey, max_magnitude=23.0)
    blend = simulate(survey, key=KEY, n_sources=4, catalog=pool, stamp_size=24)
    assert sorted(blend.truth["catalog_row"]) == [0, 1, 2, 3]


def test_signatures_name_every_option_with_its_default():
    options = {"n_sources", "catalog", "max_sources", "max_offset", "selection", "layout"}
    options |= {"rotate", "shear", "shear_positions", "dither"}
    seeing = {"stamp_size", "psf", "noise", "noise_correlation", "variance", "artefacts", "gsparams", "decentring"}
    seeing |= {"backend"}
    assert set(inspect.signature(simulate).parameters) == {"survey", "key"} | options | seeing
    assert set(inspect.signature(simulate_blends).parameters) == {"survey", "n", "key", "batch_size"} | options | seeing
    assert set(inspect.signature(observe).parameters) == {"sources", "offsets", "survey", "key"} | seeing
    assert inspect.signature(simulate_blends).parameters["max_sources"].default == 5


@pytest.mark.parametrize("call", [simulate, lambda *args, **options: simulate_blends(*args, 2, **options)])
def test_wrong_options_are_refused_before_anything_is_drawn(survey, call):
    with pytest.raises(TypeError, match=r"unknown options \['max_source'\].*'max_sources'"):
        call(survey, key=KEY, max_source=3)
    with pytest.raises(ValueError, match="variance='poisson'"):
        call(survey, key=KEY, variance="poisson")
    with pytest.raises(TypeError, match="typed key"):
        call(survey, key=jax.random.PRNGKey(0))


@pytest.mark.parametrize("size", [24.5, 24.0, "24", 3])
def test_a_stamp_has_a_whole_number_of_pixels(survey, monkeypatch, size):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as where types are not checked
    with pytest.raises(ValueError, match=f"stamp_size={size} pixels, expected a whole number of at least 4"):
        simulate(survey, key=KEY, stamp_size=size)


def test_wrong_input_is_refused(survey):
    with pytest.raises(TypeError, match="typed key"):
        simulate(survey, key=jax.random.PRNGKey(0))
    with pytest.raises(TypeError, match="typed key"):
        numpy_generator(jax.random.split(KEY))
    with pytest.raises(ValueError, match="at least one source"):
        simulate(survey, key=KEY, n_sources=0)
    with pytest.raises(ValueError, match="variance='poisson'"):
        simulate(survey, key=KEY, n_sources=1, variance="poisson")
    with pytest.raises(TypeError, match="survey"):
        simulate("LSST", key=KEY)
    pool = draw_population(np.random.default_rng(5), 4, survey)
    with pytest.raises(ValueError, match="brighter than 10"):
        simulate(survey, key=KEY, catalog=pool, selection=Selection(max_magnitude=10.0))
    with pytest.raises(ValueError, match="min_snr=nan, expected a finite number"):
        Selection(min_snr=np.nan)
    with pytest.raises(ValueError, match="max_magnitude=nan"):
        Selection(max_magnitude=np.nan)
    with pytest.raises(ValueError, match="min_separation=-1, expected a finite number, 0 or more"):
        Selection(min_separation=-1)
    with pytest.raises(ValueError, match="even if it were a point"):
        simulate(survey, key=KEY, n_sources=1, selection=Selection(min_snr=1e9))
    with pytest.raises(ValueError, match="Only 1 of 2 sources passed"):
        simulate(survey, key=KEY, n_sources=2, selection=Selection(min_separation=9.0))


def test_lsst_blends_from_the_sample(shared_data):
    pool_path = shared_data / "catsim_sample.fits"
    survey = get_survey("LSST", bands="ri")
    (blend,) = simulate_blends(survey, 1, key=jax.random.key(0), catalog=pool_path)
    assert set(blend.truth["kind"]) == {"galaxy"}
    assert blend.observation.image.shape == (2, 64, 64)
