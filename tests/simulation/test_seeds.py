import galsim
import jax
import numpy as np
import pytest
from scipy import stats

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import observe, simulate, simulate_blends
from jaxblend.simulation.layouts import Isolated
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.seeds import find_peaks, match_peaks

KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="ri")


@pytest.fixture(scope="module")
def bright(survey):
    return draw_population(np.random.default_rng(1), 3, survey, max_magnitude=21.0, star_fraction=1.0)


def test_seeds_are_the_truth_by_default(survey):
    blend = simulate(survey, key=KEY, stamp_size=24)
    np.testing.assert_array_equal(blend.seeds, blend.positions)
    assert blend.detected is None


def test_seeds_within_a_pixel(survey):
    options = {"layout": Isolated(), "stamp_size": 8, "decentring": "pixel"}
    blends = list(simulate_blends(survey, 40, key=KEY, **options))
    step = np.concatenate([blend.seeds - blend.positions for blend in blends]).ravel()
    assert stats.kstest(step, "uniform", args=(-0.5, 1.0)).pvalue > 1e-3
    plain = simulate(survey, key=jax.random.fold_in(KEY, 0), layout=Isolated(), stamp_size=8)
    np.testing.assert_array_equal(plain.observation.image, blends[0].observation.image)


def test_seeds_at_peaks(survey, bright):
    offsets = np.array([[-3.0, -2.83], [2.63, 2.1], [2.8, 2.3]])
    blend = observe(bright, offsets, survey, key=KEY, stamp_size=48, decentring="peak")
    # The last two are 0.26" apart, and make one peak: one of them has it, the other a seed within a pixel of it.
    assert blend.detected is not None
    assert blend.detected[0]
    assert blend.detected[1:].sum() == 1
    assert np.abs(blend.seeds[0] - blend.positions[0]).max() < 0.1
    missed = int(np.argmin(blend.detected))
    step = np.abs(blend.seeds[missed] - blend.positions[missed])
    assert 0 < step.max() <= 0.5


def test_peaks_are_where_the_stars_are(survey, bright):
    psfs = [galsim.Kolmogorov(fwhm=0.7)] * 2
    positions = np.array([[10.3, 12.8], [30.6, 20.1], [15.2, 33.4]])
    offsets = (positions - 23.5) * survey.pixel_scale
    blend = observe(bright, offsets, survey, key=KEY, stamp_size=48, psf=psfs)
    weight = np.array(blend.observation.weight, float)
    found = find_peaks(blend.observation.image.astype(float), weight, psfs=psfs, survey=survey)
    near = np.hypot(*(found[:, None] - positions[None]).transpose(2, 0, 1)).min(axis=0)
    assert near.max() < 0.1
    weight[:, :, :25] = 0.0
    behind_a_mask = find_peaks(blend.observation.image.astype(float), weight, psfs=psfs, survey=survey)
    assert (np.hypot(*(behind_a_mask[:, None] - positions[None]).transpose(2, 0, 1)) < 1).any(axis=0).tolist() == [
        False,
        True,
        False,
    ]


def test_noise_makes_few_peaks(survey):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 200, 200))
    psfs = [galsim.Kolmogorov(fwhm=0.7)] * 2
    assert len(find_peaks(noise, np.ones_like(noise), psfs=psfs, survey=survey)) <= 1
    scaled = find_peaks(7.0 * noise + 0.0, np.full_like(noise, 1 / 49), psfs=psfs, survey=survey)
    assert len(scaled) <= 1


def test_matches_are_one_to_one_and_near():
    positions = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0]])
    peaks = np.array([[0.9, 0.0], [10.0, 5.0]])
    np.testing.assert_array_equal(match_peaks(positions, peaks, 2.0), [-1, 0, -1])
    np.testing.assert_array_equal(match_peaks(positions, np.array([[0.9, 0.0], [1.9, 0.0]]), 2.0), [0, 1, -1])
    np.testing.assert_array_equal(match_peaks(positions, np.zeros((0, 2)), 2.0), -1)
    assert match_peaks(np.zeros((0, 2)), peaks, 2.0).shape == (0,)


def test_unknown_decentring_is_refused(survey):
    with pytest.raises(ValueError, match="decentring='centroid'"):
        simulate(survey, key=KEY, decentring="centroid")
