"""Multiplicative and additive bias of ellipticities and shears, ``g - g_true = m g_true + c``.

References
----------
.. [1] Heymans et al. 2006, MNRAS 368, 1323 (STEP): bias as a line in the input shear.
.. [2] White 1980, Econometrica 48, 817; MacKinnon & White 1985, J. Econometrics 29, 305 (HC1): errors of a regression
   that hold for scatter of any size in any place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from jaxblend.metrics.checks import alike, mask

__all__ = ["ShearBias", "shear_bias", "shear_bias_of_pairs"]


class ShearBias(NamedTuple):
    """Bias per component, with standard errors for independent sources; NaN where there are too few.

    Attributes
    ----------
    m, c
        Multiplicative and additive bias.
    m_error, c_error
        Their standard errors. Sources of one blend are not independent: then take those of `in_bins`.
    count
        Sources, or pairs, that count and have weight.
    """

    m: Float[Array, "..."]
    c: Float[Array, "..."]
    m_error: Float[Array, "..."]
    c_error: Float[Array, "..."]
    count: Int[Array, "..."]


def shear_bias(g: Any, true_g: Any, *, weights: Any = None, where: Any = None) -> ShearBias:
    """Bias of ellipticities or shears by linear regression on the input [1].

    The line ``g - g_true = m g_true + c`` is fitted to each component by weighted least squares. Against the true
    ellipticity of each source this is the bias of shapes. Against the shear that was put on, of which there must be
    several, intrinsic shapes are noise: reduced shears of sources of random orientation average to the shear that they
    share, distortions do not.

    Errors are those of the sandwich formula, with the factor n / (n - 2) [2]: weights need not be inverse variances.

    Parameters
    ----------
    g, true_g : (..., N, 2) arrays
        Estimated and true ellipticity, or shear, of N sources.
    weights : (..., N) array, optional
        Of the sources; not negative. Equal by default.
    where : (..., N) booleans, optional
        Sources that count.

    Returns
    -------
    ShearBias
        Of shape (..., 2). NaN with fewer than two different true values; errors with fewer than three sources.

    Raises
    ------
    ValueError
        If shapes do not match, what counts is not finite, or weights are negative.
    """
    shape = jnp.shape(g)
    if len(shape) < 2 or shape[-1] != 2:
        raise ValueError(f"g must be (..., N, 2), got shape {shape}")
    where = mask(where, shape[:-1])
    g, true_g, _ = alike(jnp.broadcast_to(where[..., None], shape), g=g, true_g=true_g)
    weights = jnp.broadcast_to(_checked_weights(weights, where)[..., None], shape)
    swapped = (jnp.swapaxes(a, -1, -2) for a in (true_g, g - true_g, weights))
    return _regressed(*swapped)


def shear_bias_of_pairs(g_plus: Any, g_minus: Any, *, shear: Any, weights: Any = None, where: Any = None) -> ShearBias:
    """Bias of shear by images of the same sources under two opposite shears.

    ``m = (<g+> - <g->) / (2 shear) - 1`` and ``c = (<g+> + <g->) / 2``, with weighted means over pairs. Source by
    source the intrinsic shape, and the noise if it is the same in both images, go out of the difference: m is known
    much better than from as many sources by regression. A pair counts if both its members do; sources that are found
    under one shear only are left out, and so is the selection bias that they make.

    Parameters
    ----------
    g_plus, g_minus : (..., N) arrays
        One component of the ellipticity, a reduced shear, of each source under ``+shear`` and ``-shear``. For the
        component across the shear, c is meant and m is not.
    shear : (...) array or float
        Reduced shear in that component, positive.
    weights : (..., N) array, optional
        Of the pairs; not negative. Equal by default.
    where : (..., N) booleans, optional
        Pairs that count.

    Returns
    -------
    ShearBias
        Of shape (...). NaN without pairs; errors with fewer than two.

    Raises
    ------
    ValueError
        If shapes do not match, what counts is not finite, weights are negative, or the shear is not positive.
    """
    g_plus, g_minus, where = alike(where, g_plus=g_plus, g_minus=g_minus)
    if g_plus.ndim < 1:
        raise ValueError("g_plus must be (..., N), got one number")
    weights = _checked_weights(weights, where)
    if not isinstance(shear, Tracer) and not (np.asarray(shear) > 0).all():
        raise ValueError(f"shear must be positive, got {shear}: swap g_plus and g_minus")
    shear = jnp.asarray(shear, g_plus.dtype)[..., None]
    m, m_error = _mean((g_plus - g_minus) / (2.0 * shear) - 1.0, weights)
    c, c_error = _mean(0.5 * (g_plus + g_minus), weights)
    return ShearBias(m, c, m_error, c_error, (weights > 0).sum(axis=-1))


def _checked_weights(weights: Any, where: Bool[Array, "..."]) -> Float[Array, "..."]:
    """Weights, 0 for what does not count."""
    if weights is None:
        return jnp.asarray(where, float)
    if jnp.shape(weights) != where.shape:
        raise ValueError(f"weights must be one per source, {where.shape}, got shape {jnp.shape(weights)}")
    weights, _ = alike(where, weights=weights)
    if not isinstance(weights, Tracer) and bool((weights < 0).any()):
        raise ValueError(f"weights has {int((weights < 0).sum())} negative values: they must be >= 0")
    return weights


@jax.jit
def _regressed(x: Float[Array, "... N"], y: Float[Array, "... N"], weights: Float[Array, "... N"]) -> ShearBias:
    """Slope and intercept of y on x."""
    share = weights / weights.sum(axis=-1, keepdims=True)
    x_mean, y_mean = ((share * a).sum(axis=-1, keepdims=True) for a in (x, y))
    spread = (share * (x - x_mean) ** 2).sum(axis=-1, keepdims=True)
    # Values that differ by rounding alone have no slope.
    rounding = 10.0 * jnp.finfo(x.dtype).eps * jnp.abs(x).max(axis=-1, keepdims=True, initial=0.0)
    pull = share * (x - x_mean) / jnp.where(spread > rounding**2, spread, jnp.nan)  # of each source on the slope
    count = (weights > 0).sum(axis=-1)
    slope = jnp.where(count > 1, (pull * y).sum(axis=-1), jnp.nan)[..., None]
    residual = y - y_mean - slope * (x - x_mean)
    factor = jnp.where(count > 2, count / (count - 2), jnp.nan)

    def error(pull):
        return jnp.sqrt(factor * ((pull * residual) ** 2).sum(axis=-1))

    intercept = (y_mean - slope * x_mean)[..., 0]
    return ShearBias(slope[..., 0], intercept, error(pull), error(share - x_mean * pull), count)


@jax.jit
def _mean(values: Float[Array, "... N"], weights: Float[Array, "... N"]) -> tuple[Array, Array]:
    """Weighted mean and its standard error."""
    share = weights / weights.sum(axis=-1, keepdims=True)
    count = (weights > 0).sum(axis=-1)
    mean = jnp.where(count > 0, (share * values).sum(axis=-1), jnp.nan)[..., None]
    factor = jnp.where(count > 1, count / (count - 1), jnp.nan)
    return mean[..., 0], jnp.sqrt(factor * ((share * (values - mean)) ** 2).sum(axis=-1))
