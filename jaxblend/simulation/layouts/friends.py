"""Friends of friends: sources that are linked by short distances."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

__all__ = ["friends_of_friends"]


def friends_of_friends(places: np.ndarray, linking_length: float) -> list[np.ndarray]:
    """Group points so that each is within the linking length of another of its group, and of none outside.

    Parameters
    ----------
    places : (n, 2) array
        Points.
    linking_length : float
        In the same unit.

    Returns
    -------
    list of (m,) arrays of int
        The points of each group, in order; groups of one point, too.

    References
    ----------
    Huchra & Geller 1982, ApJ 257, 423, here on the sky alone.
    """
    n = len(places)
    pairs = KDTree(places).query_pairs(linking_length, output_type="ndarray")
    linked = coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, label = connected_components(linked, directed=False)
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
