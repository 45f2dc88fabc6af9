import numpy as np
import pytest

from jaxblend.detection import detect
from jaxblend.detection.combine import combine, psf_fwhm
from jaxblend.detection.peaks import excesses, matched_filter
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF

FWHM = 4.0
TRUTH = np.array([[20.0, 22.0], [70.3, 30.6], [40.2, 75.1]])


def stars(positions, fluxes, shape=(96, 96)):
    sigma = FWHM / (2 * np.sqrt(2 * np.log(2)))
    y, x = np.mgrid[: shape[0], : shape[1]]
    return sum(
        f * np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / sigma**2) / (2 * np.pi * sigma**2)
        for (px, py), f in zip(positions, fluxes, strict=True)
    )


def observed(light, noise=(1.0, 2.0), seed=0):
    scales = np.array([1.0, 3.0])
    rng = np.random.default_rng(seed)
    image = np.stack([s * light + n * rng.normal(size=light.shape) for s, n in zip(scales, noise, strict=True)])
    weight = np.array(noise) ** -2.0
    return Observation(image, weight, GaussianPSF(FWHM * 0.2), pixel_scale=0.2)


def test_finds_every_source_at_its_place():
    table = detect(observed(stars(TRUTH, [300.0, 200.0, 250.0])))
    assert table.colnames == ["x", "y", "flux", "a", "b", "theta", "npix", "peak", "snr"]
    np.testing.assert_allclose(np.stack([table["x"], table["y"]], 1), TRUTH, atol=0.3)


def test_finds_nothing_in_noise_or_behind_a_mask():
    assert len(detect(observed(np.zeros((96, 96))))) == 0
    observation = observed(stars(TRUTH, [300.0, 200.0, 250.0]))
    weight = observation.weight.copy()
    weight[:, 10:35, 10:35] = 0
    assert len(detect(observation.replace(weight=weight))) == 2


def test_a_masked_pixel_beside_a_blend_does_not_merge_it():
    close = np.array([[40.0, 40.0], [49.0, 42.0], [44.0, 50.0]])
    observation = observed(stars(close, [2000.0, 1500.0, 1200.0]))
    assert len(detect(observation)) == 3
    weight = observation.weight.copy()
    weight[:, 45, 37] = 0
    assert len(detect(observation.replace(weight=weight))) == 3


def test_a_source_brighter_than_the_sky_is_found_in_its_own_photon_noise():
    """The weight of its core is a ten-thousandth of the sky's, which is no mask."""
    light = stars(TRUTH, [300.0, 2e5, 250.0])
    variance = 1.0 + light
    noise = np.sqrt(variance) * np.random.default_rng(0).normal(size=light.shape)
    observation = Observation((light + noise)[None], 1 / variance[None], GaussianPSF(FWHM * 0.2), pixel_scale=0.2)
    table = detect(observation)
    np.testing.assert_allclose(np.stack([table["x"], table["y"]], 1), TRUTH, atol=0.3)
    assert table["snr"][1] == pytest.approx(np.sqrt(2e5), rel=0.05)  # sqrt(N): the sky is nothing beside it


def test_units_of_a_band_do_not_matter():
    observation = observed(stars(TRUTH, [300.0, 200.0, 250.0]))
    factor = np.array([1e3, 1e-3], np.float32)[:, None, None]
    scaled = observation.replace(image=observation.image * factor, weight=observation.weight / factor**2)
    np.testing.assert_allclose(combine(scaled).image, combine(observation).image, rtol=1e-4, atol=1e-4)


def test_width_of_the_psf_contains_the_pixel():
    expected = np.hypot(FWHM, 2 * np.sqrt(2 * np.log(2)) / np.sqrt(12))
    assert psf_fwhm(observed(np.zeros((96, 96)))) == pytest.approx(expected, rel=0.03)


def test_matched_filter_has_unit_noise():
    combined = combine(observed(np.zeros((96, 96))))
    assert matched_filter(combined, FWHM)[8:-8, 8:-8].std() == pytest.approx(1.0, abs=0.1)


def test_excess_near_a_known_source_needs_more():
    significance = matched_filter(combine(observed(stars([[30.0, 30.0]], [35.0]))), FWHM)
    nothing = np.zeros_like(significance)
    found = excesses(significance, nothing, np.zeros((0, 2)), fwhm=FWHM)
    np.testing.assert_allclose(found, [[30.0, 30.0]], atol=0.7)
    assert len(excesses(significance, nothing, np.array([[30.5, 30.0]]), fwhm=FWHM)) == 0


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="threshold must be a positive number, got -1"):
        detect(observed(np.zeros((96, 96))), threshold=-1.0)
