"""Sources of many blends as arrays: rows of one blend, or padded to the fullest of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxblend.metrics.matching import Match, match

__all__ = ["Blends", "Sources", "no_sources", "pad", "pair"]


class Sources(NamedTuple):
    """What is known of n sources, of one blend or of each of a batch; NaN where it is not known.

    Attributes
    ----------
    present
        Whether there is a source. Of a catalogue: whether it gives a place for it.
    position
        Pixel x, y.
    flux
        In each of C bands, in the unit of the truth.
    magnitude
        AB, in the reference band.
    g
        Reduced shear g1, g2.
    radius
        Half-light radius, arcsec.
    star
        1 for a star, 0 for a galaxy.
    snr, blendedness
        As the catalogue has them.
    flagged
        Whether any flag is set.
    """

    present: Bool[Any, "*B n"]
    position: Float[Any, "*B n 2"]
    flux: Float[Any, "*B n C"]
    magnitude: Float[Any, "*B n"]
    g: Float[Any, "*B n 2"]
    radius: Float[Any, "*B n"]
    star: Float[Any, "*B n"]
    snr: Float[Any, "*B n"]
    blendedness: Float[Any, "*B n"]
    flagged: Bool[Any, "*B n"]


class Blends(NamedTuple):
    """B blends, with M slots for true sources and N for found ones.

    Attributes
    ----------
    truth, found
        The sources, (B, M) and (B, N).
    match
        Who is whose partner; separations in arcsec.
    shear
        (B, 2), that was put on each blend; NaN where it is not known.
    failed
        (B,), whether there is no result.
    """

    truth: Sources
    found: Sources
    match: Match
    shear: Float[Any, "B 2"]
    failed: Bool[Any, " B"]


def no_sources(n_bands: int) -> Sources:
    """Nothing."""
    none, vectors = np.zeros(0), np.zeros((0, 2))
    nobody = np.zeros(0, bool)
    return Sources(nobody, vectors, np.zeros((0, n_bands)), none, vectors, none, none, none, none, nobody)


def pair(
    truths: Sequence[Sources],
    founds: Sequence[Sources],
    *,
    pixel_scales: Float[Any, " B"],
    max_separation: float,
    shear: Float[Any, "B 2"],
    failed: Bool[Any, " B"],
) -> Blends:
    """Pad the blends and find out who is who; separations in arcsec, as are pixel scales over pixels."""
    truth, found = (Sources(*map(pad, zip(*each, strict=True))) for each in (truths, founds))
    scale = pixel_scales[:, None, None]
    pairs = match(
        found.position * scale,
        truth.position * scale,
        max_separation=max_separation,
        where=found.present,
        true_where=truth.present,
    )
    return Blends(truth, found, pairs, shear, failed)


def pad(arrays: Sequence[np.ndarray], size: int | None = None) -> np.ndarray:
    """Stack arrays of different length, with at least one row each: NaN or False in rows that are not there."""
    size = max(1, *(len(array) for array in arrays)) if size is None else size
    first = arrays[0]
    fill = np.nan if first.dtype.kind == "f" else 0
    padded = np.full((len(arrays), size, *first.shape[1:]), fill, first.dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded
