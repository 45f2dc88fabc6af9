"""Stamps: which pixels a group of sources is fitted on. A few sizes only, because each is compiled for."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["LADDER", "overlap", "reach_of", "stamp_around"]

LADDER = (32, 48, 64, 96, 128)


def stamp_around(
    positions: Float[np.ndarray, "k 2"],
    reach: Float[np.ndarray, "k 2"],
    shape: tuple[int, int],
    *,
    margin: float = 0.0,
) -> tuple[slice, slice]:
    """A square stamp (y, x) inside an image that holds all sources to their reach, of a size from ``LADDER``.

    Beyond the ladder sizes are multiples of 64; where the image is smaller than the stamp, the stamp is cut to it.

    Parameters
    ----------
    positions, reach
        (k, 2), pixels (x, y), and half of the width and height that each source needs.
    shape
        Height and width of the image.
    margin
        Pixels to add on every side.
    """
    limits = np.array([shape[1], shape[0]]) - 1.0
    low = np.clip((positions - reach).min(axis=0) - margin, 0, limits)
    high = np.clip((positions + reach).max(axis=0) + margin, 0, limits)
    size = _rung(int(np.ceil((high - low).max())) + 1)
    columns, rows = (_span(0.5 * (low[i] + high[i]), size, shape[1 - i]) for i in (0, 1))
    return rows, columns


def reach_of(
    image: Float[np.ndarray, "C h w"],
    sigma: Float[np.ndarray, " C"],
    stamp: tuple[slice, slice],
    position: Float[np.ndarray, "2"],
    shape: tuple[int, int],
    *,
    level: float = 0.3,
) -> Float[np.ndarray, "2"] | None:
    """How far a model is brighter than ``level`` times the noise, in x and y from its position.

    Parameters
    ----------
    image
        (C, h, w), model of one source on its stamp.
    sigma
        (C,), noise of a pixel.
    stamp
        Slices (y, x) in the whole image.
    position
        (x, y), pixels of the whole image.
    shape
        Height and width of the whole image.

    Returns
    -------
    array or None
        (2,), half larger where the light runs into a side of the stamp that is not the image's; None if no pixel
        is so bright.
    """
    bright = np.asarray((image > level * sigma[:, None, None]).any(axis=0))
    if not bright.any():
        return None
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    reach = np.array([_farthest(columns + stamp[1].start, position[0]), _farthest(rows + stamp[0].start, position[1])])
    return reach * np.where(_cut(bright, stamp, shape), 1.5, 1.0)


def overlap(a: tuple[slice, slice], b: tuple[slice, slice]):
    """The slices in a's and in b's own pixels of where two stamps overlap, or None."""
    starts = [max(p.start, q.start) for p, q in zip(a, b, strict=True)]
    stops = [min(p.stop, q.stop) for p, q in zip(a, b, strict=True)]
    if any(start >= stop for start, stop in zip(starts, stops, strict=True)):
        return None
    return tuple(
        tuple(slice(i - s.start, j - s.start) for i, j, s in zip(starts, stops, stamp, strict=True)) for stamp in (a, b)
    )


def _rung(size: int) -> int:
    return next((rung for rung in LADDER if rung >= size), -(-size // 64) * 64)


def _span(middle: float, size: int, length: int) -> slice:
    size = min(size, length)
    start = int(np.clip(round(middle - 0.5 * (size - 1)), 0, length - size))
    return slice(start, start + size)


def _farthest(pixels, centre) -> float:
    return float(max(centre - pixels[0], pixels[-1] - centre, 1.0))


def _cut(bright: Bool[np.ndarray, "h w"], stamp, shape) -> Bool[np.ndarray, "2"]:
    """Whether the light runs into the left or right, and the lower or upper side of the stamp, inside the image."""
    rows, columns = stamp
    left, right = bright[:, 0].any() and columns.start > 0, bright[:, -1].any() and columns.stop < shape[1]
    below, above = bright[0].any() and rows.start > 0, bright[-1].any() and rows.stop < shape[0]
    return np.array([left or right, below or above])
