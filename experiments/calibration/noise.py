"""Stationary noise of known covariance: its draws, and the signal to noise of a source in it."""

import numpy as np

from jaxblend.detection import correlation_from_covariance

REACH = 3  # pixels
NEIGHBOUR = 0.6  # correlation of adjacent pixels: those of HSC's coadds are 0.61 to 0.72


def correlated() -> np.ndarray:
    """(7, 7) correlation of white noise smoothed by a Gaussian: 0.6 at one pixel, 0.13 at two, 0.01 at three."""
    lag = np.arange(-REACH, REACH + 1)
    return correlation_from_covariance(NEIGHBOUR ** (lag[:, None] ** 2 + lag**2))


def white() -> np.ndarray:
    """(1, 1) correlation."""
    return np.ones((1, 1))


def power(correlation: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Power spectrum on a periodic grid, 1 in the mean.

    Raises
    ------
    ValueError
        If no noise has this correlation.
    """
    grid, reach = np.zeros(shape), np.array(correlation.shape) // 2
    grid[: correlation.shape[0], : correlation.shape[1]] = correlation
    found = np.fft.fft2(np.roll(grid, tuple(-reach), (0, 1))).real
    if found.min() <= 0:
        raise ValueError(
            f"the correlation has a power spectrum as low as {found.min():.3g}: give a positive definite one"
        )
    return found


def draw_noise(
    rng: np.random.Generator, sigma: np.ndarray, shape: tuple[int, int], correlation: np.ndarray
) -> np.ndarray:
    """(C, H, W) Gaussian noise of standard deviation ``sigma`` (C,): bands are independent."""
    # Of a grid that wraps around beyond the stamp by more than the correlation reaches.
    grid = (2 * shape[0], 2 * shape[1])
    waves = np.fft.fft2(rng.normal(size=(len(sigma), *grid))) * np.sqrt(power(correlation, grid))
    return sigma[:, None, None] * np.fft.ifft2(waves).real[:, : shape[0], : shape[1]]


def signal_to_noise(isolated: np.ndarray, sigma: float, correlation: np.ndarray) -> np.ndarray:
    """(n,) S/N of the best measurement of a flux of known shape, from images (n, H, W) of one band."""
    grid = (2 * isolated.shape[1], 2 * isolated.shape[2])
    light = np.abs(np.fft.fft2(isolated, grid)) ** 2 / np.prod(grid)
    return np.sqrt((light / power(correlation, grid)).sum((1, 2))) / sigma
