"""Which detection is which true source: one-to-one, never farther apart than a given separation.

An assignment cannot be jitted, so it is made here, in NumPy and SciPy; the indices that come out are what the jit-able
functions of the other modules take.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Num
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching
from scipy.spatial import KDTree

from jaxblend.metrics.checks import mask
from jaxblend.metrics.draws import numbers

__all__ = ["Match", "match", "planar", "take_partners"]

# The solver's time grows with the square of what it is given at once.
PAIRS_AT_ONCE = 1000


class Match(NamedTuple):
    """Pairs of detections and true sources; -1 stands for none. Leading axes are those of a batch of blends.

    Attributes
    ----------
    true_index
        Of each detection, its partner among the true sources of its blend.
    index
        Of each true source, its partner among the detections.
    separation
        Of each detection from its partner, in the unit of the positions; NaN without one.
    nearest_true
        Of each detection, the nearest true source within the maximum separation, whoever its partner is.
    nearest
        Of each true source, the nearest detection within it.
    """

    true_index: Int[Any, "*B N"]
    index: Int[Any, "*B M"]
    separation: Float[Any, "*B N"]
    nearest_true: Int[Any, "*B N"]
    nearest: Int[Any, "*B M"]


def match(
    positions: Any, true_positions: Any, *, max_separation: float, where: Any = None, true_where: Any = None
) -> Match:
    """Pair detections with true sources, each at most once.

    Of all sets of pairs that are no farther apart than ``max_separation``, it is one with the most pairs, and of those
    one with the least total separation. The limit is part of the assignment. Were far pairs taken away afterwards,
    they would have cost others their partner: true sources at x = 0 and 4 with detections at 3.9 and 100 are paired in
    that order by least total separation, and a limit of 2 would then leave no pair, where one is 0.1 apart.

    Brightness plays no part: with a separation that is large against the distances of the sources, a faint neighbour
    is as good a partner as a bright one.

    Parameters
    ----------
    positions : (..., N, 2) array
        Detections, x and y in pixels, or in any unit in which distances are Euclidean (of right ascension and
        declination, tangent-plane offsets).
    true_positions : (..., M, 2) array
        True sources of the same blends.
    max_separation : float
        Largest separation of a pair, itself allowed.
    where, true_where : (..., N) and (..., M) booleans, optional
        Which slots are detections and true sources; the others have no partner, whatever they hold.

    Returns
    -------
    Match
        Partners both ways, their separation, and the nearest within reach.

    Raises
    ------
    ValueError
        If shapes do not match, a position that counts is not finite, or the separation is not positive.
    TypeError
        Inside ``jax.jit``.

    References
    ----------
    Kuhn 1955, Naval Res. Logist. Q. 2, 83: the assignment problem. Jonker & Volgenant 1987, Computing 38, 325: the
    algorithm of ``scipy.sparse.csgraph.min_weight_full_bipartite_matching``, which solves it here. The limit, and that
    the number of pairs comes before their separation, are our own choice.
    """
    if not max_separation > 0:
        raise ValueError(f"max_separation must be positive, got {max_separation}")
    positions, where = planar("positions", positions, where)
    true_positions, true_where = planar("true_positions", true_positions, true_where)
    if positions.shape[:-2] != true_positions.shape[:-2]:
        raise ValueError(
            "positions and true_positions must be of the same blends, with the same leading axes; got shapes "
            f"{positions.shape} and {true_positions.shape}"
        )
    slot, true_slot, separation = _within(positions, true_positions, where, true_where, max_separation)
    pair = _assign(slot, true_slot, separation)
    apart = np.full(where.size, np.nan)
    apart[slot[pair]] = separation[pair]
    order = np.argsort(-separation, kind="stable")  # the nearest is written last
    return Match(
        true_index=_partners(where, true_where, slot[pair], true_slot[pair]),
        index=_partners(true_where, where, true_slot[pair], slot[pair]),
        separation=apart.reshape(where.shape),
        nearest_true=_partners(where, true_where, slot[order], true_slot[order]),
        nearest=_partners(true_where, where, true_slot[order], slot[order]),
    )


def take_partners(values: Any, index: Any, *, fill_value: Any = jnp.nan) -> Num[Array, "..."] | Bool[Array, "..."]:
    """Take the value of each slot's partner: ``take_partners(true_flux, match.true_index)`` goes beside ``flux``.

    Parameters
    ----------
    values : (..., M) or (..., M, C) array
        One value per possible partner, or several.
    index : (..., N) integers
        The partners, -1 for none, as `match` gives them.
    fill_value : scalar
        Value of no partner.

    Returns
    -------
    (..., N) or (..., N, C) array
        Values of the partners.

    Raises
    ------
    ValueError
        If the leading axes differ, or outside ``jax.jit`` if there is no such partner.
    """
    values, index = jnp.asarray(values), jnp.asarray(index)
    axis = index.ndim - 1
    if values.shape[:axis] != index.shape[:axis] or values.ndim not in (axis + 1, axis + 2):
        raise ValueError(
            f"values must be (..., M) or (..., M, C) with the leading axes of index (..., N); got shapes "
            f"{values.shape} and {index.shape}"
        )
    size = values.shape[axis]
    if not isinstance(index, Tracer) and not bool(((index >= -1) & (index < size)).all()):
        raise ValueError(
            f"index must lie between -1 and M - 1 = {size - 1}, got {int(index.min())} to {int(index.max())}: "
            "is it of the other catalogue?"
        )
    index = index.reshape(index.shape + (1,) * (values.ndim - index.ndim))
    # A slot more, for those without a partner to point at.
    values = jnp.concatenate(
        [values, jnp.zeros_like(values, shape=(*values.shape[:axis], 1, *values.shape[axis + 1 :]))], axis
    )
    return jnp.where(index >= 0, jnp.take_along_axis(values, jnp.where(index >= 0, index, size), axis), fill_value)


def planar(name: str, value: Any, where: Any) -> tuple[Float[np.ndarray, "*B N 2"], Bool[np.ndarray, "*B N"]]:
    """Check positions (..., N, 2) at the door, and say which of them count."""
    if isinstance(value, Tracer) or isinstance(where, Tracer):
        raise TypeError(
            f"{name} cannot be traced by jax.jit or jax.vmap, for neighbours are found in NumPy: do that first (a "
            "batch of blends at once), and give its result to the jitted function"
        )
    value = numbers(name, value)
    if value.ndim < 2 or value.shape[-1] != 2:
        raise ValueError(f"{name} must be (..., N, 2), x and y of each source, got shape {value.shape}")
    where = np.asarray(mask(where, value.shape[:-1]))
    bad = np.argwhere(where & ~np.isfinite(value).all(axis=-1))
    if len(bad):
        raise ValueError(
            f"{name} is NaN or infinite for {len(bad)} of {where.sum()} sources that count (the first at "
            f"{tuple(bad[0].tolist())}): leave them out with where= or true_where=, and report how many those were"
        )
    return value, where


def _within(
    positions: np.ndarray, true_positions: np.ndarray, where: np.ndarray, true_where: np.ndarray, reach: float
) -> tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"], Float[np.ndarray, " P"]]:
    """All pairs within reach, as slots of the flattened batch, and their separation."""
    slots = np.arange(where.size).reshape(where.shape)
    true_slots = np.arange(true_where.size).reshape(true_where.shape)
    first, second, separation = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0)]
    for blend in np.ndindex(where.shape[:-1]):
        here, true_here = where[blend], true_where[blend]
        trees = KDTree(positions[blend][here]), KDTree(true_positions[blend][true_here])
        near = np.asarray(trees[0].sparse_distance_matrix(trees[1], reach, output_type="ndarray"))
        near = near[near["v"] <= reach]
        first.append(slots[blend][here][near["i"]])
        second.append(true_slots[blend][true_here][near["j"]])
        separation.append(near["v"])
    return np.concatenate(first), np.concatenate(second), np.concatenate(separation)


def _assign(first: np.ndarray, second: np.ndarray, separation: np.ndarray) -> Int[np.ndarray, " Q"]:
    """Which of the pairs are chosen."""
    chosen = [
        portion[_assign_portion(first[portion], second[portion], separation[portion])]
        for portion in _portions(first, second)
    ]
    return np.concatenate([np.zeros(0, int), *chosen])


def _portions(first: np.ndarray, second: np.ndarray) -> list[Int[np.ndarray, " P"]]:
    """Split the pairs between groups that share no source, into portions that the solver is quick with."""
    if len(first) == 0:
        return []
    n = first.max() + 1
    size = n + second.max() + 1
    graph = coo_array((np.ones(len(first), bool), (first, n + second)), shape=(size, size))
    group = connected_components(graph, directed=False)[1][first]
    portion = (np.cumsum(np.bincount(group)) // PAIRS_AT_ONCE)[group]
    order = np.argsort(portion, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(portion[order])) + 1)


def _assign_portion(first: np.ndarray, second: np.ndarray, separation: np.ndarray) -> Int[np.ndarray, " Q"]:
    """Solve one portion, in which every detection may also stay alone, at a cost that no total separation outweighs."""
    (rows, row), (columns, column) = (np.unique(slot, return_inverse=True) for slot in (first, second))
    n, m = len(rows), len(columns)
    largest = separation.max()
    cost = 1.0 + separation / (largest if largest > 0 else 1.0)  # the solver takes 0 for no pair
    alone = np.full(n, 2.0 + min(n, m))
    edges = np.concatenate([row, np.arange(n)]), np.concatenate([column, m + np.arange(n)])
    graph = coo_array((np.concatenate([cost, alone]), edges), shape=(n, m + n)).tocsr()
    partner = np.zeros(n, int)
    chosen_rows, chosen_columns = min_weight_full_bipartite_matching(graph)
    partner[chosen_rows] = chosen_columns
    return np.flatnonzero(partner[row] == column)


def _partners(where: np.ndarray, other: np.ndarray, slot: np.ndarray, partner: np.ndarray) -> Int[np.ndarray, "*B N"]:
    index = np.full(where.size, -1)
    index[slot] = partner % max(other.shape[-1], 1)
    return index.reshape(where.shape)
