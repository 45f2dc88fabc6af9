"""Coverage in bins of anything (signal to noise, blendedness, separation), with errors that know of blends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxblend.metrics.calibration import LEVELS, check_levels
from jaxblend.metrics.resampling import bins_and_blends, check_resamples, drawn_blends, scatter

__all__ = ["BinnedCoverage", "coverage_in_bins"]


class BinnedCoverage(NamedTuple):
    """Coverage of L intervals in M bins; NaN where a bin is empty.

    Attributes
    ----------
    edges
        Of the bins.
    levels
        Nominal coverage.
    count
        Sources in each bin.
    coverage
        Share of them whose truth lies in the interval.
    error
        Standard deviation of the coverage when blends are drawn again. It is 0 where all or none are inside.
    nominal_error
        ``sqrt(level (1 - level) / count)``: the scatter of right posteriors, were the sources independent.
    """

    edges: Float[np.ndarray, " M+1"]
    levels: Float[np.ndarray, " L"]
    count: Int[np.ndarray, " M"]
    coverage: Float[np.ndarray, "M L"]
    error: Float[np.ndarray, "M L"]
    nominal_error: Float[np.ndarray, "M L"]


def coverage_in_bins(
    inside: Any,
    values: Any,
    *,
    edges: Any,
    key: Key[Array, ""],
    levels: Sequence[float] = LEVELS,
    blend: Any = None,
    n_bootstrap: int = 1000,
) -> BinnedCoverage:
    """Average coverage over sources in bins, with errors from a bootstrap of whole blends.

    Sources of one blend share their noise and their mistakes, so blends are resampled, and all sources of a blend
    come or stay away together (the cluster bootstrap: Davison & Hinkley 1997, Bootstrap Methods and their
    Application, section 3.8). It wants some twenty blends in a bin at least.

    Parameters
    ----------
    inside : (N, L) booleans
        From `coverage`.
    values : (N,) array
        What to bin by.
    edges : (M + 1,) array
        Rising edges of the bins, each with its lower edge, the last one with both; sources outside are left out.
        ``[-np.inf, np.inf]`` makes one bin of all.
    key : jax.random.key
        Draws the resamples.
    levels : sequence of float
        Those that `coverage` was given.
    blend : (N,) integers, optional
        Number of the blend that a source belongs to; by default every source is a blend of its own.
    n_bootstrap : int
        Resamples; 1000 give errors to 2 %.

    Returns
    -------
    BinnedCoverage
        Edges, levels, counts, coverages and errors.

    Raises
    ------
    ValueError
        If shapes do not match, edges do not rise, or values are NaN.
    """
    check_levels(levels)
    inside = _checked(inside, len(levels))
    check_resamples(n_bootstrap)
    index, blend, edges = bins_and_blends(len(inside), values=values, blend=blend, edges=edges)
    sums = _sums_of_blends(inside, index, blend, len(edges) - 1)
    again = np.asarray(_resampled(key, jnp.asarray(sums, float), n_bootstrap))
    total = sums.sum(axis=0)
    count = total[:, 0].astype(int)
    nominal = np.asarray(levels, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = total[:, 1:] / total[:, :1]
        binomial = np.where(count[:, None] > 0, np.sqrt(nominal * (1 - nominal) / count[:, None]), np.nan)
        error = scatter(again[..., 1:] / again[..., :1])
    return BinnedCoverage(edges, nominal, count, share, error, binomial)


def _checked(inside: Any, n_levels: int) -> np.ndarray:
    inside = np.asarray(inside)
    if inside.ndim != 2 or inside.shape[1] != n_levels or inside.dtype != bool or len(inside) == 0:
        raise ValueError(
            f"inside must be the booleans that coverage returned, (sources, {n_levels} levels), got shape "
            f"{inside.shape} of {inside.dtype}; give both functions the same levels"
        )
    return inside


def _sums_of_blends(inside: np.ndarray, index: np.ndarray, blend: np.ndarray, n_bins: int) -> np.ndarray:
    """(blends, M, 1 + L): sources of a blend in a bin, and how many of them lie inside each interval."""
    seen = (index >= 0) & (index < n_bins)
    sums = np.zeros((blend.max() + 1, n_bins, 1 + inside.shape[1]))
    np.add.at(sums, (blend[seen], index[seen]), np.insert(inside[seen].astype(float), 0, 1.0, axis=1))
    return sums


@partial(jax.jit, static_argnames="n_bootstrap")
def _resampled(key: Key[Array, ""], sums: Float[Array, "B M T"], n_bootstrap: int) -> Float[Array, "R M T"]:
    n = len(sums)

    def once(key):
        times = jnp.zeros(n).at[drawn_blends(key, n)].add(1.0)
        return jnp.tensordot(times, sums, 1)

    return jax.lax.map(once, jax.random.split(key, n_bootstrap))
