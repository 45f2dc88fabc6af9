import galsim
import numpy as np
import pytest

from jaxblend.forward.frame import Frame
from jaxblend.forward.psf import ConvolvedPSF, KolmogorovPSF, MoffatPSF
from jaxblend.forward.sampled_psf import ImagePSF
from jaxblend.io.surveys import get_survey
from jaxblend.simulation.psf import effective_psf_images, observation_psf, psf_from_galsim, survey_psfs


@pytest.mark.parametrize("size", [32, 33])
@pytest.mark.parametrize("oversampling", [3, 4])
def test_flux_is_exact_and_centre_is_the_middle(size, oversampling):
    psf = psf_from_galsim(galsim.Kolmogorov(fwhm=0.8), pixel_scale=0.2, oversampling=oversampling, size=size)
    (image,) = np.asarray(psf.image)
    middle = (image.shape[0] - 1) // 2
    assert image.shape[0] % 2 == 1
    assert image.sum() == pytest.approx(1.0, abs=1e-6)
    assert np.unravel_index(image.argmax(), image.shape) == (middle, middle)


def test_image_is_the_surface_brightness_galsim_draws():
    moffat = galsim.Moffat(beta=3.5, fwhm=0.8).shear(g1=0.05, g2=0.1)
    psf = psf_from_galsim([moffat, moffat], pixel_scale=0.2, size=64)
    image = np.asarray(psf.image)[0]
    n = image.shape[0]
    expected = moffat.drawImage(nx=n, ny=n, scale=0.05, method="sb", dtype=float).array * 0.05**2
    np.testing.assert_allclose(image, expected, atol=1e-5 * expected.max())


def test_effective_psf_keeps_the_light_it_has():
    gaussian = galsim.Gaussian(fwhm=0.8)
    narrow, wide = (effective_psf_images([gaussian], pixel_scale=0.2, size=size)[0] for size in (9, 41))
    assert wide.sum() == pytest.approx(1.0, abs=1e-6)
    assert narrow.sum() < 0.999
    np.testing.assert_allclose(narrow, wide[16:-16, 16:-16], atol=1e-6)


def test_space_telescopes_see_no_atmosphere():
    survey = get_survey("Euclid_VIS")
    (psf,) = survey_psfs(survey)
    assert psf.calculateFWHM() == pytest.approx(survey.psf_fwhm[0], rel=0.04)
    assert isinstance(observation_psf(survey), ConvolvedPSF)


def test_named_psfs():
    survey = get_survey("LSST", bands="ri")
    assert isinstance(observation_psf(survey), KolmogorovPSF)
    assert isinstance(observation_psf(survey, "moffat"), MoffatPSF)
    assert isinstance(observation_psf(survey, galsim.Gaussian(fwhm=1.0)), ImagePSF)
    assert [psf.fwhm for psf in survey_psfs(survey)] == pytest.approx(list(survey.psf_fwhm))
    assert survey_psfs(survey, galsim.Gaussian(fwhm=1.0)) == (galsim.Gaussian(fwhm=1.0),) * 2


def test_wrong_psfs_are_refused():
    survey = get_survey("LSST", bands="ri")
    with pytest.raises(ValueError, match=r"'gauss'.*kolmogorov"):
        survey_psfs(survey, "gauss")
    with pytest.raises(ValueError, match="3 PSFs for the 2 bands"):
        survey_psfs(survey, [galsim.Gaussian(fwhm=1.0)] * 3)
    with pytest.raises(ValueError, match="at least 1"):
        psf_from_galsim(galsim.Gaussian(fwhm=1.0), pixel_scale=0.2, size=0)


@pytest.mark.parametrize("name", ["LSST", "Euclid_VIS"])
@pytest.mark.parametrize("as_image", [True, False])
def test_the_model_sees_the_transfer_function_that_galsim_draws_with(name, as_image):
    survey = get_survey(name)
    survey = survey.only(survey.bands[0])
    (psf,) = survey_psfs(survey)
    model = psf_from_galsim(psf, pixel_scale=survey.pixel_scale) if as_image else observation_psf(survey)
    frame = Frame((32, 32), survey.pixel_scale, oversampling=2)
    transfer = np.asarray(model.transfer(frame))[0]
    ky, kx = (np.broadcast_to(k, transfer.shape) / survey.pixel_scale for k in frame.pixel_wavenumbers())
    effective = galsim.Convolve(psf, galsim.Pixel(survey.pixel_scale))
    expected = np.vectorize(lambda x, y: effective.kValue(x, y))(kx, ky)
    np.testing.assert_allclose(transfer, expected, atol=5e-5)
