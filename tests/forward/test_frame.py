import galsim
import numpy as np
import pytest

from jaxblend.forward.frame import Frame, fast_size

ROTATED = 0.2 * np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
FLIPPED = np.array([[-0.2, 0.0], [0.0, 0.2]])
SHEARED = np.array([[0.21, 0.03], [-0.01, 0.18]])


@pytest.mark.parametrize("jacobian", [ROTATED, FLIPPED, SHEARED])
def test_sky_agrees_with_galsim(jacobian):
    frame = Frame((20, 31), jacobian=jacobian)
    wcs = galsim.AffineTransform(*jacobian.ravel(), origin=galsim.PositionD(*frame.origin))
    pixels = np.array([[0.0, 0.0], [3.5, 17.2], [30.0, 19.0]])
    sky = frame.pixel_to_sky(pixels)
    for pixel, position in zip(pixels, sky, strict=True):
        expected = wcs.toWorld(galsim.PositionD(*pixel))
        np.testing.assert_allclose(position, [expected.x, expected.y], atol=1e-12)
    np.testing.assert_allclose(frame.sky_to_pixel(sky), pixels, atol=1e-10)
    np.testing.assert_allclose(frame.pixel_scale, np.sqrt(abs(np.linalg.det(jacobian))))
    np.testing.assert_allclose(frame.inverse_jacobian, np.linalg.inv(jacobian))


def test_the_origin_is_the_centre_of_the_stamp():
    frame = Frame((4, 7), 0.2)
    np.testing.assert_array_equal(frame.pixel_to_sky(np.array([3.0, 1.5])), [0, 0])
    np.testing.assert_allclose(frame.pixel_to_sky(np.array([4.0, 2.5])), [0.2, 0.2])


def test_the_grid_is_at_least_as_wide_as_asked():
    frame = Frame((61, 64), 0.2, padding=2.0, oversampling=3)
    assert frame.padded == (128, 128)
    ky, kx = frame.pixel_wavenumbers()
    assert ky.shape == (384, 1)
    assert kx.shape == (1, 193)
    assert kx.max() == pytest.approx(3 * np.pi)


def test_another_oversampling_changes_nothing_else():
    frame = Frame((61, 64), jacobian=SHEARED, origin=[3.0, 4.0], padding=1.7)
    other = frame.with_oversampling(2)
    assert (other.shape, other.padded, other.oversampling) == (frame.shape, frame.padded, 2)
    np.testing.assert_array_equal(other.jacobian, frame.jacobian)
    np.testing.assert_array_equal(other.origin, frame.origin)


@pytest.mark.parametrize(("minimum", "size"), [(1, 2), (7, 8), (11, 12), (13, 16), (122, 128), (128, 128)])
def test_fast_sizes_are_even_and_smooth(minimum, size):
    assert fast_size(minimum) == size


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({}, "either pixel_scale"),
        ({"pixel_scale": 0.2, "jacobian": SHEARED}, "either pixel_scale"),
        ({"jacobian": np.ones((2, 2))}, "invertible"),
        ({"jacobian": [[np.nan, 0], [0, 1]]}, "finite"),
        ({"jacobian": np.eye(3)}, "2 x 2"),
        ({"pixel_scale": 0.2, "padding": 0.5}, "padding must be"),
        ({"pixel_scale": 0.2, "padding": np.nan}, "padding must be"),
        ({"pixel_scale": 0.2, "oversampling": 0}, "oversampling must be"),
        ({"pixel_scale": 0.2, "oversampling": 1.5}, "oversampling must be"),
    ],
)
def test_wrong_frames_are_refused(keywords, message):
    with pytest.raises(ValueError, match=message):
        Frame((8, 8), **keywords)
