import warnings

import numpy as np
import pytest

from jaxblend.errors import JaxblendWarning
from jaxblend.forward.likelihood import Exposure
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF, KolmogorovPSF, MoffatPSF
from jaxblend.forward.sampled_psf import ImagePSF

IMAGE = np.random.default_rng(0).normal(size=(2, 10, 12))
PSF = GaussianPSF(0.7)


def observe(image=IMAGE, weight=1.0, psf=PSF, **keywords):
    keywords = {"pixel_scale": 0.2} | keywords
    return Observation(image, weight, psf, **keywords)


def gaussian_array(shape=(15, 15), sigma=1.5, centre=(0.0, 0.0)):
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    image = np.exp(-((x - centre[0]) ** 2 + (y[:, None] - centre[1]) ** 2) / (2 * sigma**2))
    return image / (2 * np.pi * sigma**2)


def test_what_a_good_observation_holds():
    obs = observe(bands="gr", zero_point=27.0, survey="LSST")
    assert (obs.shape, obs.n_bands, obs.bands, obs.survey, obs.report) == ((10, 12), 2, ("g", "r"), "LSST", ())
    assert obs.image.dtype == obs.weight.dtype == np.float32
    np.testing.assert_array_equal(obs.zero_point, [27, 27])
    assert obs.frame.shape == (10, 12)
    assert observe(IMAGE[0], bands="F814W").bands == ("F814W",)
    assert observe().bands == ("band0", "band1")


@pytest.mark.parametrize(
    "weight", [2.0, [2.0, 2.0], np.full((10, 12), 2.0), np.full((2, 10, 12), 2), np.full((2, 1, 1), 2)]
)
def test_weights_of_every_shape(weight):
    np.testing.assert_array_equal(observe(weight=weight).weight, np.full((2, 10, 12), 2))


def test_variance_and_mask():
    variance = np.full((10, 12), 4.0)
    variance[0, :3] = 0, np.inf, np.nan
    mask = np.zeros((10, 12), int)
    mask[1, 1] = 8
    obs = observe(weight=None, variance=variance, mask=mask)
    expected = np.full((10, 12), 0.25)
    expected[0, :3] = expected[1, 1] = 0
    np.testing.assert_array_equal(obs.weight, [expected, expected])
    assert (obs.image[:, 1, 1] == 0).all()


def bad(array, value, at=(0, 0, 0)):
    array = np.array(array, float)
    array[at] = value
    return array


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"image": np.ones((2, 10, 12), complex)}, "image must be an array of real numbers"),
        ({"image": "image.fits"}, "image must be an array of real numbers"),
        ({"image": np.ones(5)}, r"image must be \(bands, y, x\)"),
        ({"image": np.ones((1, 2, 10, 12))}, r"image must be \(bands, y, x\)"),
        ({"image": np.ones((0, 10, 12))}, "not empty"),
        ({"image": np.ones((2, 3, 12))}, "at least 4 x 4"),
        ({"image": np.full((2, 10, 12), np.nan)}, "no usable pixel: of 240, 0 are masked, 240 not finite"),
        ({"weight": None}, "neither was given"),
        ({"variance": 1.0}, "both was given"),
        ({"weight": -1.0}, r"weight has 240 negative values \(lowest -1\)"),
        ({"weight": None, "variance": bad(np.ones((2, 10, 12)), -1)}, "variance has 1 negative values"),
        ({"weight": np.ones((3, 10, 12))}, r"weight has shape \(3, 10, 12\), the image \(2, 10, 12\)"),
        ({"weight": np.ones(3)}, "weight has shape"),
        ({"weight": "high"}, "weight must be an array of real numbers"),
        ({"weight": 0.0}, "no usable pixel"),
        ({"weight": np.inf}, "no usable pixel"),
        ({"image": bad(IMAGE, 1e30)}, "times its own noise"),
        ({"mask": np.ones((10, 12), bool)}, "no usable pixel: of 240, 240 are masked"),
        ({"mask": np.zeros((12, 10), bool)}, r"mask has shape \(12, 10\)"),
        ({"mask": np.full((10, 12), 0.5)}, "mask must be boolean or integer"),
        ({"psf": None}, "psf is missing"),
        ({"psf": "moffat"}, "psf must be numbers"),
        ({"psf": np.ones(5)}, r"psf has shape \(5,\)"),
        ({"psf": np.ones((3, 15, 15))}, r"psf has shape \(3, 15, 15\): give \(h, w\), \(2, h, w\)"),
        ({"psf": bad(np.ones((1, 5, 5)), np.nan)}, "psf has 2 NaN or infinite values"),
        ({"psf": bad(np.ones((1, 5, 5)), 1e300)}, "psf has 2 NaN or infinite values"),
        ({"psf": np.zeros((5, 5))}, "psf sums to 0"),
        ({"psf": [np.ones((5, 5)), np.ones((6, 6))]}, "make all sides odd"),
        ({"psf": KolmogorovPSF([0.7, 0.8, 0.9])}, "psf has 3 bands, the image has 2"),
        ({"psf": MoffatPSF([0.7, 0.8], [2.0, 3.0, 4.0])}, "give all for the same"),
        ({"psf": ImagePSF(np.ones((5, 5)))}, "ImagePSF of shape"),
        ({"psf": ImagePSF(np.full((2, 5, 5), np.nan))}, "psf has 50 NaN"),
        ({"psf": gaussian_array(), "psf_oversampling": 1.5}, "psf_oversampling must be a whole number"),
        ({"psf": gaussian_array(), "psf_oversampling": np.nan}, "psf_oversampling must be a whole number"),
        ({"psf": gaussian_array(), "psf_oversampling": "2"}, "psf_oversampling must be a whole number"),
        ({"pixel_scale": None}, "pixel_scale .* or wcs: neither was given"),
        ({"wcs": "TAN"}, "both was given"),
        ({"wcs": "TAN", "pixel_scale": None}, "wcs has no pixel_to_world_values"),
        ({"pixel_scale": 0.0}, "pixel_scale must be a positive number"),
        ({"pixel_scale": np.nan}, "pixel_scale must be a positive number"),
        ({"pixel_scale": "0.2"}, "pixel_scale must be a positive number"),
        ({"pixel_scale": (0.2, 0.2)}, "pixel_scale must be a positive number"),
        ({"bands": "grz"}, "name 3 bands, the image has 2"),
        ({"bands": "gg"}, "not distinct"),
        ({"bands": 2}, "bands must be a string or a list"),
        ({"bands": ["g", 1]}, "name 2 bands"),
        ({"zero_point": [27.0, 27.0, 27.0]}, "zero_point must be a finite number or one per band"),
        ({"zero_point": np.nan}, "zero_point must be a finite number"),
        ({"zero_point": "AB"}, "zero_point must be an array of real numbers"),
        ({"padding": 0.5}, "padding must be a number from 1 to 32"),
    ],
)
def test_wrong_input_is_refused_with_the_reason(keywords, message):
    with pytest.raises(ValueError, match=message):
        observe(**keywords)


def off_centre():
    return gaussian_array(centre=(0.4, -0.7))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"image": bad(IMAGE, np.nan)}, "1 of 240 pixels of the image are NaN or infinite: given weight 0"),
        ({"image": bad(IMAGE, -np.inf)}, "1 of 240 pixels"),
        ({"image": bad(IMAGE, 1e300)}, "1 of 240 pixels"),
        ({"image": np.ma.masked_array(IMAGE, IMAGE > 1.5)}, "pixels of the image are NaN"),
        ({"weight": bad(np.ones((2, 10, 12)), np.nan)}, "1 of 240 weights are NaN or infinite: set to 0"),
        ({"weight": bad(np.ones((2, 10, 12)), np.inf)}, "1 of 240 weights"),
        ({"weight": None, "variance": bad(np.ones((2, 10, 12)), 1e-300)}, "1 of 240 weights"),
        ({"weight": [1.0, 0.0]}, "band 1 has no usable pixel"),
        ({"psf": 3 * gaussian_array()}, "psf sums to 3 to 3"),
        ({"psf": gaussian_array((14, 15))}, r"psf has an even side \(14 x 15\)"),
        ({"psf": off_centre()}, r"psf is off centre by up to \(\+0\.40, -0\.70\) samples"),
        ({"psf": ImagePSF(3 * np.stack([gaussian_array()] * 2))}, "psf sums to 3"),
    ],
)
def test_what_is_repaired_is_reported(keywords, message):
    with pytest.warns(JaxblendWarning, match=message):
        obs = observe(**keywords)
    assert len(obs.report) == 1
    assert np.isfinite(obs.image).all()
    assert np.isfinite(obs.weight).all()


def test_masked_nan_needs_no_warning():
    weight = bad(np.ones((2, 10, 12)), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        observe(bad(IMAGE, np.nan), weight)
        observe(bad(IMAGE, np.nan), mask=weight == 0)


def test_the_centroid_of_an_off_centre_psf_is_its_origin():
    with pytest.warns(JaxblendWarning):
        obs = observe(psf=off_centre())
    np.testing.assert_allclose(obs.psf.centre, [[0.4, -0.7]] * 2, atol=5e-3)


def test_psfs_of_different_sizes_are_padded():
    obs = observe(psf=[gaussian_array((15, 15)), gaussian_array((21, 17))])
    assert obs.psf.image.shape == (2, 21, 17)


def test_one_psf_serves_every_band():
    for psf in (PSF, gaussian_array(), gaussian_array()[None]):
        assert Exposure.of(observe(psf=psf)).transfer.shape[0] == 2
    per_source = np.broadcast_to(gaussian_array(), (3, 2, 15, 15))
    assert Exposure.of(observe(psf=per_source)).transfer.shape[:2] == (3, 2)


def test_cutout_keeps_the_sky():
    obs = observe()
    cut = obs.cutout(slice(2, 9), slice(3, 12))
    np.testing.assert_array_equal(cut.image, obs.image[:, 2:9, 3:12])
    np.testing.assert_allclose(
        cut.frame.pixel_to_sky(np.array([1.0, 2.0])), obs.frame.pixel_to_sky(np.array([4.0, 4.0]))
    )


def test_replace_knows_its_attributes():
    assert observe().replace(survey="HSC").survey == "HSC"
    with pytest.raises(ValueError, match="no attribute"):
        observe().replace(colour="red")


def test_a_cutout_keeps_its_place_on_the_sky():
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [20.0, 15.0]
    wcs.wcs.cd = np.array([[-0.2, 0.01], [0.01, 0.2]]) / 3600
    whole = Observation(np.ones((1, 30, 40)), 1.0, GaussianPSF(fwhm=0.8), wcs=wcs)
    part = whole.cutout(slice(5, 25), slice(10, 34))
    assert part.shape == (20, 24)
    np.testing.assert_allclose(part.wcs.pixel_to_world_values(3.0, 4.0), whole.wcs.pixel_to_world_values(13.0, 9.0))
    np.testing.assert_allclose(
        part.frame.pixel_to_sky(np.array([3.0, 4.0])), whole.frame.pixel_to_sky(np.array([13.0, 9.0])), atol=1e-9
    )


def test_says_what_it_is_in_a_line():
    obs = observe().replace(survey="HSC")
    assert repr(obs).startswith("Observation(")
    for part in (*obs.bands, "HSC", f"{obs.shape[1]} x {obs.shape[0]} pixels", "% usable", "GaussianPSF"):
        assert part in repr(obs)
    assert "\n" not in repr(obs)
