"""How surveys see a scene: noise, defects, PSFs of each blend, several at once."""

import jax
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.simulation import Artefacts, VaryingPSF, simulate_surveys
from jaxblend.simulation.truth import stack_truths

LSST = jb.get_survey("LSST", "gr")
EUCLID, HSC, HST = jb.get_survey("Euclid_VIS"), jb.get_survey("HSC", "r"), jb.get_survey("COSMOS")
KEY = jax.random.key(3)
SMALL = {"stamp_size": 32, "n_sources": 2}
CORRELATION = 0.5 ** (np.arange(-2, 3)[:, None] ** 2 + np.arange(-2, 3) ** 2)


def draw(**options):
    return jb.simulate(LSST, key=KEY, **SMALL, **options)


def test_counted_noise_is_the_default():
    np.testing.assert_array_equal(draw().observation.image, draw(noise="poisson").observation.image)


def test_the_scene_is_the_same_whatever_the_noise_and_the_defects():
    plain = draw(noise=False)
    for options in (
        {"noise": "gaussian"},
        {"noise": "sky", "noise_correlation": CORRELATION},
        {"artefacts": Artefacts(cosmic_rays=3, bad_columns=1)},
    ):
        np.testing.assert_array_equal(draw(**options).isolated, plain.isolated)


def test_correlated_noise_comes_with_its_correlation():
    observation = draw(noise="sky", noise_correlation=CORRELATION).observation
    np.testing.assert_allclose(observation.noise_correlation[0], CORRELATION, atol=1e-6)


def test_defects_have_no_weight():
    clean, spoilt = draw(), draw(artefacts=Artefacts(bad_columns=3, saturation=float(1.1 * LSST.sky_level.max())))
    bad = spoilt.observation.weight == 0
    assert bad.any()
    np.testing.assert_allclose(spoilt.observation.image[~bad], clean.observation.image[~bad], rtol=1e-5, atol=0.01)


@pytest.mark.slow
def test_each_blend_has_its_own_psf():
    blends = list(jb.simulate_blends(LSST, 2, key=KEY, psf=VaryingPSF(width_scatter=0.2), **SMALL))
    first, second = (np.abs(b.observation.psf.transfer(b.observation.frame)) for b in blends)
    assert np.abs(first - second).max() > 0.02
    again = jb.simulate(LSST, key=jax.random.fold_in(KEY, 1), psf=VaryingPSF(width_scatter=0.2), **SMALL)
    np.testing.assert_array_equal(again.observation.image, blends[1].observation.image)
    fit = jb.fit(blends[0].observation, blends[0].positions)
    np.testing.assert_allclose(fit.chi2, 1.0, atol=0.2)


@pytest.mark.parametrize(("ground", "space"), [(LSST, EUCLID), (HSC, HST)], ids=("LSST_Euclid", "HSC_HST"))
def test_several_surveys_see_one_sky(ground, space):
    wide, sharp = simulate_surveys([ground, space], key=KEY, noise=False, **SMALL)
    side = sharp.observation.shape[0]
    np.testing.assert_allclose(
        (wide.positions - 15.5) * ground.pixel_scale, (sharp.positions - 0.5 * (side - 1)) * space.pixel_scale
    )
    assert side * space.pixel_scale == pytest.approx(32 * ground.pixel_scale, abs=0.1)
    np.testing.assert_array_equal(wide.truth["catalog_row"], sharp.truth["catalog_row"])
    noisy = simulate_surveys([ground, space], key=KEY, **SMALL)
    np.testing.assert_array_equal(noisy[1].isolated, sharp.isolated)


def test_surveys_that_cannot_be_simulated_together_are_refused():
    with pytest.raises(ValueError, match="no surveys"):
        simulate_surveys([], key=KEY)
    with pytest.raises(ValueError, match="whose pixels and bands differ"):
        simulate_surveys([LSST, EUCLID], key=KEY, noise="sky", noise_correlation=CORRELATION, **SMALL)


def test_a_psf_that_changes_fluxes_is_refused():
    import galsim

    with pytest.raises(ValueError, match="PSF of flux 2, expected 1"):
        draw(psf=galsim.Moffat(beta=3, fwhm=0.8, flux=2))


def test_truths_of_several_surveys_are_no_table():
    blends = simulate_surveys([LSST, jb.get_survey("Euclid_VIS")], key=KEY, **SMALL)
    with pytest.raises(ValueError, match="Got blends of survey LSST and"):
        stack_truths(b.truth for b in blends)


def test_truths_of_many_blends_are_one_table():
    options = {"shear": np.array([[0.1, 0.0], [0.0, -0.2]]), **SMALL}
    blends = list(jb.simulate_blends(LSST, 3, key=KEY, **options))
    table = stack_truths(b.truth for b in blends)
    np.testing.assert_array_equal(table["blend"], np.repeat([0, 1, 2], 2))
    for number, blend in enumerate(blends):
        rows = table[table["blend"] == number]
        assert set(rows["shear_g1"]) == {blend.truth.meta["shear"]["g1"]}
        np.testing.assert_array_equal(rows["flux_r"], blend.truth["flux_r"])
    assert table.meta["bands"] == ["g", "r"]
    assert "shear" not in table.meta
    assert "shear" in blends[0].truth.meta


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"noise": "pink"}, "expected True, False or one of"),
        ({"noise_correlation": CORRELATION}, "counted noise"),
        ({"noise": "sky", "variance": "model"}, "has not that variance"),
    ],
)
def test_what_does_not_go_together_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        draw(**wrong)


def test_artefacts_are_the_class():
    with pytest.raises(TypeError, match="artefacts"):
        draw(artefacts={"cosmic_rays": 1})
