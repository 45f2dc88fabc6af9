"""How much of the light at a source is others': the definitions of the literature, from images of each source alone.

All but the last are one formula, ``1 - <w, S_i> / <w, S_all>``, with another weight w for each.

=========================  ===================================  ======================================================
function                   weight                               used by
=========================  ===================================  ======================================================
`blendedness`              the source itself, S_i               Blending ToolKit [1], MADNESS, B_tot of Arcelin [2]
`purity`                   the same, as 1 - blendedness         WeakLensingDeblending [3]
`gaussian_blendedness`     Gaussian of the source's moments     HSC and LSST pipelines [4]
`aperture_blendedness`     circle about the source              the code of [2]
`pairwise_overlap`         (cosine of two images)               the code of [2], with the closest neighbour
=========================  ===================================  ======================================================

Images are noiseless and of one band each: (..., sources, y, x).

References
----------
.. [1] Mendoza et al. 2025, Open J. Astrophys. 8, doi:10.33232/001c.129699.
.. [2] Arcelin et al. 2021, MNRAS 500, 531, and github.com/LSSTDESC/DeblenderVAE.
.. [3] Sanchez et al. 2021, arXiv:2103.02078, and github.com/LSSTDESC/WeakLensingDeblending (``purity``).
.. [4] Bosch et al. 2018, PASJ 70, S5, section 4.9.11; ``base_Blendedness_raw`` of lsst.meas.base.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from jaxblend.metrics.checks import alike, check_axes

__all__ = [
    "aperture_blendedness",
    "blendedness",
    "gaussian_blendedness",
    "own_and_others",
    "pairwise_overlap",
    "products",
    "purity",
    "sources",
]

PIXELS = (-2, -1)


def blendedness(isolated: Any, *, where: Any = None) -> Float[Array, "... K"]:
    """Share of others in the light at a source, by its own profile: ``1 - <S_i, S_i> / <S_i, S_all>`` [1, 2].

    Parameters
    ----------
    isolated : (..., K, H, W) array
        Noiseless images of each source alone, in one band.
    where : booleans that broadcast to (..., K, H, W), optional
        Pixels, or with shape (..., K, 1, 1) sources, that count; all by default.

    Returns
    -------
    (..., K) array
        0 for a source alone, towards 1 for one buried in its neighbours; 0 for a source that counts and has no
        light, NaN for one that does not count.

    Raises
    ------
    ValueError
        If the shape is not (..., sources, y, x), or pixels that count are NaN or infinite.
    """
    isolated, counts = sources(isolated, where)
    return _share_of_others(isolated, isolated, counts)


def purity(isolated: Any, *, where: Any = None) -> Float[Array, "... K"]:
    """Own share of the light at a source, by its own profile: ``<S_i, S_i> / <S_i, S_all>`` [3], 1 - `blendedness`.

    Not to be taken for the purity of a catalogue, which is the precision of its detections.

    Parameters
    ----------
    isolated : (..., K, H, W) array
        Noiseless images of each source alone, in one band.
    where : booleans that broadcast to (..., K, H, W), optional
        Pixels, or with shape (..., K, 1, 1) sources, that count; all by default.

    Returns
    -------
    (..., K) array
        1 for a source alone or without light, NaN for one that does not count.

    Raises
    ------
    ValueError
        If the shape is not (..., sources, y, x), or pixels that count are NaN or infinite.
    """
    return 1.0 - blendedness(isolated, where=where)


def gaussian_blendedness(isolated: Any, positions: Any, covariance: Any, *, where: Any = None) -> Float[Array, "... K"]:
    """Share of others in the light at a source, by a Gaussian matched to it: ``1 - <w_i, S_i> / <w_i, S_all>`` [4].

    ``w_i = exp(-d^T Q_i^-1 d / 2)``, d the distance to the source. The pipelines take Q from adaptive moments of the
    deblended source and work on noisy images; with `isolated` images this is what they would measure without noise,
    and with a perfect deblender.

    Parameters
    ----------
    isolated : (..., K, H, W) array
        Noiseless images of each source alone, in one band.
    positions : (..., K, 2) array
        Pixel x, y, counted from 0 at the centre of the first pixel.
    covariance : (..., K, 2, 2) array
        Second moments Q of each source as observed, [[xx, xy], [xy, yy]], in square pixels.
    where : booleans that broadcast to (..., K, H, W), optional
        Pixels, or with shape (..., K, 1, 1) sources, that count; all by default.

    Returns
    -------
    (..., K) array
        From 0 to 1; 0 where there is no light, NaN for a source that does not count.

    Raises
    ------
    ValueError
        If shapes do not match, what counts is NaN or infinite, or a covariance is not positive definite.
    """
    isolated, counts = sources(isolated, where)
    dx, dy = _offsets(positions, isolated.shape, counts)
    covariance = _beside(counts, "covariance", covariance, (2, 2))
    xx, xy, yy = (covariance[..., i, j, None, None] for i, j in ((0, 0), (0, 1), (1, 1)))
    _check_positive(covariance, counts)
    determinant = jnp.where(counts[..., None, None], xx * yy - xy**2, 1.0)
    weight = jnp.exp(-0.5 * (yy * dx**2 - 2.0 * xy * dx * dy + xx * dy**2) / determinant)
    return _share_of_others(weight, isolated, counts)


def aperture_blendedness(isolated: Any, positions: Any, radius: Any, *, where: Any = None) -> Float[Array, "... K"]:
    """Share of others in the light within a circle about a source: ``1 - F_i / F_all``, F the fluxes inside [2].

    A pixel is inside if its centre is. The code of [2] takes the size of the source, from its moments, as the radius.

    Parameters
    ----------
    isolated : (..., K, H, W) array
        Noiseless images of each source alone, in one band.
    positions : (..., K, 2) array
        Pixel x, y, counted from 0 at the centre of the first pixel.
    radius : (..., K) array
        Of the circles, in pixels; positive.
    where : booleans that broadcast to (..., K, H, W), optional
        Pixels, or with shape (..., K, 1, 1) sources, that count; all by default.

    Returns
    -------
    (..., K) array
        From 0 to 1; 0 where there is no light in the circle, NaN for a source that does not count.

    Raises
    ------
    ValueError
        If shapes do not match, what counts is NaN or infinite, or a radius that counts is not positive.
    """
    isolated, counts = sources(isolated, where)
    dx, dy = _offsets(positions, isolated.shape, counts)
    radius = _beside(counts, "radius", radius, ())
    _check_radius(radius, counts)
    inside = jnp.asarray(jnp.hypot(dx, dy) <= radius[..., None, None], isolated.dtype)
    return _share_of_others(inside, isolated, counts)


def pairwise_overlap(isolated: Any, *, where: Any = None) -> Float[Array, "... K K"]:
    """Overlap of each two sources, blind to their fluxes: ``<S_i, S_j> / (|S_i| |S_j|)``, a cosine [2].

    Parameters
    ----------
    isolated : (..., K, H, W) array
        Noiseless images of each source alone, in one band.
    where : booleans that broadcast to (..., K, H, W), optional
        Pixels, or with shape (..., K, 1, 1) sources, that count; all by default.

    Returns
    -------
    (..., K, K) array
        Symmetric, 1 on the diagonal; NaN for sources that have no light or do not count.

    Raises
    ------
    ValueError
        If the shape is not (..., sources, y, x), or pixels that count are NaN or infinite.
    """
    isolated, _ = sources(isolated, where)
    return _cosines(isolated)


def sources(isolated: Any, where: Any, name: str = "isolated") -> tuple[Array, Bool[Array, "... K"]]:
    """Images, 0 where they do not count, and which sources do."""
    isolated, where = alike(where, **{name: isolated})
    check_axes(name, isolated.shape, "sources, y, x")
    return isolated, where.any(axis=PIXELS)


def _offsets(positions: Any, shape: tuple[int, ...], counts: Bool[Array, "... K"]) -> tuple[Array, Array]:
    """Distances of all pixels from each source, (..., K, 1, W) and (..., K, H, 1)."""
    positions = _beside(counts, "positions", positions, (2,))
    height, width = shape[-2:]
    return (
        jnp.arange(width) - positions[..., 0, None, None],
        jnp.arange(height)[:, None] - positions[..., 1, None, None],
    )


def _beside(counts: Bool[Array, "... K"], name: str, value: Any, axes: tuple[int, ...]) -> Float[Array, "..."]:
    """Property of each source, of the given further axes."""
    expected = (*counts.shape, *axes)
    if np.shape(value) != expected:
        raise ValueError(f"{name} must have shape {expected} beside these images, got {np.shape(value)}")
    return alike(counts.reshape(counts.shape + (1,) * len(axes)), **{name: value})[0]


def _check_radius(radius: Float[Array, "... K"], counts: Bool[Array, "... K"]) -> None:
    if isinstance(radius, Tracer) or isinstance(counts, Tracer):
        return
    bad = np.asarray(counts & (radius <= 0))
    if bad.any():
        raise ValueError(f"radius must be positive, but is not for {bad.sum()} of {counts.sum()} sources that count")


def _check_positive(covariance: Float[Array, "... K 2 2"], counts: Bool[Array, "... K"]) -> None:
    if isinstance(covariance, Tracer) or isinstance(counts, Tracer):
        return
    q, known = np.asarray(covariance), np.asarray(counts)
    bad = known & ~((np.linalg.det(q) > 0) & (q[..., 0, 0] > 0))
    if bad.any():
        raise ValueError(f"covariance is not positive definite for {bad.sum()} of {known.sum()} sources that count")


def products(weights: Float[Array, "... K H W"], isolated: Float[Array, "... J H W"]) -> Float[Array, "... K J"]:
    """``<w_i, S_j>``, up to a factor per blend."""
    largest = (jnp.max(jnp.abs(a), axis=(-3, -2, -1), keepdims=True) for a in (weights, isolated))
    w, s = (a / jnp.where(m > 0.0, m, 1.0) for a, m in zip((weights, isolated), largest, strict=True))
    return jnp.einsum("...kyx,...jyx->...kj", w, s, precision=jax.lax.Precision.HIGHEST)


@jax.jit
def _share_of_others(
    weights: Float[Array, "... K H W"], isolated: Float[Array, "... K H W"], counts: Bool[Array, "... K"]
) -> Float[Array, "... K"]:
    own, others = own_and_others(products(weights, isolated))
    total = own + others
    share = jnp.where(total > 0.0, others / jnp.where(total > 0.0, total, 1.0), 0.0)
    return jnp.where(counts, share, jnp.nan)


def own_and_others(light: Float[Array, "... K K"]) -> tuple[Array, Array]:
    """Diagonal of a table of `products`, and the rest of each row summed."""
    diagonal = jnp.eye(light.shape[-1], dtype=bool)
    return jnp.sum(light, axis=-1, where=diagonal), jnp.sum(light, axis=-1, where=~diagonal)


@jax.jit
def _cosines(isolated: Float[Array, "... K H W"]) -> Float[Array, "... K K"]:
    largest = jnp.max(jnp.abs(isolated), axis=PIXELS, keepdims=True)
    isolated = isolated / jnp.where(largest > 0.0, largest, 1.0)
    norm = jnp.sqrt(jnp.sum(isolated**2, axis=PIXELS, keepdims=True))
    unit = isolated / jnp.where(norm > 0.0, norm, 1.0)
    overlap = jnp.einsum("...iyx,...jyx->...ij", unit, unit, precision=jax.lax.Precision.HIGHEST)
    lit = norm[..., 0, 0] > 0.0
    return jnp.where(lit[..., :, None] & lit[..., None, :], overlap, jnp.nan)
