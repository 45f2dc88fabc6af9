import numpy as np
import pytest

import jaxblend as jb
from jaxblend.forward.psf_images import effective_psf
from jaxblend.simulation.psf import effective_psf_images, survey_psfs


@pytest.fixture(scope="module")
def blank():
    survey = jb.get_survey("LSST", bands="gr")
    return survey, jb.Observation(
        np.zeros((2, 41, 50)), np.ones(2), jb.KolmogorovPSF(survey.psf_fwhm), pixel_scale=0.2, bands="gr"
    )


def test_an_analytic_psf_is_the_star_that_galsim_draws(blank):
    survey, observation = blank
    images = effective_psf(observation, 63)
    truth = effective_psf_images(survey_psfs(survey), pixel_scale=0.2, size=41)
    assert images.shape == (2, 41, 41)
    np.testing.assert_allclose(images, truth, atol=1e-4 * truth.max())


def test_sides_are_odd(blank):
    assert effective_psf(blank[1], 30).shape == (2, 29, 29)


def test_an_image_of_the_right_kind_is_taken_as_it_is(blank):
    image = np.random.default_rng(0).random((2, 9, 9)).astype(np.float32)
    observation = blank[1].replace(psf=jb.ImagePSF(image))
    np.testing.assert_array_equal(effective_psf(observation, 63), image)


def test_an_image_of_another_kind_is_drawn(blank):
    survey, observation = blank
    psf = jb.psf_from_galsim(survey_psfs(survey), pixel_scale=0.2)
    assert psf.oversampling > 1
    images = effective_psf(observation.replace(psf=psf), 63)
    truth = effective_psf_images(survey_psfs(survey), pixel_scale=0.2, size=41)
    np.testing.assert_allclose(images, truth, atol=1e-3 * truth.max())


def test_one_psf_for_all_bands_is_repeated(blank):
    images = effective_psf(blank[1].replace(psf=jb.GaussianPSF(0.7)), 21)
    assert images.shape == (2, 21, 21)
    np.testing.assert_array_equal(images[0], images[1])


def test_a_psf_per_source_is_refused(blank):
    observation = blank[1].replace(psf=jb.ImagePSF(np.ones((3, 2, 5, 5))))
    with pytest.raises(ValueError, match=r"one per source \(3 sources\): this deblender needs one per band"):
        effective_psf(observation, 63)
