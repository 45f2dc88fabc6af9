"""What an Observation says to a correlation or a gain that is none."""

import numpy as np
import pytest

from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.forward.vecchia import power_on_grid

IMAGE = np.random.default_rng(0).normal(size=(2, 10, 12))
GOOD = np.outer([0.3, 1, 0.3], [0.3, 1, 0.3])


def observe(**keywords):
    return Observation(IMAGE, 1.0, GaussianPSF(0.7), pixel_scale=0.2, **keywords)


def test_what_is_held_and_carried():
    observation = observe(noise_correlation=np.pad(GOOD, 2), gain=[2.0, 3.0])
    np.testing.assert_allclose(observation.noise_correlation, [GOOD, GOOD])
    cutout = observation.cutout(slice(2, 8), slice(0, 9)).replace(survey="LSST")
    assert cutout.noise_correlation is observation.noise_correlation
    np.testing.assert_array_equal(cutout.gain, [2, 3])
    np.testing.assert_array_equal(observe(gain=2).gain, [2, 2])
    assert observe().noise_correlation is observe().gain is None


def test_a_correlation_per_band_and_one_that_is_white():
    white = np.zeros((3, 3))
    white[1, 1] = 1
    np.testing.assert_allclose(observe(noise_correlation=np.stack([white, GOOD])).noise_correlation, [white, GOOD])
    assert observe(noise_correlation=white).noise_correlation is None
    assert observe(noise_correlation=np.ones((1, 1))).noise_correlation is None


def test_power_that_falls_to_nothing_is_raised_a_little():
    line = np.convolve([0.5, 0.5], [0.5, 0.5]) * 2
    found = observe(noise_correlation=np.outer(line, line)).noise_correlation[0]
    assert power_on_grid(found).min() == pytest.approx(0.01)
    np.testing.assert_allclose(found, np.outer(line, line), atol=0.01)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("text", "must be real numbers, got str"),
        (GOOD + 1j, "must be real numbers, got ndarray"),
        (np.ones(3), r"has shape \(3,\): give \(h, w\) or \(2, h, w\) with odd h and w"),
        (np.ones((2, 4)), r"has shape \(2, 4\): give"),
        (np.ones((3, 3, 3)), r"has shape \(3, 3, 3\): give"),
        (np.where(GOOD == 1, np.nan, GOOD), "has 1 NaN or infinite values"),
        (4 * GOOD, r"is 4 in its middle, where a pixel with itself has 1: .*correlation_from_covariance"),
        (GOOD + np.array([[0.1, 0, 0], [0, 0, 0], [0, 0, 0]]), r"differs by 0\.1 between \(dx, dy\) and \(-dx, -dy\)"),
        (np.where(GOOD == 1, 1, 0.9), r"is no noise's: its power spectrum falls to -\d.*correlation_from_covariance"),
        (np.eye(65), "at most 31 pixels"),
    ],
)
def test_correlations_that_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        observe(noise_correlation=value)


@pytest.mark.parametrize("value", [0, -1.0, np.nan, [1.0, 0.0], [1.0, 2.0, 3.0], "two"])
def test_gains_that_are_refused(value):
    with pytest.raises(ValueError, match="gain must be"):
        observe(gain=value)
