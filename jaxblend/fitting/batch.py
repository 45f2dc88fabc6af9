"""Thousands of blends of any size: padded, sorted into buckets of one shape, fitted a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from jaxblend.fitting.buckets import Program, in_buckets
from jaxblend.fitting.photons import with_root_weights
from jaxblend.fitting.prepare import Item, prepare
from jaxblend.fitting.result import Fit
from jaxblend.fitting.solve import solve
from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.infer.map import MapResult
from jaxblend.infer.summary import Summary
from jaxblend.priors import Population, Prior

__all__ = ["fit_batch"]


def fit_batch(
    observations: Iterable,
    positions: Iterable,
    *,
    model: AbstractGalaxy | Iterable | None = None,
    stars: Iterable | None = None,
    prior: Prior | None = None,
    population: Population | None = None,
    position_scatter: float | None = None,
    batch_size: int = 16,
    keep_observations: bool = True,
    on_error: str = "flag",
    progress: bool = False,
) -> list[Fit]:
    """Fit many blends; the result of each is the same as from ``fit`` on its own.

    Parameters
    ----------
    observations
        An ``Observation`` per blend, or a tuple of them for a joint fit. May be a generator: it is read as needed.
    positions
        (n, 2) per blend, as for ``fit``.
    model
        A galaxy model for all; or an entry for each blend, as for ``fit``: a model, or a list with one for each of
        its sources. ``BulgeDisk()`` by default.
    prior, population, position_scatter
        As for ``fit``.
    stars
        None, or n booleans per blend.
    batch_size
        Blends in one call of a compiled program: bounds the memory, does not change a result.
    keep_observations
        False lets the images go once they are fitted, so that memory does not grow with the number of blends;
        ``Fit.images``, ``model`` and ``residual`` are then not to be had.
    on_error
        What to do with a blend whose input is wrong, such as a NaN position: "flag" warns, gives it rows of NaN with
        the flag FAILED and its message in ``context``, and goes on; "raise" raises.
    progress
        Show a progress bar.

    Returns
    -------
    list of Fit
        In the order of the input. A blend that could not be fitted is flagged; the rest go on.

    Raises
    ------
    ValueError
        If an input is wrong for every blend, or with ``on_error="raise"`` for one, naming the blend; if one input has
        fewer entries than another.
    """
    options = {"prior": prior, "population": population, "position_scatter": position_scatter}
    return in_buckets(
        Program(partial(prepare, **options), _solved, options),
        observations,
        positions,
        model=model,
        stars=stars,
        batch_size=batch_size,
        keep_observations=keep_observations,
        on_error=on_error,
        progress=progress,
    )


def _solved(items: Sequence[Item], reference: int) -> list[tuple[Item, MapResult, Summary]]:
    """Each item with the weights that it was fitted with, and its fit."""
    return [
        (with_root_weights(item, roots), result, summary)
        for item, (result, summary, roots) in zip(items, solve(items, reference), strict=True)
    ]
