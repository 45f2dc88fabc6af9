"""Blends in and out of the Blending ToolKit's containers; the toolkit itself where it is installed, else its fields."""

from dataclasses import replace
from types import SimpleNamespace

import galsim
import jax
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.compare import SEP, BTKDeblender, Jaxblend, Peaks, blends_from_btk, blends_to_btk
from jaxblend.compare.btk_plain import make_wcs, stamp_size
from jaxblend.forward.psf_images import effective_psf
from jaxblend.simulation import Artefacts, VaryingPSF


@pytest.fixture(scope="module")
def survey():
    return jb.get_survey("LSST", bands="gr")


@pytest.fixture(scope="module")
def blends(survey):
    return simulated(survey, 3)


def simulated(survey, n, **options):
    """All that the toolkit knows is the variance of the sky."""
    options = {"n_sources": 2, "stamp_size": 40, "max_offset": 2.0, "variance": "sky"} | options
    return list(jb.simulate_blends(survey, n, key=jax.random.key(4), **options))


@pytest.fixture
def batch(blends, survey):
    return blends_to_btk(blends, survey)


def test_a_batch_has_what_the_toolkit_looks_for(batch, blends):
    assert (batch.batch_size, batch.max_n_sources, batch.image_size) == (3, 2, 40)
    assert batch.survey.available_filters == ["g", "r"]
    assert batch.blend_images.shape == (3, 2, 40, 40)
    assert batch.isolated_images.shape == (3, 2, 2, 40, 40)
    for table, blend in zip(batch.catalog_list, blends, strict=True):
        np.testing.assert_allclose(np.stack([table["x_peak"], table["y_peak"]], 1), blend.positions, atol=1e-6)
        # In arcsec from the middle, right ascension along x: the toolkit's convention.
        np.testing.assert_allclose(np.stack([table["ra"], table["dec"]], 1), blend.offsets, atol=1e-6)
        np.testing.assert_array_equal(table["r_ab"], blend.truth["mag_r"].value)


def test_blends_come_back_as_they_went(batch, blends):
    for back, blend in zip(blends_from_btk(batch), blends, strict=True):
        np.testing.assert_array_equal(back.observation.image, blend.observation.image)
        np.testing.assert_allclose(back.observation.weight, blend.observation.weight, rtol=1e-6)
        np.testing.assert_allclose(back.observation.zero_point, blend.observation.zero_point)
        np.testing.assert_array_equal(back.isolated, blend.isolated)
        np.testing.assert_allclose(back.positions, blend.positions, atol=1e-6)
        for name in ("flux_g", "mag_r", "blendedness"):
            np.testing.assert_allclose(back.truth[name].value, blend.truth[name].value, rtol=1e-5, atol=1e-6)
        assert back.observation.gain.tolist() == [1.0, 1.0]


def test_signal_to_noise_is_that_of_the_noise_that_was_added(batch, blends, survey):
    for back, blend in zip(blends_from_btk(batch, photon_noise=False), blends, strict=True):
        np.testing.assert_allclose(back.truth["snr"], blend.truth["snr"], rtol=1e-5)
    of_all = simulated(survey, 3, variance="model")
    for back, blend in zip(blends_from_btk(batch), of_all, strict=True):
        np.testing.assert_allclose(back.truth["snr"], blend.truth["snr"], rtol=1e-5)


def test_a_batch_has_the_psf_of_its_blends(survey):
    blends = simulated(survey, 1, psf="moffat")
    assert isinstance(blends_to_btk(blends, survey, psf="moffat").psf[0], galsim.Moffat)
    with pytest.raises(ValueError, match=r"blend 0 was drawn with another PSF: give psf="):
        blends_to_btk(blends, survey)


def test_a_psf_for_each_blend_is_refused(survey, blends):
    with pytest.raises(ValueError, match=r"another for each blend: a batch of BTK has one for all"):
        blends_to_btk(blends, survey, psf=VaryingPSF(width_scatter=0.1))
    varied = simulated(survey, 2, psf=VaryingPSF(width_scatter=0.1))
    with pytest.raises(ValueError, match=r"was drawn with another PSF"):
        blends_to_btk(varied, survey)


def test_masked_pixels_are_refused(survey):
    blends = simulated(survey, 1, artefacts=Artefacts(dead_pixels=0.01))
    with pytest.raises(ValueError, match=r"blends \[0\] have masked pixels, of which BTK knows nothing"):
        blends_to_btk(blends, survey)


def test_results_are_evaluated_against_a_batch(batch):
    blends = blends_from_btk(batch)
    results = [Peaks()(blend.observation, blend.positions) for blend in blends]
    sources = jb.evaluate(results, blends, n_bootstrap=2).sources
    assert sources["found"].all()
    assert np.isfinite(sources["rmse"]).all()
    of_tables = jb.evaluate(results, [blend.truth for blend in blends], n_bootstrap=2, max_separation=0.7).sources
    np.testing.assert_array_equal(of_tables["flux_residual_r"], sources["flux_residual_r"])


def test_the_psf_has_the_scale_of_the_pixels(batch):
    observation = blends_from_btk(batch)[0].observation
    drawn = np.stack([p.drawImage(nx=39, ny=39, scale=0.2, dtype=float).array for p in batch.psf])
    np.testing.assert_allclose(effective_psf(observation, 39), drawn, atol=1e-3 * drawn.max())
    # What the toolkit's own arrays hold: as many pixels across in every band, whatever the seeing.
    as_btk = np.stack([p.drawImage(nx=39, ny=39, dtype=float).array for p in batch.psf])
    assert np.abs(as_btk - drawn).max() > 0.05 * drawn.max()


def test_magnitudes_are_not_needed(batch):
    for table in batch.catalog_list:
        table.remove_columns(["g_ab", "r_ab"])
    blend = blends_from_btk(batch)[1]
    np.testing.assert_allclose(blend.truth["flux_r"].value, blend.isolated[:, 1].sum((1, 2)), rtol=1e-5)
    assert "mag_r" not in blend.truth.colnames


def test_psfs_without_a_scale_are_refused(batch):
    loaded = replace(batch, psf=[galsim.Image(np.ones((5, 5)))] * 2)
    with pytest.raises(ValueError, match=r"the PSF of a band is of class Image, expected .* give them as psf="):
        blends_from_btk(loaded)
    assert len(blends_from_btk(loaded, psf=batch.psf)) == 3


def test_noise_of_the_sky_alone(batch):
    assert blends_from_btk(batch, photon_noise=False)[0].observation.gain is None


def test_a_deblender_finds_sources_of_its_own(batch, blends):
    deblended = BTKDeblender(6, Peaks())(batch)
    assert deblended.batch_size == 3
    assert deblended.deblended_images.shape == (3, 6, 2, 40, 40)
    for i, table in enumerate(deblended.catalog_list):
        found = Peaks()(blends_from_btk(batch)[i].observation)
        np.testing.assert_allclose(np.stack([table["x_peak"], table["y_peak"]], 1), found.positions)
        np.testing.assert_allclose(table["ra"], (table["x_peak"] - 19.5) * 0.2, atol=1e-6)
        np.testing.assert_array_equal(deblended.deblended_images[i, : len(table)], found.images)
        assert not deblended.deblended_images[i, len(table) :].any()
        assert table.meta["deblender"] == "peaks"


def test_a_deblender_takes_reference_positions(batch, blends):
    example = BTKDeblender(2, Peaks()).deblend(1, batch, reference_catalogs=batch.catalog_list)
    np.testing.assert_allclose(np.stack([example.catalog["x_peak"], example.catalog["y_peak"]], 1), blends[1].positions)
    np.testing.assert_allclose(example.catalog["dec"], batch.catalog_list[1]["dec"], atol=1e-9)


def test_a_reference_without_sources_gives_none(batch):
    references = [table[:0] for table in batch.catalog_list]
    example = BTKDeblender(2, Peaks()).deblend(0, batch, references)
    assert len(example.catalog) == 0
    assert not example.deblended_images.any()


def test_more_sources_than_slots_are_refused(batch):
    with pytest.raises(ValueError, match=r"peaks found 2 sources in a blend, more than max_n_sources=1: raise it"):
        BTKDeblender(1, Peaks())(batch, reference_catalogs=batch.catalog_list)


def test_jaxblend_is_the_default():
    deblender = BTKDeblender(3)
    assert isinstance(deblender.deblender, Jaxblend)
    assert str(deblender) == "jaxblend"
    assert str(BTKDeblender(3, SEP())) == "sep"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda blends, survey: ([], survey), "there are no blends"),
        (lambda blends, survey: (blends, jb.get_survey("LSST", bands="r")), r"have bands \[\('g', 'r'\)\], the survey"),
        (lambda blends, survey: ([*blends, _cut(blends[0])], survey), r"stamps have shapes \[\(30, 30\), \(40, 40\)\]"),
    ],
)
def test_blends_that_do_not_make_a_batch_are_refused(blends, survey, change, message):
    with pytest.raises(ValueError, match=message):
        blends_to_btk(*change(blends, survey))


def test_too_few_slots_are_refused(blends, survey):
    with pytest.raises(ValueError, match="a blend has 2 sources, more than max_n_sources=1: raise it"):
        blends_to_btk(blends, survey, max_n_sources=1)


def _cut(blend):
    stamp = slice(0, 30)
    return SimpleNamespace(observation=blend.observation.cutout(stamp, stamp), positions=blend.positions)


@pytest.mark.parametrize("scale", [0.2, 0.168, 0.1, 0.263])
def test_the_size_of_a_stamp_survives_rounding(scale):
    for size in range(20, 400):
        assert int(stamp_size(size, scale) / scale) == size


def test_the_toolkit_itself_runs_it(blends, survey):
    btk = pytest.importorskip("btk")
    batch = blends_to_btk(blends, survey)
    assert isinstance(batch, btk.blend_batch.BlendBatch)
    plain = make_wcs(0.2, 40)
    assert plain.wcs.compare(batch.wcs.wcs)
    # Two of one name: the toolkit keeps their results apart.
    deblenders = [BTKDeblender(8, Peaks()), btk.deblend.SepSingleBand(8, use_mean=True), BTKDeblender(8, Peaks())]
    draws = SimpleNamespace(batch_size=3, __next__=None)
    generator = btk.deblend.DeblendGenerator(deblenders, draws)
    generator.draw_blend_generator = iter([batch])
    seen, results = next(generator)
    assert seen is batch
    assert set(results) == {"peaks_0", "peaks_1", "SepSingleBand"}
    assert isinstance(results["peaks_0"], btk.blend_batch.DeblendBatch)
    matcher = btk.match.PixelHungarianMatcher(pixel_max_sep=5.0)
    matching = matcher(batch.catalog_list, results["peaks_0"].catalog_list)
    assert matching.n_true.tolist() == [2, 2, 2]
    assert sum(len(rows) for rows in matching.true_matches) >= 3  # one a blend: some overlap too much
