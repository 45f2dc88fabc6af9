"""Completeness and purity against anything: signal to noise, magnitude, blendedness, distance of the neighbour."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from jaxblend.metrics.checks import real
from jaxblend.metrics.detection import with_partner

__all__ = ["BinnedShare", "precision_in_bins", "recall_in_bins"]


class BinnedShare(NamedTuple):
    """Share of those with a partner in each of J bins; NaN where a bin is empty.

    Attributes
    ----------
    edges
        Of the bins.
    count
        Sources in each bin.
    share
        Those of them with a partner, over all of them.
    lower, upper
        Ends of the 68 % interval of the share that Wilson gives for independent sources. It stays between 0 and 1
        and has a width even where all or none are found. Sources of one blend depend on each other, which makes it
        too narrow.

    References
    ----------
    Wilson 1927, J. Am. Stat. Assoc. 22, 209: ``(p + 1 / 2n ± sqrt(p (1 - p) / n + 1 / 4n²)) / (1 + 1 / n)``.
    """

    edges: Float[Any, " J+1"]
    count: Int[Any, " J"]
    share: Float[Any, " J"]
    lower: Float[Any, " J"]
    upper: Float[Any, " J"]


def recall_in_bins(index: Any, values: Any, *, edges: Any, where: Any = None) -> BinnedShare:
    """Share of true sources that have a partner, in bins of anything known of the true sources.

    Parameters
    ----------
    index : (..., M) integers
        Partner of each true source, -1 for none (`Match.index`).
    values : (..., M) array
        What to bin by, such as the true S/N.
    edges : (J + 1,) array
        Rising edges of the bins, each with its lower edge, the last one with both; sources outside are left out.
    where : (..., M) booleans, optional
        True sources that count.

    Returns
    -------
    BinnedShare
        Counts, shares and their intervals, of all blends together.

    Raises
    ------
    ValueError
        If shapes do not match, edges do not rise, or a value that counts is not finite (outside ``jax.jit``).
    """
    return _share_in_bins("index", index, values, edges, where)


def precision_in_bins(true_index: Any, values: Any, *, edges: Any, where: Any = None) -> BinnedShare:
    """Share of detections that have a partner, in bins of anything measured of the detections.

    Parameters
    ----------
    true_index : (..., N) integers
        Partner of each detection, -1 for none (`Match.true_index`).
    values : (..., N) array
        What to bin by, such as the measured S/N.
    edges, where
        As for `recall_in_bins`.

    Returns
    -------
    BinnedShare
        As for `recall_in_bins`.

    Raises
    ------
    ValueError
        As for `recall_in_bins`.
    """
    return _share_in_bins("true_index", true_index, values, edges, where)


def _share_in_bins(name: str, index: Any, values: Any, edges: Any, where: Any) -> BinnedShare:
    where, paired = with_partner(name, index, where)
    edges = _edges(edges)
    if np.shape(values) != where.shape:
        raise ValueError(f"values must be one for each of {name}, {where.shape}, got shape {np.shape(values)}")
    values = real("values", values)  # infinite ones are allowed: a source alone has no neighbour
    missing = where & jnp.isnan(values)
    if not isinstance(missing, Tracer) and missing.any():
        raise ValueError(f"values is NaN for {int(missing.sum())} that count: leave them out with where=")
    n_bins = len(edges) - 1
    bin_ = jnp.searchsorted(edges, values, side="right") - 1
    bin_ = jnp.where(values == edges[-1], n_bins - 1, bin_)
    inside = (bin_ >= 0) & (bin_ < n_bins)
    at = jnp.where(inside, bin_, 0)

    def total(which: Bool[Array, "..."]) -> Int[Array, " J"]:
        return jnp.zeros(n_bins, int).at[at].add((which & inside).astype(int))

    count, hits = total(where), total(paired)
    share, lower, upper = _wilson(hits, count)
    return BinnedShare(edges, count, share, lower, upper)


def _edges(edges: Any) -> Float[Array, " E"]:
    edges = real("edges", edges)
    rises = edges.ndim == 1 and len(edges) > 1 and (isinstance(edges, Tracer) or bool((jnp.diff(edges) > 0).all()))
    if not rises:
        raise ValueError(f"edges must be two or more rising numbers, got {edges}")
    return edges


def _wilson(
    hits: Int[Array, " J"], count: Int[Array, " J"]
) -> tuple[Float[Array, " J"], Float[Array, " J"], Float[Array, " J"]]:
    share = hits / count
    middle = (share + 0.5 / count) / (1 + 1 / count)
    half = jnp.sqrt(share * (1 - share) / count + 0.25 / count**2) / (1 + 1 / count)
    return share, middle - half, middle + half
