"""A small blend of two galaxies in two bands, drawn by GalSim, fitted once."""

import galsim
import numpy as np
import pytest

import jaxblend as jb

POSITIONS = np.array([[12.4, 14.1], [19.2, 17.3]])
FLUXES = np.array([[900.0, 500.0], [1200.0, 900.0]])  # bands, sources


@pytest.fixture(scope="session")
def observation():
    image = galsim.Image(32, 32, scale=0.2)
    images = []
    for fluxes in FLUXES:
        image.setZero()
        psf = galsim.Moffat(beta=3.0, fwhm=0.7)
        for (x, y), flux in zip(POSITIONS, fluxes, strict=True):
            galaxy = galsim.Exponential(half_light_radius=0.4, flux=flux).shift((x - 15.5) * 0.2, (y - 15.5) * 0.2)
            galsim.Convolve(galaxy, psf).drawImage(image, add_to_image=True)
        images.append(image.array.copy())
    data = np.array(images) + np.random.default_rng(3).normal(0, 2.0, (2, 32, 32))
    psf = jb.MoffatPSF(fwhm=0.7, beta=3.0)
    return jb.Observation(data, 0.25, psf, pixel_scale=0.2, bands="ri", zero_point=27.0)


@pytest.fixture(scope="session")
def fit(observation):
    return jb.fit(observation, POSITIONS)
