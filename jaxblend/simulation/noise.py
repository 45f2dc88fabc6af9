"""The noise of a simulated image: of sky and photons, counted or Gaussian, correlated between pixels or not."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxblend.forward.noise_checks import noise_correlation

__all__ = ["NOISE_KINDS", "noisy", "power_on", "root_power", "stationary_noise"]

#: What `noisy` knows, in the words of `ObservingOptions`.
NOISE_KINDS = ("poisson", "gaussian", "sky")


def noisy(
    rng: np.random.Generator,
    model: Float[np.ndarray, "C H W"],
    sky: Float[np.ndarray, " C"],
    *,
    kind: str = "poisson",
    correlation: np.ndarray | None = None,
) -> Float[np.ndarray, "C H W"]:
    """Add noise to an image, and take the mean sky away again.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    model : (C, H, W) array
        The light without noise, in electrons.
    sky : (C,) array
        Mean sky, electrons per pixel.
    kind : {"poisson", "gaussian", "sky"}
        Counted electrons of light and sky; Gaussian noise of the same variance; Gaussian noise of the sky alone.
    correlation : (h, w) or (C, h, w) array, optional
        Of pixels that lie dy, dx apart, 1 in the middle, for Gaussian noise. The field is stationary and is then
        scaled to the standard deviation of each pixel, as `Observation` understands correlated noise.

    Returns
    -------
    (C, H, W) array
        The noisy image, in electrons; its mean is the model.

    Raises
    ------
    ValueError
        If the kind is unknown, counts are to be correlated, or no noise has such a correlation.
    """
    if kind not in NOISE_KINDS:
        raise ValueError(f"Got noise={kind!r}, expected one of {list(NOISE_KINDS)}, True (poisson) or False.")
    light, level = np.maximum(model, 0.0), sky[:, None, None]
    if kind == "poisson":
        if correlation is not None:
            raise ValueError(
                'Got correlated poisson noise, expected noise="gaussian" or "sky": counts are independent.'
            )
        return rng.poisson(light + level) - level
    sigma = np.sqrt(level + light if kind == "gaussian" else np.broadcast_to(level, model.shape))
    return model + sigma * stationary_noise(rng, noise_correlation(correlation, len(model)), model.shape)


def stationary_noise(
    rng: np.random.Generator, correlation: Float[np.ndarray, "C h w"] | None, shape: tuple[int, int, int]
) -> Float[np.ndarray, "C H W"]:
    """Gaussian noise of variance 1 in every pixel, white where there is no correlation; bands are independent."""
    if correlation is None:
        return rng.normal(size=shape)
    root = root_power(correlation, shape)
    waves = np.fft.fft2(rng.normal(size=root.shape)) * root
    return np.fft.ifft2(waves).real[:, : shape[1], : shape[2]]


def root_power(correlation: Float[np.ndarray, "C h w"], shape: tuple[int, int, int]) -> Float[np.ndarray, "C N M"]:
    """Root of the power spectrum on a grid that wraps around beyond an image by more than the correlation reaches."""
    grid = tuple(max(2 * n, n + reach) for n, reach in zip(shape[1:], correlation.shape[1:], strict=True))
    return np.sqrt(power_on(correlation, grid))


def power_on(correlation: Float[np.ndarray, "*C h w"], grid: tuple[int, ...]) -> Float[np.ndarray, "*C N M"]:
    """Power spectrum on a periodic grid at least as wide as the correlation, 1 in the mean.

    Raises
    ------
    ValueError
        If no noise has this correlation.
    """
    height, width = correlation.shape[-2:]
    wide = np.zeros((*correlation.shape[:-2], *grid))
    wide[..., :height, :width] = correlation
    power = np.fft.fft2(np.roll(wide, (-(height // 2), -(width // 2)), (-2, -1))).real
    if power.min() <= 0:
        raise ValueError(
            f"the correlation has a power spectrum as low as {power.min():.3g}: jb.correlation_from_covariance makes "
            "it one that a noise can have"
        )
    return power
