import numpy as np
import pytest

from jaxblend.simulation.noise import noisy

SKY = np.array([400.0, 900.0])
MODEL = np.broadcast_to(np.array([0.0, 300.0])[:, None, None], (2, 256, 256))
LAG = np.arange(-2, 3)
CORRELATION = 0.5 ** (LAG[:, None] ** 2 + LAG**2)


def draw(seed=0, **options):
    return noisy(np.random.default_rng(seed), MODEL, SKY, **options)


@pytest.mark.parametrize(
    ("options", "variance"),
    [
        ({}, SKY + MODEL[:, 0, 0]),
        ({"kind": "gaussian"}, SKY + MODEL[:, 0, 0]),
        ({"kind": "sky"}, SKY),
        ({"kind": "gaussian", "correlation": CORRELATION}, SKY + MODEL[:, 0, 0]),
    ],
)
def test_mean_and_variance(options, variance):
    image = draw(**options)
    # Neighbours share what they say: about 3.5 correlated pixels count as one for the mean, 1.7 for the variance.
    n = MODEL[0].size / 4
    np.testing.assert_allclose(image.mean((1, 2)), MODEL[:, 0, 0], atol=4 * np.sqrt(variance.max() / n))
    np.testing.assert_allclose(image.var((1, 2)), variance, rtol=4 * np.sqrt(2 / n))


def test_pixels_are_as_correlated_as_was_asked():
    noise = draw(kind="sky", correlation=CORRELATION) - MODEL
    for dy, dx in ((0, 1), (1, 0), (1, 1), (0, 2)):
        product = noise[:, dy:, dx:] * noise[:, : 256 - dy, : 256 - dx]
        np.testing.assert_allclose(product.mean((1, 2)) / SKY, CORRELATION[2 + dy, 2 + dx], atol=0.03)
    ends = noise[:, :, 0] * noise[:, :, -1]  # the image does not wrap around
    assert np.abs(ends.mean(1) / SKY).max() < 4 / np.sqrt(256 / 2)


def test_counts_are_whole_electrons_of_light_and_sky():
    image = draw()
    np.testing.assert_array_equal(image + SKY[:, None, None], np.rint(image + SKY[:, None, None]))


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(ValueError, match="expected one of"):
        draw(kind="pink")
    with pytest.raises(ValueError, match="counts are independent"):
        draw(correlation=CORRELATION)
    with pytest.raises(ValueError, match=r"jb\.correlation_from_covariance"):
        draw(kind="sky", correlation=np.array([[0.0, 0.9, 0.0], [0.9, 1.0, 0.9], [0.0, 0.9, 0.0]]))
