from dataclasses import dataclass

import numpy as np
import pytest

import jaxblend as jb

SCALE, SIDE, BANDS = 0.2, 48, ("g", "r")
PSF_FWHM = 0.8  # arcsec
POSITIONS = np.array([[14.0, 16.0], [26.3, 18.6], [20.2, 33.1]])
FLUXES = np.array([[2000.0, 3000.0], [1500.0, 1200.0], [800.0, 2500.0]])
WIDTHS = (0.45, 0.3, 0.4)  # standard deviation in arcsec, before the PSF
NOISE = np.array([1.0, 1.5])


@dataclass(frozen=True)
class Sky:
    """An observation of round Gaussian galaxies, and the truth."""

    observation: jb.Observation
    positions: np.ndarray
    fluxes: np.ndarray
    isolated: np.ndarray

    def errors(self, result):
        """Relative errors (n, C) of fluxes, and distances (n,) in pixels, of the found source nearest to each true."""
        distance = np.hypot(*(result.positions[:, None] - self.positions).transpose(2, 0, 1))
        nearest = distance.argmin(axis=0)
        return result.fluxes[nearest] / self.fluxes - 1, distance.min(axis=0)


def gaussian_galaxies(positions, fluxes, widths):
    """Isolated images (n, C, H, W); the pixel only widens them."""
    y, x = np.mgrid[:SIDE, :SIDE]
    psf = PSF_FWHM / (2 * np.sqrt(2 * np.log(2)))
    variance = (np.square(widths) + psf**2) / SCALE**2 + 1 / 12
    shapes = [
        np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / v) / (2 * np.pi * v)
        for (px, py), v in zip(positions, variance, strict=True)
    ]
    return fluxes[:, :, None, None] * np.array(shapes)[:, None]


def observe(light, seed=3):
    """Add white noise and tell the truth about it."""
    noise = NOISE[:, None, None] * np.random.default_rng(seed).normal(size=light.shape)
    return jb.Observation(
        light + noise, NOISE**-2.0, jb.GaussianPSF(PSF_FWHM), pixel_scale=SCALE, bands=BANDS, survey="test"
    )


@pytest.fixture(scope="session")
def sky():
    """Three galaxies of S/N 70 to 300, the closest 10 pixels apart."""
    isolated = gaussian_galaxies(POSITIONS, FLUXES, WIDTHS)
    return Sky(observe(isolated.sum(axis=0)), POSITIONS, FLUXES, isolated)


@pytest.fixture(scope="session")
def empty_sky():
    """Noise alone."""
    return observe(np.zeros((len(BANDS), SIDE, SIDE)))
