"""The log density against one of NumPy and GalSim: its value, and that it follows the data."""

import equinox as eqx
import galsim
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxblend as jb
from jaxblend.fitting.prepare import prepare
from jaxblend.infer.posterior import objective

SIDE, SIGMA, SCALE = 32, 1.5, 0.2
POSITIONS = np.array([[13.0, 14.0], [19.0, 17.5]])
PSF = galsim.Moffat(beta=3.0, fwhm=0.8)


def observation(image):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[10:14, 18:24] = True
    psf = jb.MoffatPSF(fwhm=0.8, beta=3.0)
    return jb.Observation(
        image, np.full(image.shape, SIGMA**-2), psf, pixel_scale=SCALE, bands="r", zero_point=30.0, mask=mask
    )


def image_of(vectors):
    """Drawn by GalSim from physical vectors: offset, log flux, log radius, g1, g2."""
    image = galsim.Image(SIDE, SIDE, scale=SCALE, dtype=float)
    for (du, dv, log_flux, log_radius, g1, g2), place in zip(np.asarray(vectors, float), POSITIONS, strict=True):
        galaxy = galsim.Exponential(half_light_radius=np.exp(log_radius), flux=np.exp(log_flux)).shear(g1=g1, g2=g2)
        x, y = (place - 0.5 * (SIDE - 1)) * SCALE + (du, dv)
        galsim.Convolve(galaxy.shift(x, y), PSF).drawImage(image, add_to_image=True)
    return image.array


@pytest.fixture(scope="module")
def blends():
    """Two sets of data, and three points each of which is a draw from the prior."""
    rng = np.random.default_rng(5)
    points = 0.5 * rng.normal(size=(3, 2, 6)).astype(np.float32)
    item = prepare((observation(np.ones((1, SIDE, SIDE))),), POSITIONS, model=jb.Exponential())
    vectors = [[np.asarray(item.prior.physical(jnp.asarray(u))) for u in point] for point in points]
    data = [image_of(v) + rng.normal(0, SIGMA, (SIDE, SIDE)) for v in vectors[:2]]
    return [observation(image[None]) for image in data], points, vectors


def independent(obs, u, vectors):
    """Of the used pixels and of u, by SciPy; the noise's own normalisation is left out."""
    used = obs.weight[0] > 0
    residual = (obs.image[0].astype(float) - image_of(vectors))[used]
    constant = used.sum() * stats.norm.logpdf(0, scale=SIGMA) + u.size * stats.norm.logpdf(0)
    return stats.norm.logpdf(residual, scale=SIGMA).sum() + stats.norm.logpdf(u.astype(float)).sum() - constant


def test_the_log_density_is_that_of_numpy_and_follows_the_data(blends):
    observations, points, vectors = blends
    found = np.empty((2, 3))
    expected = np.empty((2, 3))
    for i, obs in enumerate(observations):
        item = prepare((obs,), POSITIONS, model=jb.Exponential())
        for j, (u, vector) in enumerate(zip(points, vectors, strict=True)):
            found[i, j] = -float(_objective(item, jnp.asarray(u)))
            expected[i, j] = independent(obs, u, vector)
    # What GalSim and the renderer differ by, times S/N, is a few hundredths of a nat.
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=0.1)
    # Each point is by far the better one for its own data.
    assert found[0, 0] > found[0, 1] + 100
    assert found[1, 1] > found[1, 0] + 100


@eqx.filter_jit
def _objective(item, u):
    return objective(u, item.blend())
