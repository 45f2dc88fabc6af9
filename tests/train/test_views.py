"""What the training of morphologies sees: PSF and noise are those that it is told."""

import galsim
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblend.simulation.morphology.own_frame import own_frame
from jaxblend.simulation.morphology.pieces import draw_structure
from jaxblend.train.views import draw_view, kolmogorov, noisy_image, sum_of_squares

SIDE, MANY = 64, 16


@pytest.fixture(scope="module")
def views():
    return jax.jit(jax.vmap(lambda key: draw_view(key, SIDE)))(jax.random.split(jax.random.key(3), MANY))


def test_views_are_finite_and_of_unit_flux(views):
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(views))
    np.testing.assert_allclose(views.light[:, :, 0, 0].real, 1.0, atol=0.1)


def test_noise_has_its_standard_deviation(views):
    noise = np.fft.irfft2(views.noise) / np.asarray(views.sigma)[..., None, None]
    assert noise.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * noise.size))
    image = np.asarray(noisy_image(views))
    light = np.roll(np.fft.irfft2(views.light), (SIDE // 2, SIDE // 2), axis=(-2, -1))
    np.testing.assert_allclose(
        image,
        light / np.asarray(views.sigma)[..., None, None] + np.roll(noise, (SIDE // 2, SIDE // 2), axis=(-2, -1)),
        atol=1e-3,
    )


def test_sums_of_squares_of_pixels_and_spectra_are_equal(views):
    np.testing.assert_allclose(
        sum_of_squares(views.light, SIDE), (np.fft.irfft2(views.light) ** 2).sum((-2, -1)), rtol=1e-4
    )


def test_seeing_is_that_of_galsim():
    k = np.linspace(0, 5, 30)
    psf = galsim.Kolmogorov(fwhm=1.0)
    np.testing.assert_allclose(
        kolmogorov(jnp.asarray(k)[None])[0], [psf.kValue(float(x), 0).real for x in k], atol=2e-4
    )


@pytest.mark.slow
def test_every_galaxy_has_a_frame_and_arms_wind_both_ways():
    @jax.jit
    @jax.vmap
    def draws(key):
        galaxy = draw_structure(key)
        return own_frame(galaxy), galaxy.arms[2]

    frames, pitch = draws(jax.random.split(jax.random.key(11), 20_000))
    assert np.isfinite(frames.centre).all()
    assert np.isfinite(frames.axes).all()
    assert abs(np.mean(np.asarray(pitch) > 0) - 0.5) < 0.02
