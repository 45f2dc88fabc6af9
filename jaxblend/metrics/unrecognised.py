"""Blends taken for one source, and sources taken for several.

Both follow from who stands for whom. Every true source goes to its partner, or, having none, to the nearest detection
within the maximum separation of the match. A detection that more than one source goes to stands for a blend that
was not recognised. The other way round, every detection goes to its partner, or else to the nearest true source within
that separation; a source that more than one detection goes to was broken into fragments. Nothing is counted twice.

In the literature an unrecognised blend is a detection that corresponds to two or more true objects ([1]; an "ambiguous
blend" in [2]). When an object corresponds is left to each study; the rule above is this package's.

References
----------
.. [1] Liang, Adari & von der Linden 2025, arXiv:2503.16680.
.. [2] Dawson, Schneider, Tyson & Jee 2016, Astrophys. J. 816, 11.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxblend.metrics.checks import mask
from jaxblend.metrics.detection import with_partner
from jaxblend.metrics.matching import Match

__all__ = [
    "Fragmentation",
    "detections_per_source",
    "fragmentation",
    "sources_per_detection",
    "unrecognised_blend_fraction",
]


class Fragmentation(NamedTuple):
    """How true sources that were found are broken up; NaN if none was found.

    Attributes
    ----------
    fraction
        Share of the sources found that have more than one detection.
    extra
        Detections beyond the first per source found.
    """

    fraction: Float[Any, ""]
    extra: Float[Any, ""]


def sources_per_detection(match: Match, *, true_where: Any = None) -> Int[Array, "*B N"]:
    """Count the true sources that each detection stands for: its partner, and those missed that are nearest to it.

    Parameters
    ----------
    match : Match
        From `jaxblend.metrics.matching.match`; its maximum separation is how far a detection stands for sources.
    true_where : (..., M) booleans, optional
        True sources that count, such as those above a flux or S/N at which a second one matters.

    Returns
    -------
    (..., N) integers
        0 for a false detection, 1 for a source recognised, 2 and more for a blend that was not.

    Raises
    ------
    ValueError
        If shapes do not match.
    """
    return _claims("index", match.index, match.nearest, true_where, size=match.true_index.shape[-1])


def detections_per_source(match: Match, *, where: Any = None) -> Int[Array, "*B M"]:
    """Count the detections that stand for each true source: its partner, and those without one nearest to it.

    Parameters
    ----------
    match : Match
        As for `sources_per_detection`.
    where : (..., N) booleans, optional
        Detections that count.

    Returns
    -------
    (..., M) integers
        0 for a source missed, 1 for one recognised, 2 and more for one in fragments.

    Raises
    ------
    ValueError
        If shapes do not match.
    """
    return _claims("true_index", match.true_index, match.nearest_true, where, size=match.index.shape[-1])


def unrecognised_blend_fraction(match: Match, *, where: Any = None, true_where: Any = None) -> Float[Array, ""]:
    """Share of detections that stand for two or more true sources (see `sources_per_detection`).

    Of two sources within the maximum separation of one detection, one is its partner; the detection counts if the
    other was missed, and does not if that one has a detection of its own. The number depends on the maximum separation
    and on the faintest true source: state both beside it.

    Parameters
    ----------
    match : Match
        As for `sources_per_detection`.
    where, true_where : (..., N) and (..., M) booleans, optional
        Detections and true sources that count. Slots without a detection are to be left out, as for `match`.

    Returns
    -------
    scalar
        Of all blends together; NaN without detections.

    Raises
    ------
    ValueError
        If shapes do not match.
    """
    count = sources_per_detection(match, true_where=true_where)
    return _mean(count > 1, mask(where, count.shape))


def fragmentation(match: Match, *, where: Any = None, true_where: Any = None) -> Fragmentation:
    """Tell how often a true source has more than one detection (see `detections_per_source`).

    A false detection near a source, of noise for example, cannot be told from a fragment, and counts as one.

    Parameters
    ----------
    match, where, true_where
        As for `unrecognised_blend_fraction`.

    Returns
    -------
    Fragmentation
        Share of the sources found that are in fragments, and extra detections per source found.

    Raises
    ------
    ValueError
        If shapes do not match.
    """
    count = detections_per_source(match, where=where)
    _, found = with_partner("index", match.index, true_where)
    found = found & (count > 0)
    return Fragmentation(_mean(count > 1, found), _mean(count - 1, found))


def _claims(name: str, index: Any, nearest: Any, where: Any, *, size: int) -> Int[Array, "*B K"]:
    """How many of the slots that count go to each of ``size`` others."""
    where, paired = with_partner(name, index, where)
    owner = jnp.where(paired, jnp.asarray(index), jnp.asarray(nearest))
    counts = where & (owner >= 0)

    def of_blend(owner: Int[Array, " M"], counts: Bool[Array, " M"]) -> Int[Array, " K"]:
        # Those that go nowhere are put beyond the end, where a scatter drops them.
        return jnp.zeros(size, int).at[jnp.where(counts, owner, size)].add(1, mode="drop")

    *batch, n = owner.shape
    flat = jax.vmap(of_blend)(owner.reshape(prod(batch), n), counts.reshape(prod(batch), n))
    return flat.reshape(*batch, size)


def _mean(values: Array, where: Bool[Array, "..."]) -> Float[Array, ""]:
    return jnp.where(where, values, 0).sum() / where.sum()
