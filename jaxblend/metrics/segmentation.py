"""Segmentation masks from images of single sources, and how alike two of them are.

The Blending ToolKit [1] takes the pixels above three standard deviations of the noise, which is `threshold_mask`: what
could be seen. `brightest_mask` is our own, and knows nothing of the noise: where the light is. The second serves to
compare surveys, the first to compare with detection at a threshold. Intersection over union is Jaccard's index [2],
twice the intersection over the sum Dice's [3].

References
----------
.. [1] Mendoza et al. 2025, Open J. Astrophys. 8, doi:10.33232/001c.129699; ``btk.metrics.utils.get_segmentation``.
.. [2] Jaccard 1912, New Phytologist 11, 37.
.. [3] Dice 1945, Ecology 26, 297.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from jaxblend.metrics.checks import alike, booleans, check_axes, real

__all__ = ["brightest_mask", "dice", "flux_fractions", "iou", "soft_dice", "soft_iou", "threshold_mask"]

PIXELS = (-2, -1)


def threshold_mask(image: Any, sigma: Any, *, n_sigma: float = 3.0, where: Any = None) -> Bool[Array, "..."]:
    """Pixels brighter than a multiple of the noise, ``image > n_sigma * sigma`` [1].

    Parameters
    ----------
    image : (..., H, W) array
        A source alone, background subtracted.
    sigma : number or array that broadcasts to (..., H, W)
        Standard deviation of the noise, in the same unit.
    n_sigma : float
        The multiple.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; others are outside.

    Returns
    -------
    (..., H, W) booleans
        The mask.

    Raises
    ------
    ValueError
        If pixels that count are NaN or infinite, sigma does not broadcast to the image, or is negative or NaN.
    """
    image, where = alike(where, image=image)
    check_axes("image", image.shape, "y, x")
    sigma = real("sigma", sigma)
    try:
        sigma = jnp.broadcast_to(sigma, image.shape)
    except ValueError:
        raise ValueError(f"sigma must broadcast to the image, {image.shape}, got shape {sigma.shape}") from None
    _check(where, sigma >= 0.0, "sigma must be 0 or more")
    return where & (image > n_sigma * sigma)


def brightest_mask(image: Any, *, share: Any = 0.9, where: Any = None) -> Bool[Array, "..."]:
    """Return the fewest pixels that hold a share of the light: from the brightest down, until ``sum >= share * total``.

    Pixels as bright as the last one taken are taken, too, so that the mask does not depend on an order. Negative
    pixels are no light.

    Parameters
    ----------
    image : (..., H, W) array
        A source alone, best without noise.
    share : number
        Between 0 and 1.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; others are outside.

    Returns
    -------
    (..., H, W) booleans
        The mask; empty where there is no light.

    Raises
    ------
    ValueError
        If pixels that count are NaN or infinite, or share is not above 0 and at most 1.
    """
    image, where = alike(where, image=image)
    check_axes("image", image.shape, "y, x")
    if not isinstance(share, Tracer) and not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    return _brightest(jnp.maximum(image, 0.0), share)


def iou(mask: Any, true_mask: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Intersection over union, ``|A and B| / |A or B|``: the Jaccard index.

    Parameters
    ----------
    mask : (..., H, W) booleans
        The estimate.
    true_mask : (..., H, W) booleans
        The truth.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default.

    Returns
    -------
    (...) array
        1 for the truth, 0 for no pixel in common; NaN where both masks are empty.

    Raises
    ------
    ValueError
        If shapes differ or masks are no booleans; of fractions take `soft_iou`.
    """
    return soft_iou(booleans("mask", mask), booleans("true_mask", true_mask), where=where)


def dice(mask: Any, true_mask: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Dice coefficient, ``2 |A and B| / (|A| + |B|)``: the F1 score of the pixels, ``2 iou / (1 + iou)``.

    Parameters
    ----------
    mask : (..., H, W) booleans
        The estimate.
    true_mask : (..., H, W) booleans
        The truth.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default.

    Returns
    -------
    (...) array
        1 for the truth, 0 for no pixel in common; NaN where both masks are empty.

    Raises
    ------
    ValueError
        If shapes differ or masks are no booleans; of fractions take `soft_dice`.
    """
    return soft_dice(booleans("mask", mask), booleans("true_mask", true_mask), where=where)


def soft_iou(fraction: Any, true_fraction: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Intersection over union of fractions, ``sum(min(a, b)) / sum(max(a, b))`` (Ruzicka's similarity).

    Parameters
    ----------
    fraction : (..., H, W) array
        Share of each pixel's light that is the source's, from 0 to 1; see `flux_fractions`.
    true_fraction : (..., H, W) array
        The truth.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default.

    Returns
    -------
    (...) array
        1 for the truth, `iou` for booleans; NaN where both are 0 everywhere.

    Raises
    ------
    ValueError
        If shapes differ, or what counts is not from 0 to 1.
    """
    a, b = _fractions(fraction, true_fraction, where)
    return _least_over_most(a, b)


def soft_dice(fraction: Any, true_fraction: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Dice coefficient of fractions, ``2 sum(min(a, b)) / sum(a + b)`` (1 less the distance of Bray and Curtis).

    Parameters
    ----------
    fraction : (..., H, W) array
        Share of each pixel's light that is the source's, from 0 to 1; see `flux_fractions`.
    true_fraction : (..., H, W) array
        The truth.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default.

    Returns
    -------
    (...) array
        1 for the truth, `dice` for booleans; NaN where both are 0 everywhere.

    Raises
    ------
    ValueError
        If shapes differ, or what counts is not from 0 to 1.
    """
    a, b = _fractions(fraction, true_fraction, where)
    index = _least_over_most(a, b)
    return 2.0 * index / (1.0 + index)


def flux_fractions(isolated: Any, *, where: Any = None) -> Float[Array, "... K H W"]:
    """Share of each source in the light of each pixel, ``S_i / S_all``.

    Parameters
    ----------
    isolated : (..., K, H, W) array
        Images of each source alone, in one band; negative pixels are no light.
    where : booleans that broadcast to (..., K, H, W), optional
        Pixels, or with shape (..., K, 1, 1) sources, that count; others have no light.

    Returns
    -------
    (..., K, H, W) array
        From 0 to 1; their sum over sources is 1 where there is light, 0 elsewhere.

    Raises
    ------
    ValueError
        If the shape is not (..., sources, y, x), or pixels that count are NaN or infinite.
    """
    isolated, _ = alike(where, isolated=isolated)
    check_axes("isolated", isolated.shape, "sources, y, x")
    light = jnp.maximum(isolated, 0.0)
    total = jnp.sum(light, axis=-3, keepdims=True)
    return light / jnp.where(total > 0.0, total, 1.0)


@jax.jit
def _brightest(light: Float[Array, "..."], share: Any) -> Bool[Array, "..."]:
    largest = jnp.max(light, axis=PIXELS, keepdims=True)
    light = light / jnp.where(largest > 0.0, largest, 1.0)
    rising = jnp.sort(light.reshape(*light.shape[:-2], -1), axis=-1)
    # Counted from the faint end: small numbers are added before large ones, and a share of 1 takes all that shines.
    left_out = jnp.cumsum(rising, axis=-1)
    first = jnp.argmax(left_out > (1.0 - share) * left_out[..., -1:], axis=-1, keepdims=True)
    faintest = jnp.take_along_axis(rising, first, axis=-1)[..., None]
    return (light >= faintest) & (light > 0.0)


@jax.jit
def _least_over_most(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.sum(jnp.minimum(a, b), axis=PIXELS) / jnp.sum(jnp.maximum(a, b), axis=PIXELS)


def _fractions(fraction: Any, true_fraction: Any, where: Any) -> tuple[Array, Array]:
    fraction, true_fraction, where = alike(where, fraction=fraction, true_fraction=true_fraction)
    check_axes("fraction", fraction.shape, "y, x")
    for name, array in (("fraction", fraction), ("true_fraction", true_fraction)):
        _check(where, (array >= 0.0) & (array <= 1.0), f"{name} must be from 0 to 1")
    return fraction, true_fraction


def _check(where: Bool[Array, "..."], right: Bool[Array, "..."], rule: str) -> None:
    """Refuse wrong values where they count; inside ``jax.jit`` they are not seen."""
    if isinstance(where, Tracer) or isinstance(right, Tracer):
        return
    counts, wrong = np.asarray(where), ~np.asarray(right)
    if (counts & wrong).any():
        raise ValueError(f"{rule}, but {(counts & wrong).sum()} of {counts.sum()} pixels are not")
