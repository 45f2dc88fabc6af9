"""Every source with a PSF of its own: stars drawn from error functions, so that no Fourier transform checks itself."""

import numpy as np
import pytest
from scipy.special import erf

import jaxblend as jb

POSITIONS = np.array([[9.3, 14.6], [21.7, 16.2]])
FLUXES = np.array([3000.0, 2000.0])
STARS = np.array([True, True])


def gaussian(shape, x, y, sigma):
    """(H, W): the light of a Gaussian of flux 1 in each pixel."""

    def along(n, centre):
        edges = (np.arange(n + 1) - 0.5 - centre) / (np.sqrt(2) * sigma)
        return np.diff(erf(edges)) / 2

    return np.outer(along(shape[0], y), along(shape[1], x))


def observe(sigmas, psf):
    noise = np.random.default_rng(11).normal(size=(32, 32))
    stars = [f * gaussian((32, 32), x, y, s) for f, (x, y), s in zip(FLUXES, POSITIONS, sigmas, strict=True)]
    return jb.Observation(sum(stars) + noise, 1.0, psf, pixel_scale=0.2, bands="r", zero_point=27.0)


def star(sigma):
    """(1, 25, 25)."""
    return gaussian((25, 25), 12, 12, sigma)[None]


@pytest.fixture(scope="module")
def two_widths():
    sigmas = (1.5, 2.2)
    obs = observe(sigmas, np.stack([star(s) for s in sigmas]))
    return jb.fit(obs, POSITIONS + 0.3, stars=STARS)


def test_each_star_is_fitted_with_its_own_psf(two_widths):
    table = two_widths.catalog
    pull = (table["flux_r"] - FLUXES) / table["flux_r_err"]
    assert np.abs(pull).max() < 4
    np.testing.assert_allclose(two_widths.chi2, 1.0, atol=0.15)
    assert np.abs(two_widths.positions - POSITIONS).max() < 0.1


def test_errors_follow_the_width_of_each_psf(two_widths):
    expected = [1 / np.sqrt((star(s) ** 2).sum()) for s in (1.5, 2.2)]  # of a matched filter in noise 1
    np.testing.assert_allclose(two_widths.catalog["flux_r_err"], expected, rtol=0.15)


def test_each_image_has_the_light_of_its_own_psf(two_widths):
    for image, flux, sigma, (x, y) in zip(
        two_widths.images[:, 0], two_widths.catalog["flux_r"], (1.5, 2.2), two_widths.positions, strict=True
    ):
        expected = flux * gaussian((32, 32), x, y, sigma)
        np.testing.assert_allclose(image, expected, atol=0.01 * expected.max())


def test_equal_psfs_give_the_same_as_one_for_all():
    psfs = star(1.5), np.stack([star(1.5)] * 2)
    fits = [jb.fit(observe((1.5, 1.5), psf), POSITIONS + 0.3, stars=STARS) for psf in psfs]
    np.testing.assert_allclose(fits[1].catalog["flux_r"], fits[0].catalog["flux_r"], rtol=1e-3)
    np.testing.assert_allclose(fits[1].catalog["flux_r_err"], fits[0].catalog["flux_r_err"], rtol=1e-3)
    np.testing.assert_allclose(fits[1].positions, fits[0].positions, atol=1e-2)
    np.testing.assert_allclose(fits[1].chi2, fits[0].chi2, rtol=1e-3)


def test_one_psf_too_few_is_refused_with_both_numbers():
    obs = observe((1.5, 1.5), np.stack([star(1.5)] * 2))
    with pytest.raises(ValueError, match=r"psf is given for 2 sources.* 3 positions"):
        jb.fit(obs, np.vstack([POSITIONS, [[5.0, 5.0]]]))
