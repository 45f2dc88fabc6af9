"""Blends that encoders are trained on: their PSF against GalSim, their noise, what is known of them."""

import galsim
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.forward.render import to_pixels
from jaxblend.train.blends import Drawing, Sky, draw_training_blend, seeing

SIDE, MANY = 15, 120
SKY = Sky(bands=("r", "i"), sources=3, reach=6.0)


@pytest.fixture(scope="module")
def blends():
    drawing = Drawing.of(SKY, SIDE)
    keys = jax.random.split(jax.random.key(0), MANY)
    draw = jax.jit(lambda keys: jax.lax.map(lambda key: draw_training_blend(key, drawing), keys))
    return drawing, jax.tree.map(np.asarray, draw(keys))


def test_the_psf_is_that_of_galsim():
    frame = jb.Frame((41, 41), 0.2)
    numbers = fwhm, gaussian, g1, g2 = np.array([[0.7, 0.9], [0.0, 0.4], [0.02, -0.03], [0.01, 0.04]])
    drawn = np.asarray(to_pixels(seeing(*map(jnp.asarray, numbers), frame), frame))
    for image, width, share, *shear in zip(drawn, fwhm, gaussian, g1, g2, strict=True):
        parts = [galsim.Kolmogorov(fwhm=width * np.sqrt(1 - share))]
        parts += [galsim.Gaussian(fwhm=width * np.sqrt(share))] if share else []
        expected = galsim.Convolve(parts).shear(g1=shear[0], g2=shear[1]).drawImage(nx=41, ny=41, scale=0.2).array
        np.testing.assert_allclose(image, expected, atol=5e-3 * expected.max())  # shears of the second order


def test_sources_are_drawn_from_the_prior_about_their_positions(blends):
    drawing, found = blends
    assert drawing.prior.names == SKY.prior().names
    u = found.u.reshape(-1, found.u.shape[-1])
    np.testing.assert_allclose(u.std(0), 1.0, atol=5 / np.sqrt(2 * len(u)))
    away = found.positions - (np.array(drawing.frame.shape[::-1]) - 1) / 2
    assert np.abs(away).max() <= SKY.reach
    assert np.abs(away).max() > 0.95 * SKY.reach
    counts = found.present.sum(1)
    assert set(counts) == {1, 2, 3}
    missed = ~found.known[found.present]
    assert 0.01 < missed.mean() < 0.12
    assert found.known[~found.present].any()


def test_noise_is_that_of_the_weights(blends):
    _, found = blends
    # Far from all sources, over all blends: what is in the corners of the images.
    weighted = (found.image * found.root_weight)[..., :3, :3]
    used = found.root_weight[..., :3, :3] > 0
    # A half of the brightest blends still shines there.
    assert np.median(np.abs(weighted[used])) == pytest.approx(0.6745, rel=0.15)
    depth = -2.5 * np.log10(1 / found.root_weight.max((2, 3))[found.root_weight.any((2, 3))])
    assert depth.std() > 0.5
    assert (found.root_weight == 0).any()
    assert found.root_weight.any((1, 2, 3)).all()  # at least one band each


@pytest.mark.parametrize("wrong", [{"sources": 0}, {"reach": 0.0}, {"survey": "nowhere"}])
def test_skies_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must be|nowhere"):
        Sky(**wrong).numbers()
