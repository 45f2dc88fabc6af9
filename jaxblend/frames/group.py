"""Which detections must be fitted together: friends of friends, in groups of limited size."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

__all__ = ["apart", "ellipse_radius", "group_overlapping"]


def group_overlapping(
    positions: Float[np.ndarray, "n 2"],
    footprints: Float[np.ndarray, "n 3"],
    fwhm: float,
    *,
    max_size: int = 8,
) -> Int[np.ndarray, " n"]:
    """Group the sources whose footprints, widened by half of the PSF, overlap, directly or through others.

    Links are made from the strongest to the weakest; one that would make a group too large is left out, so that
    large groups are parted where they overlap least.

    Parameters
    ----------
    positions
        (n, 2), pixels (x, y).
    footprints
        (n, 3), semi-axes a and b in pixels and the angle of a from x, in radians.
    fwhm
        Of the PSF, in pixels.
    max_size
        Most sources in a group.

    Returns
    -------
    array
        (n,), number of each source's group, in the order of their first members.

    Raises
    ------
    ValueError
        If ``max_size`` is below 1.
    """
    if max_size < 1:
        raise ValueError(f"max_size must be at least 1, got {max_size}")
    first, second, strength = _links(positions, footprints, fwhm)
    parent = np.arange(len(positions))
    size = np.ones(len(positions), int)
    for link in np.argsort(-strength, kind="stable"):
        a, b = _root(parent, first[link]), _root(parent, second[link])
        if a != b and size[a] + size[b] <= max_size:
            a, b = min(a, b), max(a, b)
            parent[b] = a
            size[a] += size[b]
    roots = [_root(parent, i) for i in range(len(positions))]
    return np.unique(roots, return_inverse=True)[1] if roots else np.zeros(0, int)


def apart(
    labels: Int[np.ndarray, " n"],
    positions: Float[np.ndarray, "n 2"],
    footprints: Float[np.ndarray, "n 3"],
    fwhm: float,
) -> Int[np.ndarray, " m"]:
    """Turns in which groups can be fitted, so that no two of one turn overlap: those that were too large for one group.

    Groups that overlap must not change at once. Each would make up for what the other no longer has to, and the sum
    would swing farther with every round.

    Parameters
    ----------
    labels
        (n,), number of each source's group, as `group_overlapping` gives them.
    positions, footprints, fwhm
        As there.

    Returns
    -------
    array
        (m,), turn of each group from 0; groups that overlap with most others come first. All 0 where none overlap.
    """
    groups = np.max(labels, initial=-1) + 1
    neighbours: list[set[int]] = [set() for _ in range(groups)]
    first, second, _ = _links(positions, footprints, fwhm)
    for a, b in zip(labels[first], labels[second], strict=True):
        if a != b:
            neighbours[a].add(int(b))
            neighbours[b].add(int(a))
    turns = np.full(groups, -1)
    for group in sorted(range(groups), key=lambda g: -len(neighbours[g])):
        taken = {int(turns[other]) for other in neighbours[group]}
        turns[group] = next(turn for turn in range(groups) if turn not in taken)
    return turns


def ellipse_radius(footprints: Float[np.ndarray, "n 3"], angle: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Radius of each ellipse in a direction, in radians from x."""
    a, b, theta = footprints.T
    return a * b / np.hypot(b * np.cos(angle - theta), a * np.sin(angle - theta))


def _links(positions, footprints, fwhm):
    """Pairs that overlap, and the sum of their radii in units of their distance."""
    from scipy.spatial import KDTree

    if len(positions) < 2:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    largest = footprints[:, :2].max(axis=1) + 0.5 * fwhm
    # Of each pair, the one with the larger reach finds the other.
    near = KDTree(positions).query_ball_point(positions, 2 * largest)
    first = np.repeat(np.arange(len(positions)), [len(n) for n in near])
    second = np.concatenate([np.asarray(n, int) for n in near])
    pairs = np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1)
    first, second = np.unique(pairs[first != second], axis=0).T
    apart = positions[second] - positions[first]
    angle = np.arctan2(apart[:, 1], apart[:, 0])
    reach = ellipse_radius(footprints[first], angle) + ellipse_radius(footprints[second], angle) + fwhm
    strength = reach / np.maximum(np.hypot(*apart.T), 1e-6)
    keep = strength > 1
    return first[keep], second[keep], strength[keep]


def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return int(i)
