"""The correlation of noise, measured on images whose noise is known."""

import numpy as np
import pytest
from scipy.signal import correlate2d, fftconvolve

import jaxblend as jb
from jaxblend.forward.vecchia import power_on_grid

KERNELS = np.array([np.outer([0.25, 1, 0.25], [0.25, 1, 0.25]), [[0, 0.1, 0.4], [0.1, 1, 0.1], [0.4, 0.1, 0]]])
KERNELS /= np.sqrt((KERNELS**2).sum((1, 2), keepdims=True))
TRUTH = np.array([np.pad(correlate2d(k, k), 1) for k in KERNELS])


def sky(side=300, *, sources=60, seed=0):
    """(2, side, side) correlated noise of variance 1 with galaxies of any brightness, faint ones among them."""
    rng = np.random.default_rng(seed)
    white = rng.normal(size=(2, side + 2, side + 2))
    image = np.array([fftconvolve(w, k, "valid") for w, k in zip(white, KERNELS, strict=True)])
    y, x = np.mgrid[:side, :side]
    for where, peak in zip(rng.uniform(0, side, (sources, 2)), 10 ** rng.uniform(0, 3, sources), strict=True):
        r2 = ((x - where[0]) ** 2 + (y - where[1]) ** 2) / 2.5**2
        image += peak * (1 + r2) ** -3
    return image


def test_a_known_correlation_comes_back_from_an_image_with_sources():
    image = sky()
    weight = np.full((300, 300), 1.0)
    weight[:, 150:] = 0.25
    weight[40:44] = 0
    observation = jb.Observation(
        np.where(weight > 0, image / np.sqrt(np.where(weight > 0, weight, 1)), np.nan),
        weight,
        jb.MoffatPSF(fwhm=0.7, beta=3.0),
        pixel_scale=0.2,
        mask=weight == 0,
    )
    found = jb.estimate_noise_correlation(observation)
    assert found.shape == (2, 7, 7)
    np.testing.assert_allclose(found, TRUTH, atol=0.03)
    assert jb.Observation(image, 1.0, observation.psf, pixel_scale=0.2, noise_correlation=found).noise_correlation.shape


def test_of_an_image_alone_and_with_a_mask():
    image = sky(sources=0, seed=1)
    mask = np.zeros((300, 300), bool)
    image[:, 100:120, 50:90] += 1000.0
    mask[100:120, 50:90] = True
    for scale in (1.0, 1e-3):
        found = jb.estimate_noise_correlation(scale * image, mask=mask, reach=2)
        np.testing.assert_allclose(found, TRUTH[:, 1:-1, 1:-1], atol=0.02)
    assert jb.estimate_noise_correlation(image[0], mask=mask).shape == (1, 7, 7)


def test_white_noise_is_white():
    found = jb.estimate_noise_correlation(np.random.default_rng(2).normal(size=(300, 300)), 1.0)
    found[:, 3, 3] = 0
    assert np.abs(found).max() < 0.015


def test_a_weight_that_is_wrong_is_told():
    with pytest.warns(jb.JaxblendWarning, match=r"band 0 has 4\.\d+ times the variance"):
        jb.estimate_noise_correlation(2 * np.random.default_rng(3).normal(size=(100, 100)), 1.0)


def test_too_little_sky_is_told():
    with pytest.raises(ValueError, match="only 0 of 2500 pixels of band 0 are empty sky"):
        jb.estimate_noise_correlation(np.ones((50, 50)), mask=np.ones((50, 50), bool))
    with pytest.raises(ValueError, match="reach must be a whole number"):
        jb.estimate_noise_correlation(np.ones((50, 50)), reach=0)
    with pytest.raises(ValueError, match="mask has shape"):
        jb.estimate_noise_correlation(np.ones((50, 50)), mask=np.ones((5, 50), bool))


def test_from_a_power_spectrum():
    power = np.abs(np.fft.fft2(KERNELS, (32, 40))) ** 2
    np.testing.assert_allclose(jb.correlation_from_power(7 * power), TRUTH, atol=1e-9)
    with pytest.raises(ValueError, match="at least 0 everywhere"):
        jb.correlation_from_power(-power)
    with pytest.raises(ValueError, match="at least 9 wavenumbers"):
        jb.correlation_from_power(power[:, :8], reach=4)


def test_from_a_covariance_that_is_no_noise_s():
    covariance = np.array([[0.0, 0.9, 0], [0.9, 1, 0.9], [0, 0.9, 0]]) * 5
    found = jb.correlation_from_covariance(covariance)
    assert found[1, 1] == 1
    assert power_on_grid(found).min() >= 0.0099
    assert found[0, 1] > 0.2
    np.testing.assert_allclose(jb.correlation_from_covariance(3 * TRUTH[0]), TRUTH[0], atol=1e-12)
    with pytest.raises(ValueError, match="odd h and w"):
        jb.correlation_from_covariance(np.ones((2, 3)))
    with pytest.raises(ValueError, match="above 0, got -1"):
        jb.correlation_from_covariance(-TRUTH[0])
