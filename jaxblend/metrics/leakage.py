"""Who has whose light? The images of deblended sources, taken apart into the true images of all."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxblend.metrics.checks import alike, mask, real
from jaxblend.metrics.ratio import over_truth

__all__ = ["LightExchange", "leakage", "light_exchange"]


class LightExchange(NamedTuple):
    """Light that n sources keep, gain and lose; NaN where a source does not count.

    Attributes
    ----------
    kept
        Share of a source's light that is in its own image; 1 if all is.
    gained
        Light of the other sources in its image, in units of its own true flux; 0 if none is stolen.
    lost
        Share of its light that is in the others' images; 0 if none is.
    missing
        Share of its light that is in nobody's image, ``1 - kept - lost``.
    """

    kept: Float[Array, "... n"]
    gained: Float[Array, "... n"]
    lost: Float[Array, "... n"]
    missing: Float[Array, "... n"]


def leakage(images: Any, true_images: Any, *, where: Any = None) -> Float[Array, "... n n"]:
    """Share of the light of source j that is in the image of source i.

    Every estimated image is written as a sum of the true isolated ones by least squares over pixels,
    ``E_i = sum_j L_ij T_j + rest``. (The definition is this package's own.) Right images give the identity. Half of
    every flux gives half of it. An image that also holds a tenth of its neighbour has an off-diagonal 0.1. The rest
    is what looks like no source, such as noise, and does not enter.

    Parameters
    ----------
    images : (..., n, H, W) array
        Estimated image of each source.
    true_images : (..., n, H, W) array
        Noiseless images of each source alone. Bands and blends are leading axes, or, for one matrix of all bands,
        bands are laid side by side: (n, C * H, W).
    where : (..., n) booleans, optional
        Sources that count.

    Returns
    -------
    (..., n, n) array
        L. Rows and columns of sources that do not count are 0. Light that truths share because they depend on each
        other linearly, such as two stars on one spot, is split by the least sum of squares.

    Raises
    ------
    ValueError
        If shapes differ, or what counts is not finite.
    """
    shape = jnp.shape(images)
    if len(shape) < 3:
        raise ValueError(f"images must be (..., n, H, W), got shape {shape}")
    where = mask(where, shape[:-2])
    images, true_images, _ = alike(where[..., None, None], images=images, true_images=true_images)
    pixels = (*shape[:-2], shape[-2] * shape[-1])
    return _shares(images.reshape(pixels), true_images.reshape(pixels), where)


def light_exchange(matrix: Any, true_flux: Any, *, where: Any = None) -> LightExchange:
    """Sum up a leakage matrix source by source.

    Parameters
    ----------
    matrix : (..., n, n) array
        From `leakage`.
    true_flux : (..., n) array
        Fluxes of the true images, positive.
    where : (..., n) booleans, optional
        Sources that count.

    Returns
    -------
    LightExchange
        ``kept = L_ii``, ``gained = sum_(j != i) L_ij F_j / F_i``, ``lost = sum_(j != i) L_ji``, ``missing``. Where a
        source has no flux, ``gained`` is infinite with the sign of what it gained, or 0.

    Raises
    ------
    ValueError
        If shapes do not match, or what counts is not finite.
    """
    flux, where = alike(where, true_flux=true_flux)
    matrix = real("matrix", matrix)
    if matrix.shape != (*flux.shape, *flux.shape[-1:]):
        raise ValueError(f"matrix must be (..., n, n) for true_flux {flux.shape}, got shape {matrix.shape}")
    matrix, _ = alike(_both(where), matrix=matrix)
    kept = jnp.diagonal(matrix, axis1=-2, axis2=-1)
    others = jnp.where(jnp.eye(flux.shape[-1], dtype=bool), 0.0, matrix)
    gained = over_truth((others * flux[..., None, :]).sum(axis=-1), flux)
    lost = others.sum(axis=-2)
    return LightExchange(*(jnp.where(where, a, jnp.nan) for a in (kept, gained, lost, 1.0 - kept - lost)))


@jax.jit
def _shares(
    estimate: Float[Array, "... n P"], truth: Float[Array, "... n P"], where: Bool[Array, "... n"]
) -> Float[Array, "... n n"]:
    norm = jnp.sqrt((truth**2).sum(axis=-1))
    norm = jnp.where(norm > 0, norm, 1.0)
    # Columns of unit length: a faint source is resolved beside a bright one.
    q, r = jnp.linalg.qr(jnp.swapaxes(truth / norm[..., None], -1, -2))
    product = partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)  # accelerators else multiply with ten bits
    shares = jnp.swapaxes(product(jnp.linalg.pinv(r), jnp.swapaxes(product(estimate, q), -1, -2)), -1, -2)
    return jnp.where(_both(where), shares / norm[..., None, :], 0.0)


def _both(where: Bool[Array, "... n"]) -> Bool[Array, "... n n"]:
    return where[..., None] & where[..., None, :]
