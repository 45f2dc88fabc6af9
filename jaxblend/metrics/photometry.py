"""How good are fluxes? Errors of flux, magnitude and colour, their summary, and the light of a blend as a whole.

No flux gives a NaN in silence: where a logarithm or a ratio has no value, errors are infinite, by the rules that each
function states, and `residual_summary` counts them.

References
----------
.. [1] Hyndman & Koehler 2006, Int. J. Forecast. 22, 679: relative ("percentage") errors and their mean, the MAPE.
.. [2] Pogson 1856, MNRAS 17, 12: five magnitudes are a factor of 100.
.. [3] Hampel 1974, J. Am. Stat. Assoc. 69, 383; Hoaglin, Mosteller & Tukey 1983, Understanding Robust and Exploratory
   Data Analysis: scatter from the median absolute deviation.
.. [4] Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503: the same of photometric redshifts, under the name of NMAD.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from jaxblend.metrics.checks import alike, mask, real
from jaxblend.metrics.ratio import over_truth

__all__ = [
    "ResidualSummary",
    "colour_residual",
    "flux_conservation",
    "flux_residual",
    "magnitude_residual",
    "residual_summary",
]

# Standard deviation of a normal distribution over its median absolute deviation [3].
NMAD = 1.4826


class ResidualSummary(NamedTuple):
    """Residuals in a few numbers; NaN where none counts. Infinite ones are no part of the mean and its kin.

    Attributes
    ----------
    count
        Residuals that count.
    infinite
        Of these, infinite ones.
    median
        Bias: median of all, infinite ones too.
    mean
        Bias: mean of the finite ones.
    scatter
        Standard deviation of the finite ones about ``mean``.
    nmad
        ``1.4826 median(|r - median|)`` of all: the scatter without regard to tails [3, 4]. Infinite if ``median`` is.
    outliers
        Share of all with ``|r| > limit``.
    mean_absolute
        Mean of |r| of the finite ones: of relative flux errors, the MAPE [1] is 100 times this.
    median_absolute
        Median of |r| of all.
    """

    count: Int[Array, "..."]
    infinite: Int[Array, "..."]
    median: Float[Array, "..."]
    mean: Float[Array, "..."]
    scatter: Float[Array, "..."]
    nmad: Float[Array, "..."]
    outliers: Float[Array, "..."]
    mean_absolute: Float[Array, "..."]
    median_absolute: Float[Array, "..."]


def flux_residual(flux: Any, true_flux: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Relative flux error, ``(F - F_true) / F_true`` [1].

    Parameters
    ----------
    flux, true_flux : (...) arrays
        Estimates, of any sign, and truths, in one unit.
    where : (...) booleans, optional
        What counts.

    Returns
    -------
    (...) array
        Relative errors. Where the truth is 0 or less: 0 if the estimate equals it, else infinite with the sign of
        ``F - F_true``. NaN where ``where`` is False.

    Raises
    ------
    ValueError
        If shapes differ, or what counts is not finite.
    """
    flux, true_flux, where = alike(where, flux=flux, true_flux=true_flux)
    return jnp.where(where, over_truth(flux - true_flux, true_flux), jnp.nan)


def magnitude_residual(flux: Any, true_flux: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Magnitude error, ``-2.5 log10(F / F_true)`` [2]: positive where the estimate is too faint.

    Parameters
    ----------
    flux, true_flux : (...) arrays
        Fluxes in one unit.
    where : (...) booleans, optional
        What counts.

    Returns
    -------
    (...) array
        Errors in mag. No flux (0 or less) is infinitely faint: the error is +inf where only the estimate has none,
        -inf where only the truth has none, 0 where neither has any. NaN where ``where`` is False.

    Raises
    ------
    ValueError
        If shapes differ, or what counts is not finite.
    """
    flux, true_flux, where = alike(where, flux=flux, true_flux=true_flux)
    return jnp.where(where, _magnitude_error(flux, true_flux), jnp.nan)


def colour_residual(flux: Any, true_flux: Any, *, where: Any = None) -> Float[Array, "... C"]:
    """Errors of the colours of neighbouring bands, ``m_c - m_(c+1)``.

    Of other pairs, give those two bands: ``flux[..., [0, 3]]``.

    Parameters
    ----------
    flux, true_flux : (..., C) arrays
        Fluxes in one unit, in two or more bands.
    where : (..., C) booleans, optional
        What counts; a colour counts if both its bands do. Of whole sources, give ``where[..., None]``.

    Returns
    -------
    (..., C - 1) array
        The difference of two errors as in `magnitude_residual`; +inf also where these are infinite alike, in which
        case there is no colour to be wrong. NaN where ``where`` is False.

    Raises
    ------
    ValueError
        If shapes differ, there is one band only, or what counts is not finite.
    """
    flux, true_flux, where = alike(where, flux=flux, true_flux=true_flux)
    if flux.ndim == 0 or flux.shape[-1] < 2:
        raise ValueError(f"flux must have two bands or more on its last axis, got shape {flux.shape}")
    error = _magnitude_error(flux, true_flux)
    bluer, redder = error[..., :-1], error[..., 1:]
    difference = jnp.where(jnp.isinf(bluer) & (bluer == redder), jnp.inf, bluer - redder)
    return jnp.where(where[..., :-1] & where[..., 1:], difference, jnp.nan)


def residual_summary(
    residual: Any, *, limit: Any, where: Any = None, axis: int | tuple[int, ...] | None = None
) -> ResidualSummary:
    """Bias, scatter and outliers of errors of any kind.

    Parameters
    ----------
    residual : (...) array
        From `flux_residual`, `magnitude_residual`, `colour_residual`, or any other; it may be infinite.
    limit : float
        Beyond it on either side a residual is an outlier, such as 0.75 mag.
    where : (...) booleans, optional
        What counts.
    axis : int or tuple of int, optional
        Axes that sources are on; all by default. Others are kept: of (B, K, C), ``axis=(0, 1)`` gives a number per
        band.

    Returns
    -------
    ResidualSummary
        Of the shape that is left.

    Raises
    ------
    ValueError
        If shapes do not match, or what counts is NaN.
    """
    residual = real("residual", residual)
    where = mask(where, residual.shape)
    _check_not_nan(residual, where)
    return _summary(_last(residual, axis), _last(where, axis), limit)


def flux_conservation(
    flux: Any, true_flux: Any, *, residual: Any = 0.0, where: Any = None, axis: int = -1
) -> Float[Array, "..."]:
    """Light of a blend that is accounted for, ``(sum F + R) / sum F_true``.

    Without R it is the recovered share of the flux of the whole blend, whoever got it: errors of a swap of light
    between neighbours cancel. With R, the sum of image minus model, what no source took counts as well. The definition
    is our own.

    Parameters
    ----------
    flux, true_flux : (..., K) arrays
        Fluxes in one unit.
    residual : (...) array or float
        R, in that unit.
    where : (..., K) booleans, optional
        Sources that count.
    axis : int
        That of the sources.

    Returns
    -------
    (...) array
        1 if all light is found. Where the truth is 0 or less in sum: 1 if the estimate equals it, else infinite. NaN
        where no source counts.

    Raises
    ------
    ValueError
        If shapes do not match, or what counts is not finite.
    """
    flux, true_flux, where = alike(where, flux=flux, true_flux=true_flux)
    total, true = flux.sum(axis=axis), true_flux.sum(axis=axis)
    residual = real("residual", residual)
    if residual.shape not in ((), total.shape):
        raise ValueError(f"residual must be one number per blend and band, {total.shape}, got shape {residual.shape}")
    counts = where.any(axis=axis)
    residual, _ = alike(counts, residual=jnp.broadcast_to(residual, counts.shape))
    found = 1.0 + over_truth(total + residual - true, true)
    return jnp.where(counts, found, jnp.nan)


@jax.jit
def _magnitude_error(flux: Array, true_flux: Array) -> Array:
    seen, there = flux > 0, true_flux > 0
    ratio = jnp.where(seen, flux, 1.0) / jnp.where(there, true_flux, 1.0)
    unbounded = jnp.where(there, jnp.inf, jnp.where(seen, -jnp.inf, 0.0))
    error = jnp.where(seen & there, -2.5 * jnp.log10(ratio), unbounded)
    return jnp.where(jnp.isnan(flux) | jnp.isnan(true_flux), jnp.nan, error)


@jax.jit
def _summary(residual: Float[Array, "... N"], where: Bool[Array, "... N"], limit: Any) -> ResidualSummary:
    count = where.sum(axis=-1)
    finite = where & ~jnp.isinf(residual)
    mean = _mean(residual, finite)
    median = _median(residual, where)
    deviation = jnp.where(jnp.isinf(median[..., None]), jnp.inf, jnp.abs(residual - median[..., None]))
    beyond = jnp.where(jnp.isnan(residual), jnp.nan, jnp.abs(residual) > limit)
    return ResidualSummary(
        count=count,
        infinite=count - finite.sum(axis=-1),
        median=median,
        mean=mean,
        scatter=jnp.sqrt(_mean((residual - mean[..., None]) ** 2, finite)),
        nmad=NMAD * _median(deviation, where),
        outliers=_mean(beyond, where),
        mean_absolute=_mean(jnp.abs(residual), finite),
        median_absolute=_median(jnp.abs(residual), where),
    )


def _check_not_nan(residual: Array, where: Array) -> None:
    if isinstance(residual, Tracer) or isinstance(where, Tracer):
        return
    bad = np.argwhere(np.asarray(where & jnp.isnan(residual)))
    if len(bad):
        raise ValueError(
            f"residual is NaN in {len(bad)} of {int(where.sum())} entries that count (the first at "
            f"{tuple(bad[0].tolist())}): give the same where= as to the function that made it"
        )


def _last(array: Array, axis: int | tuple[int, ...] | None) -> Array:
    """Move axes to the end, as one; of nothing, make one entry that does not count."""
    axes = tuple(range(array.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    array = jnp.moveaxis(array, axes, range(-len(axes), 0))
    kept = array.shape[: array.ndim - len(axes)]
    size = int(np.prod(array.shape[len(kept) :]))
    return array.reshape(*kept, size) if size else jnp.zeros((*kept, 1), array.dtype)


def _mean(values: Array, where: Bool[Array, "... N"]) -> Array:
    return jnp.where(where, values, 0.0).sum(axis=-1) / where.sum(axis=-1)


def _median(values: Float[Array, "... N"], where: Bool[Array, "... N"]) -> Array:
    """Median of what counts, infinite values included; NaN of nothing, and with a NaN."""
    # jnp.nanmedian would interpolate to NaN beside an infinite value, and pass over a NaN that counts.
    ordered = jnp.sort(jnp.where(where, values, jnp.inf), axis=-1)
    count = where.sum(axis=-1, keepdims=True)

    def at(index):
        return jnp.take_along_axis(ordered, index.clip(0, ordered.shape[-1] - 1), axis=-1)[..., 0]

    low, high = at((count - 1) // 2), at(count // 2)
    middle = jnp.where(low == high, low, 0.5 * (low + high))
    nothing = (count[..., 0] == 0) | (where & jnp.isnan(values)).any(axis=-1)
    return jnp.where(nothing, jnp.nan, middle)
