from dataclasses import replace

import numpy as np
import pytest

from jaxblend.io.surveys import get_survey
from jaxblend.simulation import Selection, draw_population, galsim_sources
from jaxblend.simulation.candidates import Candidates
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.quick_snr import QuickSNR
from jaxblend.simulation.truth import signal_to_noise

STAMP = 96


def drawn(source, offset, survey, psf):
    position = offset / survey.pixel_scale + 0.5 * (STAMP - 1)
    image = draw_isolated(source, [position], survey, psfs=[psf], shape=(STAMP, STAMP))[0, 0]
    return signal_to_noise(image, survey.sky_level[0])


@pytest.mark.parametrize(("name", "band"), [("LSST", "r"), ("Euclid_VIS", "IE")])
def test_it_is_the_snr_of_the_image(name, band):
    survey = get_survey(name, [band])
    (psf,) = survey_psfs(survey)
    quick, rng = QuickSNR(survey, STAMP, psf), np.random.default_rng(0)
    pool = draw_population(rng, 25, survey, max_magnitude=25.0, star_fraction=0.2)
    known = 0
    for i in range(len(pool)):
        source, offset = pool.take([i]), rng.uniform(-0.6, 0.6, 2)
        estimate = quick.estimate(source, offset)
        if estimate is not None:
            known += 1
            assert estimate == pytest.approx(drawn(source, offset, survey, psf), rel=0.01)
    assert known > 15


def test_it_says_so_where_it_does_not_know():
    survey = get_survey("LSST", "r")
    (psf,) = survey_psfs(survey)
    quick = QuickSNR(survey, STAMP, psf)
    source = draw_population(np.random.default_rng(0), 1, survey)
    assert quick.estimate(source, np.zeros(2)) is not None
    assert quick.estimate(source, np.array([0.0, 8.5])) is None
    assert QuickSNR(survey, STAMP, psf.dilate(0.2)).estimate(source, np.zeros(2)) is None
    assert quick.estimate(galsim_sources([psf], [[20.0]], bands="r"), np.zeros(2)) is None


def test_near_the_limit_the_image_decides():
    survey = get_survey("LSST", "r")
    (psf,) = survey_psfs(survey)
    source = draw_population(np.random.default_rng(0), 1, survey, max_magnitude=24.0)
    exact = drawn(source, np.zeros(2), survey, psf)
    for factor, passes in ((1 - 1e-6, True), (1 + 1e-6, False), (0.5, True), (2.0, False)):
        selection = Selection(magnitude_band="r", min_snr=exact * factor)
        options = {"psfs": [psf], "stamp_size": STAMP}
        candidates = Candidates.of(source, survey, Selection(magnitude_band="r", min_snr=0.0), **options)
        candidates = replace(candidates, selection=selection)
        assert candidates.accept(source, np.zeros(2), []) is passes
