"""Structural similarity of an image and the true image, on one scale for both.

References
----------
.. [1] Wang, Bovik, Sheikh & Simoncelli 2004, IEEE Trans. Image Process. 13, 600.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxblend.metrics.reconstruction import images, truth_range

__all__ = ["ssim"]

K1, K2 = 0.01, 0.03
UNIFORM_WIDTH = 7
GAUSSIAN_SIGMA, GAUSSIAN_RADIUS = 1.5, 5


def ssim(
    image: Any,
    truth: Any,
    *,
    data_range: Any = None,
    window: str = "gaussian",
    where: Any = None,
) -> Float[Array, "..."]:
    """Mean structural similarity index [1] over the windows that lie within the image.

    In each window, with means m, variances v and covariance c of image x and truth y,
    ``(2 m_x m_y + C1) (2 c + C2) / ((m_x**2 + m_y**2 + C1) (v_x + v_y + C2))``, ``C1 = (0.01 R)**2``,
    ``C2 = (0.03 R)**2``, R the range of the truth.

    Much of a stamp is empty, and empty pixels are alike in any two images: the mean lies near 1, and rises with the
    size of the stamp. ``where`` can hold it to the pixels of the source.

    Parameters
    ----------
    image : (..., H, W) array
        The estimate.
    truth : (..., H, W) array
        The true image, in the same unit.
    data_range : number or (...) array, optional
        R. By default the largest minus the smallest value of each true image; give one number to put all images on
        one scale.
    window : str
        ``"gaussian"``: sigma 1.5 on 11 x 11 pixels, as in [1]; equal to ``skimage.metrics.structural_similarity`` with
        ``gaussian_weights=True, use_sample_covariance=False, data_range=R``. ``"uniform"``: 7 x 7 pixels and variances
        with n - 1; equal to that function's defaults with ``data_range=R``.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default. Windows that hold another pixel are left out.

    Returns
    -------
    (...) array
        At most 1, which is the truth itself; NaN where no window counts, or the truth is flat and R is not given.

    Raises
    ------
    ValueError
        If shapes differ, images are smaller than the window, pixels that count are NaN or infinite, R is not positive
        or the window unknown.
    """
    weights = _weights(window)
    image, truth, where = images(image, truth, where)
    if min(image.shape[-2:]) < len(weights):
        raise ValueError(
            f"images must be at least as large as the {window} window, {len(weights)} x {len(weights)} pixels, got "
            f"shape {image.shape}"
        )
    scale = truth_range(truth, data_range, where)[..., None, None]
    return _mean_index(image / scale, truth / scale, where, window)


def _weights(window: str) -> list[float]:
    """Of a window, along one axis."""
    if window == "uniform":
        return [1.0 / UNIFORM_WIDTH] * UNIFORM_WIDTH
    if window == "gaussian":
        weights = np.exp(-0.5 * (np.arange(-GAUSSIAN_RADIUS, GAUSSIAN_RADIUS + 1) / GAUSSIAN_SIGMA) ** 2)
        return (weights / weights.sum()).tolist()
    raise ValueError(f"window must be 'gaussian' or 'uniform', got {window!r}")


@partial(jax.jit, static_argnames="window")
def _mean_index(
    x: Float[Array, "..."], y: Float[Array, "..."], where: Bool[Array, "..."], window: str
) -> Float[Array, "..."]:
    """Mean index of images whose range is 1."""
    weights = _weights(window)
    mean = partial(_window_sums, weights=weights)
    # A bright sky in both images would cost the variances their digits.
    level = jnp.mean(y, axis=(-2, -1), keepdims=True, where=where)
    x, y = x - level, y - level
    mean_x, mean_y = mean(x), mean(y)
    n = UNIFORM_WIDTH**2
    unbiased = n / (n - 1) if window == "uniform" else 1.0
    covariance = unbiased * (mean(x * y) - mean_x * mean_y)
    variances = unbiased * (mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2)
    mean_x, mean_y = mean_x + level, mean_y + level
    index = (2 * mean_x * mean_y + K1**2) * (2 * covariance + K2**2)
    index /= (mean_x**2 + mean_y**2 + K1**2) * (variances + K2**2)
    masked = _window_sums(jnp.asarray(~where, x.dtype), weights)
    return jnp.mean(index, axis=(-2, -1), where=masked == 0.0)


def _window_sums(image: Float[Array, "..."], weights: list[float]) -> Float[Array, "..."]:
    """Weighted sums over all windows that lie within the image."""
    # Sums of shifted images: a convolution would be done in bfloat16 or TF32 on accelerators.
    rows, columns = (size - len(weights) + 1 for size in image.shape[-2:])
    image = sum((w * image[..., k : k + rows, :] for k, w in enumerate(weights)), jnp.zeros((), image.dtype))
    return sum((w * image[..., k : k + columns] for k, w in enumerate(weights)), jnp.zeros((), image.dtype))
