"""Blends of any size, sorted into buckets of one shape and solved a chunk at a time, by whatever program."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import equinox as eqx

from jaxblend.errors import JaxblendWarning
from jaxblend.fitting.bands import Bands
from jaxblend.fitting.failed import failed_fit
from jaxblend.fitting.prepare import Item
from jaxblend.fitting.result import Fit
from jaxblend.fitting.solve import shape_key
from jaxblend.fitting.threads import threads
from jaxblend.forward.galaxies import AbstractGalaxy, BulgeDisk
from jaxblend.forward.observation import Observation
from jaxblend.infer.map import MapResult
from jaxblend.infer.summary import Summary
from jaxblend.priors.wavelengths import filter_name

__all__ = ["Program", "in_buckets", "reference_band"]


@dataclasses.dataclass(frozen=True)
class Program:
    """What is done with every blend.

    Attributes
    ----------
    prepare
        ``prepare(observations, positions, model=, stars=)`` is a padded blend; a ValueError says what is wrong with it.
    solve
        From such blends of one shape, and the index of the band of reference, to what becomes of each.
    options
        Of `failed_fit`.
    """

    prepare: Callable[..., eqx.Module]
    solve: Callable[[Sequence[Any], int], Sequence[tuple[Item, MapResult, Summary]]]
    options: dict[str, Any]


def in_buckets(
    program: Program,
    observations: Iterable,
    positions: Iterable,
    *,
    model: AbstractGalaxy | Iterable | None,
    stars: Iterable | None,
    batch_size: int,
    keep_observations: bool,
    on_error: str,
    progress: bool,
) -> list[Fit]:
    """A `Fit` of each blend; arguments as for `fit_batch`."""
    if on_error not in ("flag", "raise"):
        raise ValueError(f'on_error must be "flag" or "raise", got {on_error!r}')
    found: dict[int, Fit] = {}
    waiting: dict = defaultdict(list)
    pending: list[Future] = []
    flagged: list[str] = []
    workers = threads()
    with ThreadPoolExecutor(workers) as pool, _progress_bar(progress, observations) as advance:

        def collect(most: int):
            while len(pending) > most:
                for i, result in pending.pop(0).result():
                    found[i] = result
                    advance()

        for i, (each, where, star, models) in enumerate(_paired(observations, positions, stars, model)):
            group = tuple(each) if isinstance(each, (tuple, list)) else (each,)
            try:
                item = program.prepare(group, where, model=models, stars=star)
            except ValueError as error:
                message = f"blend {i}: {error}"
                if on_error == "raise" or not group or not all(isinstance(o, Observation) for o in group):
                    raise ValueError(message) from None
                options = _of_one_model(models, program.options)
                found[i] = failed_fit(group, where, message, reference_band(group), **options)
                flagged.append(message)
                advance()
                continue
            key = (shape_key(item), reference_band(group))
            waiting[key].append((i, item, group))
            if len(waiting[key]) == batch_size:
                pending.append(pool.submit(_run, program, waiting.pop(key), key[1], batch_size, keep_observations))
                collect(2 * workers)
        for key, entries in waiting.items():
            pending.append(pool.submit(_run, program, entries, key[1], batch_size, keep_observations))
        collect(0)
    for message in flagged:  # while threads work, a warning may be lost among those that they silence
        warnings.warn(f"{message}; it is flagged and the rest go on", JaxblendWarning, stacklevel=3)
    return [found[i] for i in range(len(found))]


def _run(program: Program, entries, reference: int, batch_size: int, keep: bool) -> list[tuple[int, Fit]]:
    """One call; a chunk that is not full is filled up with its first blend, so that it is the same program."""
    items = [item for _, item, _ in entries]
    full = items if len(items) == 1 else items + items[:1] * (batch_size - len(items))
    results = program.solve(full, reference)[: len(items)]
    return [
        (i, Fit.of(group, item, result, summary, reference=reference, keep=keep))
        for (i, _, group), (item, result, summary) in zip(entries, results, strict=True)
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
