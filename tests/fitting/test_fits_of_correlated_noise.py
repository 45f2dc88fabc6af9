"""Fits of images whose noise is white noise convolved with a kernel."""

import numpy as np
import pytest
from noisy_blends import OPTIONS, SEEDS, SIDE, noiseless_blends, observe, pulls
from scipy.signal import correlate2d, fftconvolve

import jaxblend as jb

KERNEL = np.outer([0.25, 1, 0.25], [0.25, 1, 0.25])
KERNEL /= np.sqrt((KERNEL**2).sum())
CORRELATION = correlate2d(KERNEL, KERNEL)
N = 60


def correlated_noise(n, *, seed):
    white = np.random.default_rng(seed).normal(size=(n, SIDE + 2, SIDE + 2))
    return np.array([fftconvolve(one, KERNEL, "valid") for one in white])


@pytest.fixture(scope="module")
def both_fits():
    """Fits of 60 blends with masks and uneven weights, that know of the correlation and that do not; true fluxes."""
    images, fluxes = noiseless_blends(N)
    weight = np.ones((SIDE, SIDE))
    weight[:, :4] = 0.25
    weight[10, 3:6] = weight[17:20, 16] = weight[9, 12] = 0
    images = images + correlated_noise(N, seed=1) / np.sqrt(np.where(weight > 0, weight, 1))
    fits = [
        jb.fit_batch([observe(i, weight, noise_correlation=c) for i in images], [SEEDS] * N, **OPTIONS)
        for c in (CORRELATION, None)
    ]
    return *fits, fluxes


def test_pulls_are_right_with_the_correlation_and_too_wide_without(both_fits):
    known, ignored, fluxes = both_fits
    right, wrong = pulls(known, fluxes), pulls(ignored, fluxes)
    assert abs(right.mean()) < 3 / np.sqrt(right.size)
    assert abs(right.std() - 1) < 3 / np.sqrt(2 * right.size)
    assert wrong.std() > 1.35


def test_chi2_is_that_of_whitened_residuals(both_fits):
    known = both_fits[0]
    assert np.mean([fit.chi2[0] for fit in known]) == pytest.approx(1, abs=0.04)
    assert all(fit.outcome == jb.Outcome.CONVERGED for fit in known)


def test_sources_are_less_significant_in_noise_that_is_correlated(both_fits):
    known, ignored = (np.array([f.summary.snr for f in fits]) for fits in both_fits[:2])
    assert 0.4 < np.mean(known / ignored) < 0.8


def test_white_and_correlated_blends_go_together_in_a_batch(both_fits):
    expected = [both_fits[i % 2][i] for i in range(4)]
    together = jb.fit_batch([fit.observations[0] for fit in expected], [SEEDS] * 4, **OPTIONS)
    for fit, other in zip(together, expected, strict=True):
        np.testing.assert_allclose(fit.quantities, other.quantities, rtol=1e-4, atol=1e-4)
    assert [fit.item.whitenings[0] is None for fit in together] == [False, True, False, True]


def test_stamps_of_one_shape_and_mask_share_their_coefficients(both_fits):
    first, second = (fit.item.whitenings[0].coefficients for fit in both_fits[0][:2])
    assert first is second
