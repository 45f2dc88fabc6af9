"""Any statistic in bins of anything, with errors that know of blends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree

from jaxblend.metrics.checks import real
from jaxblend.metrics.resampling import bins_and_blends, check_resamples, drawn_blends, scatter

__all__ = ["Binned", "in_bins"]


class Binned(NamedTuple):
    """A statistic in M bins; NaN where it has no value.

    Attributes
    ----------
    edges
        Of the bins.
    count
        Sources in each bin.
    value
        What the statistic returns, an array or a NamedTuple of arrays, each with a leading axis of bins.
    error
        Of the same form: standard deviation of the statistic when blends are drawn again. NaN where the value is, and
        in bins of one blend.
    """

    edges: Float[np.ndarray, " M+1"]
    count: Int[np.ndarray, " M"]
    value: PyTree
    error: PyTree


def in_bins(
    statistic: Callable[..., Any],
    columns: Any,
    *,
    values: Any,
    edges: Any,
    key: Key[Array, ""],
    blend: Any = None,
    n_bootstrap: int = 1000,
) -> Binned:
    """A statistic of the sources of each bin, with errors from a bootstrap of whole blends.

    Sources of one blend share their noise and their mistakes, so blends are resampled, and all sources of a blend
    come or stay away together (the cluster bootstrap: Davison & Hinkley 1997, Bootstrap Methods and their
    Application, section 3.8). It wants some twenty blends in a bin at least. Resamples are those of
    `coverage_in_bins`, draw for draw.

    Parameters
    ----------
    statistic : callable
        ``statistic(*columns, where=where)``, written for JAX, with booleans ``where`` (N',) for the sources that
        count; N' is N or more. The statistics of this package are: ``lambda r, where: residual_summary(r,
        where=where, limit=0.1)``, or `shear_bias`. A source that has no residual is left out by one more column:
        ``lambda r, found, where: residual_summary(r, where=where & found, limit=0.1)``.
    columns : sequence of (N, ...) arrays
        What the statistic is of.
    values : (N,) array
        What to bin by: signal to noise, blendedness, separation, magnitude.
    edges : (M + 1,) array
        Rising edges of the bins, each with its lower edge, the last one with both; sources outside are left out.
        ``[-np.inf, np.inf]`` makes one bin of all.
    key : jax.random.key
        Draws the resamples.
    blend : (N,) integers, optional
        Number of the blend that a source belongs to; by default every source is a blend of its own.
    n_bootstrap : int
        Resamples; 1000 give errors to 2 %. Those in which the statistic is not finite, as of an empty bin, are left
        out.

    Returns
    -------
    Binned
        Edges, counts, values and errors.

    Raises
    ------
    ValueError
        If shapes do not match, edges do not rise, or ``values`` is NaN.
    """
    columns = tuple(_column(column) for column in columns)
    n = _length(columns)
    check_resamples(n_bootstrap)
    index, blend, edges = bins_and_blends(n, values=values, blend=blend, edges=edges)
    slots = _slots(blend)
    bins = np.where(slots < n, np.append(index, -1)[slots], -1)
    padded = tuple(column[np.minimum(slots, n - 1)] for column in columns)
    value, again = _resampled(statistic, padded, jnp.asarray(bins), key, len(edges) - 1, n_bootstrap)
    value = jax.tree.map(np.asarray, value)
    inside = [index == number for number in range(len(edges) - 1)]
    several = np.array([len(np.unique(blend[which])) > 1 for which in inside])  # one alone does not scatter

    def errors(one, many):
        known = several.reshape(-1, *[1] * (one.ndim - 1)) & np.isfinite(one)
        return np.where(known, scatter(many), np.nan)

    error = jax.tree.map(errors, value, again)
    count = np.array([which.sum() for which in inside])
    return Binned(edges, count, value, error)


def _column(column: Any) -> Array:
    """An array of JAX; numbers that are masked are NaN."""
    return real("columns", column) if np.ma.asarray(column).dtype.kind == "f" else jnp.asarray(column)


def _length(columns: tuple[Array, ...]) -> int:
    lengths = {column.shape[:1] for column in columns}
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise ValueError(
            "columns must be a sequence of arrays with one row per source, as many in each and not none; got shapes "
            f"{[column.shape for column in columns]}; a single column is given as (column,)"
        )
    return lengths.pop()[0]


def _slots(blend: Int[np.ndarray, " N"]) -> Int[np.ndarray, "B K"]:
    """Sources of each blend, padded with N to those of the fullest."""
    order = np.argsort(blend, kind="stable")
    sizes = np.bincount(blend)
    first = np.cumsum(sizes) - sizes
    slots = np.full((len(sizes), sizes.max()), len(blend))
    slots[blend[order], np.arange(len(blend)) - first[blend[order]]] = order
    return slots


@partial(jax.jit, static_argnums=(0, 4, 5))
def _resampled(
    statistic: Callable[..., Any],
    columns: tuple[Array, ...],
    bins: Int[Array, "B K"],
    key: Key[Array, ""],
    n_bins: int,
    n_bootstrap: int,
) -> tuple[PyTree, PyTree]:
    """The statistic in bins, of all blends and of every resample."""
    n_blends = len(bins)

    def of(chosen):
        taken = tuple(column[chosen].reshape(-1, *column.shape[2:]) for column in columns)
        bin_of_each = bins[chosen].ravel()
        return jax.vmap(lambda number: statistic(*taken, where=bin_of_each == number))(jnp.arange(n_bins))

    again = jax.lax.map(lambda key: of(drawn_blends(key, n_blends)), jax.random.split(key, n_bootstrap))
    return of(jnp.arange(n_blends)), again
