"""Matrices of counts: sources found against sources there, and stars against galaxies.

They run inside ``jax.jit``. A share of nothing is NaN.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxblend.metrics.checks import alike
from jaxblend.metrics.detection import with_partner
from jaxblend.metrics.matching import take_partners

__all__ = ["efficiency_matrix", "star_galaxy_confusion"]


def efficiency_matrix(
    matched: Any, true: Any, *, max_sources: int | None = None, normalised: bool = False, where: Any = None
) -> Float[Array, "T T"]:
    """Count blends by their number of true sources (column) and how many of them were found (row).

    It is the matrix of the Blending ToolKit: perfect detection fills the diagonal alone. Detections without a
    partner are not in it; give `MatchCounts.detected` in place of the first argument to see numbers of detections.

    Parameters
    ----------
    matched : array of integers
        Pairs in each blend.
    true : array of integers of that shape
        True sources in each blend.
    max_sources : int, optional
        Largest number in the matrix; by default the largest of both. Needed inside ``jax.jit``, where blends with more
        are left out.
    normalised : bool
        Divide each column by its sum: of blends with so many sources, the share in which so many were found.
    where : booleans, optional
        Blends that count.

    Returns
    -------
    (max_sources + 1, max_sources + 1) array
        Numbers of blends, or shares (NaN in a column without blends).

    Raises
    ------
    ValueError
        If shapes differ, counts are negative, or larger than ``max_sources``.

    References
    ----------
    Mendoza et al. 2025, Open J. Astrophys. 8, doi:10.33232/001c.129699; in its code, ``btk.metrics.utils.effmat``.
    """
    row, column, where = alike(where, matched=matched, true=true)
    max_sources = _max_sources(row, column, max_sources)
    inside = where & (jnp.maximum(row, column) <= max_sources)
    at = tuple(jnp.where(inside, count, 0).astype(int) for count in (row, column))
    matrix = jnp.zeros((max_sources + 1, max_sources + 1)).at[at].add(inside.astype(float))
    return matrix / matrix.sum(axis=0) if normalised else matrix


def star_galaxy_confusion(
    is_star: Any, true_is_star: Any, true_index: Any, *, where: Any = None, normalised: bool = False
) -> Float[Array, "2 2"]:
    """Count pairs by what the true source is (row: galaxy, star) and what the detection is taken for (column).

    Parameters
    ----------
    is_star : (..., N) booleans
        Whether the detection is taken for a star.
    true_is_star : (..., M) booleans
        Whether the source is one.
    true_index : (..., N) integers
        Partner of each detection, -1 for none; those have no part in it.
    where : (..., N) booleans, optional
        Detections that count.
    normalised : bool
        Divide each row by its sum: the diagonal is then the completeness of galaxies and of stars. (Their purity is
        the diagonal of the plain matrix over its columns' sums.)

    Returns
    -------
    (2, 2) array
        Numbers of pairs, or shares (NaN in a row without pairs).

    Raises
    ------
    ValueError
        If something is not boolean, or shapes do not match.
    """
    _, paired = with_partner("true_index", true_index, where)
    is_star, true_is_star = jnp.asarray(is_star), jnp.asarray(true_is_star)
    if is_star.shape != paired.shape:
        raise ValueError(f"is_star must be one per detection, {paired.shape}, got shape {is_star.shape}")
    for name, kind in (("is_star", is_star), ("true_is_star", true_is_star)):
        if kind.dtype != bool:
            raise ValueError(f"{name} must be booleans, got {kind.dtype}; of a probability, give probability > 0.5")
    truth = take_partners(true_is_star, true_index, fill_value=False)
    matrix = jnp.zeros((2, 2)).at[truth.astype(int), is_star.astype(int)].add(paired.astype(float))
    return matrix / matrix.sum(axis=1, keepdims=True) if normalised else matrix


def _max_sources(row: Array, column: Array, max_sources: int | None) -> int:
    if isinstance(row, Tracer) or isinstance(column, Tracer):
        if max_sources is None:
            raise ValueError("max_sources must be given inside jax.jit: the matrix's size cannot depend on the counts")
        return max_sources
    both = jnp.append(row, column)
    least, largest = (int(both.min()), int(both.max())) if both.size else (0, 0)
    limit = largest if max_sources is None else max_sources
    if least < 0 or largest > limit:
        raise ValueError(f"matched and true must be counts from 0 to max_sources = {limit}, got {least} to {largest}")
    return limit
