"""How complete and how pure is detection? Counts of pairs that `jaxblend.metrics.matching.match` made.

All of it runs inside ``jax.jit``. A share of nothing is NaN. Precision, recall and their harmonic mean are those of
information retrieval (van Rijsbergen 1979, Information Retrieval, chapter 7); astronomers say purity and completeness.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from jaxblend.metrics.checks import alike, mask

__all__ = [
    "DetectionScores",
    "MatchCounts",
    "count_matches",
    "detection_scores",
    "f1_score",
    "precision",
    "recall",
    "with_partner",
]


class MatchCounts(NamedTuple):
    """How many there are, and how many of them have a partner; one number per blend of a batch.

    Attributes
    ----------
    matched
        Detections with a partner.
    detected
        Detections.
    found
        True sources with a partner. As many as are matched, unless the masks leave out one of a pair.
    true
        True sources.
    """

    matched: Int[Any, "*B"]
    detected: Int[Any, "*B"]
    found: Int[Any, "*B"]
    true: Int[Any, "*B"]


class DetectionScores(NamedTuple):
    """Scores of detection, each between 0 and 1.

    Attributes
    ----------
    precision
        Share of detections with a partner, also called purity.
    recall
        Share of true sources with a partner, also called completeness.
    f1
        Harmonic mean of the two.
    """

    precision: Float[Any, ""]
    recall: Float[Any, ""]
    f1: Float[Any, ""]


def count_matches(true_index: Any, index: Any, *, where: Any = None, true_where: Any = None) -> MatchCounts:
    """Count detections, true sources, and those with a partner, in each blend.

    Masks may be narrower than those of `match`. Recall of bright sources is best had so: all sources take part in the
    matching, and ``true_where`` chooses the bright ones to count. Sources left out of the matching would turn right
    detections of faint sources into false ones.

    Parameters
    ----------
    true_index : (..., N) integers
        Partner of each detection, -1 for none (`Match.true_index`).
    index : (..., M) integers
        Partner of each true source (`Match.index`).
    where, true_where : (..., N) and (..., M) booleans, optional
        Detections and true sources that count.

    Returns
    -------
    MatchCounts
        Four counts of shape (...).

    Raises
    ------
    ValueError
        If indices are no integers, or shapes do not match.
    """
    detected, matched = with_partner("true_index", true_index, where)
    true, found = with_partner("index", index, true_where)
    if detected.shape[:-1] != true.shape[:-1]:
        raise ValueError(
            "true_index (..., N) and index (..., M) must be of the same blends, with the same leading axes; got shapes "
            f"{detected.shape} and {true.shape}"
        )
    return MatchCounts(*(which.sum(axis=-1) for which in (matched, detected, found, true)))


def detection_scores(true_index: Any, index: Any, *, where: Any = None, true_where: Any = None) -> DetectionScores:
    """Precision, recall and F1 of all blends together, from the partners that `match` gave.

    Parameters
    ----------
    true_index, index, where, true_where
        As for `count_matches`.

    Returns
    -------
    DetectionScores
        See `precision`, `recall` and `f1_score`.
    """
    counts = count_matches(true_index, index, where=where, true_where=true_where)
    return DetectionScores(
        precision(counts.matched, counts.detected), recall(counts.found, counts.true), f1_score(*counts)
    )


def precision(matched: Any, detected: Any, *, axis: int | tuple[int, ...] | None = None) -> Float[Array, "..."]:
    """Share of detections that have a partner, ``sum(matched) / sum(detected)``.

    Parameters
    ----------
    matched, detected : arrays of one shape
        Counts (`MatchCounts`).
    axis : int or tuple of int, optional
        What to sum over: everything by default, ``()`` for nothing.

    Returns
    -------
    array
        Between 0 and 1; NaN without detections.

    Raises
    ------
    ValueError
        If shapes differ, or more are matched than detected.
    """
    return _share(axis, matched=matched, detected=detected)


def recall(found: Any, true: Any, *, axis: int | tuple[int, ...] | None = None) -> Float[Array, "..."]:
    """Share of true sources that have a partner, ``sum(found) / sum(true)``; otherwise like `precision`."""
    return _share(axis, found=found, true=true)


def f1_score(
    matched: Any, detected: Any, found: Any, true: Any, *, axis: int | tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Harmonic mean of precision P and recall R, ``2 P R / (P + R)``.

    With as many found as matched, which is usual, it is ``2 matched / (detected + true)``.

    Parameters
    ----------
    matched, detected, found, true : arrays of one shape
        Counts: ``f1_score(*count_matches(...))``.
    axis : int or tuple of int, optional
        What to sum over, before anything is divided: everything by default, ``()`` for nothing.

    Returns
    -------
    array
        Between 0 and 1; 0 without a pair, NaN where there is neither detection nor true source.

    Raises
    ------
    ValueError
        If shapes differ, or more have a partner than there are.
    """
    matched, detected, found, true = (
        count.sum(axis)
        for part in (_counts(matched=matched, detected=detected), _counts(found=found, true=true))
        for count in part
    )
    denominator = matched * true + found * detected
    score = 2 * matched * found / jnp.where(denominator > 0, denominator, 1.0)
    return jnp.where(detected + true > 0, score, jnp.nan)


def with_partner(name: str, index: Any, where: Any) -> tuple[Array, Array]:
    """Tell who counts, and who of them has a partner, given indices of partners under their name."""
    index = jnp.asarray(index)
    if index.ndim == 0 or not jnp.issubdtype(index.dtype, jnp.integer):
        raise ValueError(
            f"{name} must be the integers that match returned, -1 for no partner, got shape {index.shape} of "
            f"{index.dtype}"
        )
    where = mask(where, index.shape)
    return where, where & (index >= 0)


def _counts(**named: Any) -> tuple[Array, Array]:
    part, whole, _ = alike(**named)
    wrong = (part < 0) | (part > whole)
    if not isinstance(wrong, Tracer) and wrong.any():
        name, whole_name = named
        raise ValueError(
            f"{name} must lie between 0 and {whole_name}, of which it is a part; got {part[wrong][0]:g} of "
            f"{whole[wrong][0]:g}: are the two in this order?"
        )
    return part, whole


def _share(axis: int | tuple[int, ...] | None, **named: Any) -> Float[Array, "..."]:
    part, whole = _counts(**named)
    return part.sum(axis) / whole.sum(axis)
