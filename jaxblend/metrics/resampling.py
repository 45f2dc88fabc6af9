"""Bins, and resamples of whole blends: what every statistic needs that has its errors from a bootstrap."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxblend.metrics.draws import numbers

__all__ = ["bins_and_blends", "check_resamples", "drawn_blends", "scatter"]


def check_resamples(n_bootstrap: int) -> None:
    """Refuse what has no scatter."""
    if n_bootstrap < 2:
        raise ValueError(f"n_bootstrap must be 2 or more, got {n_bootstrap}")


def bins_and_blends(
    n: int, *, values: Any, blend: Any, edges: Any
) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, " N"], Float[np.ndarray, " E"]]:
    """Bin and blend of n sources, both counted from 0, and the edges; bins of sources outside are negative or M.

    Each bin has its lower edge, the last one both. Without ``blend`` every source is a blend of its own.
    """
    edges, values = numbers("edges", edges), numbers("values", values)
    blend = np.arange(n) if blend is None else np.asarray(blend)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges must be two or more rising numbers, got {edges.tolist()}")
    for name, array in (("values", values), ("blend", blend)):
        if array.shape != (n,):
            raise ValueError(f"{name} must be one per source, {(n,)}, got shape {array.shape}")
    if np.isnan(values).any():
        raise ValueError(
            f"values is NaN for {np.isnan(values).sum()} of {n} sources: leave those sources out of all that is given "
            "with values, and report how many those were"
        )
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where(values == edges[-1], len(edges) - 2, index), np.unique(blend, return_inverse=True)[1], edges


def drawn_blends(key: Key[Array, ""], n: int) -> Int[Array, " n"]:
    """Numbers of n blends drawn from n, with replacement."""
    return jax.random.randint(key, (n,), 0, n)


def scatter(resamples: Any) -> np.ndarray:
    """Standard deviation over the first axis, of those resamples that have a value."""
    resamples = np.asarray(resamples, float)
    used = np.isfinite(resamples)
    number = used.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(used, resamples, 0.0).sum(axis=0) / number
        square = np.where(used, (resamples - mean) ** 2, 0.0).sum(axis=0)
        return np.where(number > 1, np.sqrt(square / (number - 1)), np.nan)
