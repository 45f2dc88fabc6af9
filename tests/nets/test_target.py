"""What an encoder is shown: pixels about each position, where sources are, what the image is like."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.nets.target import target_stamps, told_per_band

SHAPE, SIDE, SIGMA = (40, 36), 15, np.array([2.0, 0.5])
POSITIONS = np.array([[17.3, 20.8], [3.1, 38.6], [25.0, 11.0]])  # the second near a corner
ZERO_POINT = np.array([27.0, 30.0])


@pytest.fixture(scope="module")
def shown():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, *SHAPE)) * SIGMA[:, None, None]
    root_weight = np.broadcast_to(1 / SIGMA[:, None, None], image.shape).copy()
    root_weight[:, 21:23, 15:18] = 0
    image[:, 21:23, 15:18] = np.nan
    frame = jb.Frame(SHAPE, 0.2)
    transfer = jb.GaussianPSF(fwhm=[0.6, 0.9]).transfer(frame)
    known = np.array([True, True, False])
    arrays = (jnp.asarray(a) for a in (image, root_weight, transfer, ZERO_POINT))
    return image, root_weight, target_stamps(*arrays, frame, jnp.asarray(POSITIONS), jnp.asarray(known), SIDE)


def test_pixels_are_those_about_the_nearest_pixel(shown):
    image, root_weight, targets = shown
    y, x = slice(21 - 7, 21 + 8), slice(17 - 7, 17 + 8)
    expected = np.nan_to_num(image[:, y, x]) / SIGMA[:, None, None]
    np.testing.assert_allclose(targets.image[0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(targets.root_weight[0], root_weight[:, y, x] * SIGMA[:, None, None], rtol=1e-5)


def test_what_is_beyond_the_image_is_masked(shown):
    targets = shown[2]
    assert not np.asarray(targets.root_weight[1])[:, 8 + 1 :].any()  # below row 39, which is stamp row 7
    assert not np.asarray(targets.root_weight[1])[:, :, :4].any()
    assert not np.asarray(targets.image[1])[:, :, :4].any()
    assert np.asarray(targets.root_weight[1])[:, 0, 4:].all()


def test_heat_is_where_the_positions_are(shown):
    own, others = np.asarray(shown[2].heat[0])
    y, x = np.indices((SIDE, SIDE))
    np.testing.assert_allclose([(own * x).sum() / own.sum(), (own * y).sum() / own.sum()], [7.3, 6.8], atol=2e-3)
    assert others.max() < 0.01  # one is far off, the other one is not known
    near = np.asarray(shown[2].heat[2])[1]
    assert near[-1, 0] == pytest.approx(np.exp(-0.5 * ((17.3 - 18) ** 2 + (20.8 - 18) ** 2)), rel=1e-3)


def test_depth_and_psf_are_told(shown):
    told = np.asarray(shown[2].told[0]).reshape(2, told_per_band())
    np.testing.assert_array_equal(told, np.asarray(shown[2].told[1]).reshape(2, -1))
    assert (told[:, 0] == 1).all()
    np.testing.assert_allclose(2 * told[:, 1] + 27, ZERO_POINT - 2.5 * np.log10(SIGMA), rtol=1e-5)
    for band, fwhm in zip(told, (0.6, 0.9), strict=True):
        k = np.pi * np.repeat([0.15, 0.35, 0.6], 4)  # radians per pixel
        seen = np.exp(-0.5 * (k / 0.2 * fwhm / 2.3548) ** 2)
        # The nearest wavenumber of the grid, and the pixel, are not quite these.
        np.testing.assert_allclose(band[2:], seen, atol=0.05)


def test_a_band_without_pixels_is_as_if_it_were_not_there(shown):
    image, root_weight, _ = shown
    root_weight = root_weight * np.array([1.0, 0.0])[:, None, None]
    frame = jb.Frame(SHAPE, 0.2)
    transfer = jb.GaussianPSF(fwhm=[0.6, 0.9]).transfer(frame)
    arrays = (jnp.asarray(a) for a in (image, root_weight, transfer, ZERO_POINT))
    targets = target_stamps(*arrays, frame, jnp.asarray(POSITIONS), jnp.ones(3, bool), SIDE)
    assert not np.asarray(targets.image[:, 1]).any()
    assert not np.asarray(targets.told).reshape(3, 2, -1)[:, 1].any()
    assert np.isfinite(np.asarray(targets.image)).all()
