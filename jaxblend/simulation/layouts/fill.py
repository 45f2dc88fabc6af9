"""Placing sources one after the other until there are enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxblend.simulation.candidates import Candidates
    from jaxblend.simulation.sources import SkySources

__all__ = ["MAX_TRIES", "fill", "in_square"]

MAX_TRIES = 2000
TRIES_PER_SOURCE = 20


def fill(
    candidates: Candidates,
    rng: np.random.Generator,
    count: int,
    draw_offset: Callable[[np.random.Generator], np.ndarray],
    *,
    where: str,
    advice: str,
    beside: Sequence[np.ndarray] = (),
) -> tuple[SkySources, np.ndarray]:
    """Draw sources and places at random, and keep those that pass the selection, until there are `count`.

    Parameters
    ----------
    candidates : Candidates
        None is taken twice before all were tried.
    rng : numpy.random.Generator
        Source of randomness.
    count : int
        How many.
    draw_offset : callable
        Draws a place, (2,) arcsec.
    where, advice : str
        Where the places are and what else a user can do, for the message of the error.
    beside : sequence of (2,) array
        Places of other sources, from which the minimum separation holds, too.

    Returns
    -------
    SkySources, (count, 2) array
        The sources and their places.

    Raises
    ------
    ValueError
        If too few pass.
    """
    rows: list[int] = []
    offsets: list[np.ndarray] = []
    tries = max(MAX_TRIES, TRIES_PER_SOURCE * count)
    for row in islice(candidates.shuffled(rng), tries if count else 0):
        offset = draw_offset(rng)
        if not candidates.accept(candidates.sources.take(slice(row, row + 1)), offset, [*beside, *offsets]):
            continue
        rows.append(row)
        offsets.append(offset)
        if len(rows) == count:
            break
    if len(rows) < count:
        raise ValueError(
            f"Only {len(rows)} of {count} sources passed {candidates.selection} {where} in {tries} tries: "
            f"relax the selection, {advice}."
        )
    return candidates.sources.take(np.array(rows, int)), np.array(offsets).reshape(count, 2)


def in_square(half_side: float | int) -> Callable[[np.random.Generator], np.ndarray]:
    """Make a function that draws places (2,), uniform in a square about the stamp centre, arcsec along x and y."""
    return lambda rng: rng.uniform(-half_side, half_side, 2)
