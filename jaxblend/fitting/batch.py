"""Thousands of blends of any size: padded, sorted into buckets of one shape, fitted a chunk at a time."""

from __future__ import annotations

import itertools
import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from jaxblend.errors import JaxblendWarning
from jaxblend.fitting.bands import Bands
from jaxblend.fitting.failed import failed_fit
from jaxblend.fitting.photons import with_root_weights
from jaxblend.fitting.prepare import prepare
from jaxblend.fitting.result import Fit
from jaxblend.fitting.solve import shape_key, solve
from jaxblend.forward.galaxies import AbstractGalaxy, BulgeDisk
from jaxblend.forward.observation import Observation
from jaxblend.priors import Population, Prior
from jaxblend.priors.wavelengths import filter_name

__all__ = ["fit_batch", "reference_band"]


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
    if on_error not in ("flag", "raise"):
        raise ValueError(f'on_error must be "flag" or "raise", got {on_error!r}')
    options = {"prior": prior, "population": population, "position_scatter": position_scatter}
    found: dict[int, Fit] = {}
    waiting: dict = defaultdict(list)
    pending: list[Future] = []
    workers = max(1, min(os.cpu_count() or 1, 4))

    with ThreadPoolExecutor(workers) as pool, _progress_bar(progress, observations) as advance:

        def collect(most: int):
            while len(pending) > most:
                for i, result in pending.pop(0).result():
                    found[i] = result
                    advance()

        for i, (each, where, star, models) in enumerate(_paired(observations, positions, stars, model)):
            group = tuple(each) if isinstance(each, (tuple, list)) else (each,)
            try:
                item = prepare(group, where, model=models, stars=star, **options)
            except ValueError as error:
                message = f"blend {i}: {error}"
                if on_error == "raise" or not group or not all(isinstance(o, Observation) for o in group):
                    raise ValueError(message) from None
                found[i] = failed_fit(group, where, message, reference_band(group), **_of_one_model(models, options))
                warnings.warn(f"{message}; it is flagged and the rest go on", JaxblendWarning, stacklevel=2)
                advance()
                continue
            key = (shape_key(item), reference_band(group))
            waiting[key].append((i, item, group))
            if len(waiting[key]) == batch_size:
                pending.append(pool.submit(_run, waiting.pop(key), key[1], batch_size, keep_observations))
                collect(2 * workers)
        for key, entries in waiting.items():
            pending.append(pool.submit(_run, entries, key[1], batch_size, keep_observations))
        collect(0)
    return [found[i] for i in range(len(found))]


def _run(entries, reference, batch_size, keep) -> list[tuple[int, Fit]]:
    """One call; a chunk that is not full is filled up with its first blend, so that it is the same program."""
    items = [item for _, item, _ in entries]
    full = items if len(items) == 1 else items + items[:1] * (batch_size - len(items))
    results = solve(full, reference)[: len(items)]
    return [
        (i, Fit.of(group, with_root_weights(item, roots), result, summary, reference=reference, keep=keep))
        for (i, item, group), (result, summary, roots) in zip(entries, results, strict=True)
    ]


def reference_band(observations: tuple[Observation, ...]) -> int:
    """Index of the band named r, else i, else the middle one, over all observations."""
    names = [filter_name(b) for b in Bands.among(observations).names]
    return next((names.index(b) for b in ("r", "i", "vis") if b in names), len(names) // 2)


def _of_one_model(models, options) -> dict:
    """Options of a failed blend, whose list of models may be what is wrong with it; all give the same columns."""
    if not isinstance(models, (list, tuple)):
        return {"model": models, **options}
    first = next((model for model in models if isinstance(model, AbstractGalaxy)), BulgeDisk())
    return {"model": first, **options, "prior": None}


def _paired(observations, positions, stars, model) -> Iterator:
    """What belongs to each blend."""
    given = {"observations": observations, "positions": positions}
    given |= {} if stars is None else {"stars": stars}
    if not isinstance(model, (AbstractGalaxy, type, type(None))):
        given["model"] = model
    for name, values in given.items():
        if not isinstance(values, Iterable) or isinstance(values, str):
            raise ValueError(f"{name} must have an entry for each blend, got {values!r}")
    ended = object()
    for i, entries in enumerate(itertools.zip_longest(*given.values(), fillvalue=ended)):
        entry = dict(zip(given, entries, strict=True))
        if short := [name for name in entry if entry[name] is ended]:
            longer = next(name for name in entry if entry[name] is not ended)
            raise ValueError(f"{longer} and {short[0]} differ in number: {short[0]} has entries for {i} blends only")
        own = entry.get("model", model)
        yield entry["observations"], entry["positions"], entry.get("stars"), BulgeDisk() if own is None else own


@contextmanager
def _progress_bar(show, observations):
    if not show:
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        total = len(observations) if hasattr(observations, "__len__") else None
        task = bar.add_task("fitting blends", total=total)
        yield lambda: bar.advance(task)
