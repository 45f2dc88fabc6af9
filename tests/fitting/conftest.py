import jax
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.forward.galaxies import BulgeDisk, GalaxyOrStar
from jaxblend.forward.render import images
from jaxblend.forward.scene import Sources


def draw(frame, psf, positions, fluxes, shapes, stars):
    """(n, C, H, W) noiseless, with half a percent of bulge in each galaxy."""
    n, _ = np.shape(fluxes)
    flux = np.stack([0.3 * np.asarray(fluxes), 0.7 * np.asarray(fluxes)], 1)
    sources = Sources(
        frame.pixel_to_sky(np.asarray(positions, float)).astype(np.float32),
        np.asarray(shapes, np.float32),
        flux.astype(np.float32),
        np.ones(n, bool),
        GalaxyOrStar(BulgeDisk(), np.asarray(stars)),
    )
    sources = jax.tree.map(jax.numpy.asarray, sources)
    return np.asarray(images(sources, frame, psf.transfer(frame)))


@pytest.fixture(scope="session")
def blend():
    """Two galaxies and a star in two bands, 32 x 40 pixels, noise 1: observation, positions, true fluxes."""
    psf = jb.MoffatPSF(fwhm=np.array([0.8, 0.7]), beta=np.array([3.0, 3.0]))
    frame = jb.Frame((32, 40), 0.2)
    positions = np.array([[15.2, 14.1], [22.4, 18.3], [28.0, 9.5]])
    fluxes = np.array([[3000.0, 4000.0], [900.0, 1300.0], [1500.0, 1500.0]])
    shapes = [[np.log(0.6), 0.2, 0.1, np.log(0.5), 1], [np.log(0.4), -0.1, 0.2, np.log(0.5), 1], [0, 0, 0, 0, 0]]
    stars = np.array([False, False, True])
    each = draw(frame, psf, positions, fluxes, shapes, stars)
    noise = np.random.default_rng(0).normal(size=each.shape[1:])
    image = np.float32(each.sum(0) + noise)
    # The effective PSF, as an array: the image of a star of flux 1 in the middle of an odd stamp.
    star = draw(jb.Frame((25, 25), 0.2), psf, [[12, 12]], [[1.0, 1.0]], [[0.0] * 5], np.array([True]))[0]
    obs = jb.Observation(image, np.ones_like(image), star, pixel_scale=0.2, bands="ri", zero_point=[27.0, 27.0])
    return obs, positions, fluxes, stars
