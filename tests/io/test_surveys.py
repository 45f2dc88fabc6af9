import numpy as np
import pytest
import surveycodex
from surveycodex.utilities import mag2counts, mean_sky_level

from jaxblend.io.surveys import get_survey, list_surveys


@pytest.mark.parametrize("name", list_surveys())
def test_agrees_with_surveycodex_up_to_its_rounding(name):
    survey = get_survey(name)
    codex = surveycodex.get_survey(name)
    assert list(survey.bands) == codex.available_filters
    for index, band in enumerate(survey.bands):
        counts = mag2counts(20.0, codex, band).value
        assert 0 <= survey.flux(20.0)[index] - counts < 1
        sky = mean_sky_level(codex, band).value
        assert 0 <= survey.sky_level[index] - sky < survey.pixel_scale**2


def test_zero_point_is_the_magnitude_of_one_electron():
    survey = get_survey("LSST")
    np.testing.assert_allclose(survey.flux(survey.zero_point), 1.0)
    np.testing.assert_allclose(survey.magnitude(survey.flux(np.full(6, 23.4))), 23.4)
    assert np.isnan(survey.magnitude(np.full(6, -1.0))).all()


@pytest.mark.parametrize("bands", ["ri", ("r", "i"), ["r", "i"]])
def test_bands_in_the_order_asked(bands):
    survey = get_survey("lsst", bands=bands)
    whole = get_survey("LSST")
    assert survey.name == "LSST"
    assert survey.bands == ("r", "i")
    np.testing.assert_array_equal(survey.zero_point, whole.zero_point[[2, 3]])
    np.testing.assert_array_equal(whole.only("r", "i").psf_fwhm, survey.psf_fwhm)


def test_long_band_name_is_one_band():
    survey = get_survey("Euclid_VIS", bands="IE")
    assert survey.bands == ("IE",)
    assert survey.in_space
    assert not get_survey("HSC").in_space


def test_arrays_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        get_survey("LSST").zero_point[0] = 0.0


def test_unknown_names_are_answered_with_what_exists():
    with pytest.raises(ValueError, match=r"'Vera'.*HSC.*LSST"):
        get_survey("Vera")
    with pytest.raises(ValueError, match=r"'rq' for LSST.*'u', 'g', 'r'"):
        get_survey("LSST", bands="rq")
    with pytest.raises(ValueError, match=r"\['r'\].*pass it in `bands`"):
        get_survey("LSST", bands="r").band_index("g")
