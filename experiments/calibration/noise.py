"""Stationary noise of known covariance: its draws, and the signal to noise of a source in it."""

import numpy as np

from jaxblend.detection import correlation_from_covariance
from jaxblend.simulation.noise import power_on, stationary_noise

REACH = 3  # pixels
NEIGHBOUR = 0.6  # correlation of adjacent pixels: a hard case, on a real HSC blend it is 0.09 to 0.22


def correlated() -> np.ndarray:
    """(7, 7) correlation of white noise smoothed by a Gaussian: 0.6 at one pixel, 0.13 at two, 0.01 at three."""
    lag = np.arange(-REACH, REACH + 1)
    return correlation_from_covariance(NEIGHBOUR ** (lag[:, None] ** 2 + lag**2))


def white() -> np.ndarray:
    """(1, 1) correlation."""
    return np.ones((1, 1))


def draw_noise(
    rng: np.random.Generator, sigma: np.ndarray, shape: tuple[int, int], correlation: np.ndarray
) -> np.ndarray:
    """(C, H, W) Gaussian noise of standard deviation ``sigma`` (C,): bands are independent."""
    bands = len(sigma)
    # White noise as well, whose draws would else be others.
    return sigma[:, None, None] * stationary_noise(rng, correlation[None].repeat(bands, 0), (bands, *shape))


def signal_to_noise(isolated: np.ndarray, sigma: float, correlation: np.ndarray) -> np.ndarray:
    """(n,) S/N of the best measurement of a flux of known shape, from images (n, H, W) of one band."""
    grid = (2 * isolated.shape[1], 2 * isolated.shape[2])
    light = np.abs(np.fft.fft2(isolated, grid)) ** 2 / np.prod(grid)
    return np.sqrt((light / power_on(correlation, grid)).sum((1, 2))) / sigma
