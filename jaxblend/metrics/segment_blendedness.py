"""How much of a source's segment is others': blendedness by masks.

After the blending metric (BM) and the flux ratio (FR) of the VAE study for Euclid by Nemani and others, of which we
know from a talk only. Their exact definitions could not be verified; those below are our own.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxblend.metrics.blendedness import own_and_others, products, sources
from jaxblend.metrics.checks import alike, booleans, check_axes

__all__ = ["blended_area", "neighbour_flux_ratio"]

PIXELS = (-2, -1)


def blended_area(masks: Any, *, where: Any = None) -> Float[Array, "... K"]:
    """Share of a source's mask that lies under the masks of others: ``|M_i and (union of M_j)| / |M_i|``.

    In the place of the blending metric of Nemani and others, whose definition could not be verified.

    Parameters
    ----------
    masks : (..., K, H, W) booleans
        Segmentation of each source alone; see `jaxblend.metrics.segmentation`.
    where : booleans that broadcast to (..., K, H, W), optional
        Pixels, or with shape (..., K, 1, 1) sources, that count; all by default.

    Returns
    -------
    (..., K) array
        0 for a source alone, 1 for one wholly under others; NaN where the mask is empty or does not count.

    Raises
    ------
    ValueError
        If masks are no booleans of shape (..., sources, y, x).
    """
    masks, _ = sources(booleans("masks", masks), where, "masks")
    shared = jnp.sum(masks, axis=-3, keepdims=True) > 1
    return jnp.sum(masks * shared, axis=PIXELS) / jnp.sum(masks, axis=PIXELS)


def neighbour_flux_ratio(isolated: Any, masks: Any, *, where: Any = None) -> Float[Array, "... K"]:
    """Flux of all others within a source's mask over its own there: ``sum_j!=i F_j / F_i``.

    In the place of the flux ratio of Nemani and others, whose definition could not be verified. With masks of all
    pixels it is the ratio of total fluxes.

    Parameters
    ----------
    isolated : (..., K, H, W) array
        Noiseless images of each source alone, in one band.
    masks : (..., K, H, W) booleans
        Segmentation of each source; see `jaxblend.metrics.segmentation`.
    where : booleans that broadcast to (..., K, H, W), optional
        Pixels, or with shape (..., K, 1, 1) sources, that count; all by default.

    Returns
    -------
    (..., K) array
        0 for a source alone, without upper limit; NaN where the source has no light in its mask or does not count.

    Raises
    ------
    ValueError
        If shapes differ, masks are no booleans, or pixels that count are NaN or infinite.
    """
    isolated, masks, _ = alike(where, isolated=isolated, masks=booleans("masks", masks))
    check_axes("isolated", isolated.shape, "sources, y, x")
    own, others = own_and_others(products(masks, isolated))
    return jnp.where(own > 0.0, others / jnp.where(own > 0.0, own, 1.0), jnp.nan)
