"""Draw, fit, sample and score blends a chunk at a time; what has been written is not done again."""

import dataclasses
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from astropy.table import Table, vstack

import jaxblend as jb
from experiments.calibration.scores import closest_pair, score
from experiments.record import check_record
from jaxblend.io.tables import read_table, write_table

BATCH = 8  # blends of one shape that are fitted in one call


@dataclasses.dataclass(frozen=True)
class Task:
    """What is done with every blend.

    Attributes
    ----------
    draw : function
        From the number of a blend to a `TrueBlend`.
    methods : sequence of str
        Of `jb.sample`.
    fit_options : dict
        Of `jb.fit`.
    seed : int
        Of the draws from posteriors.
    size : int
        Blends in a chunk.
    record : dict
        All that blends and posteriors depend on: a folder holds one run.
    likelihoods : dict of functions
        From an observation to that which is fitted, by name; by default as it is.
    """

    draw: Callable
    methods: Sequence[str]
    fit_options: dict
    seed: int
    size: int
    record: dict
    likelihoods: dict[str, Callable] = dataclasses.field(
        default_factory=lambda: {"white": lambda observation: observation}
    )


def run_chunks(task: Task, out: Path, blends: int) -> None:
    """Write ``out/<likelihood>/<method>/<chunk>.parquet`` for at least so many blends, in whole chunks.

    Raises
    ------
    ValueError
        If the folder holds another run.
    """
    check_record({"size": task.size, "seed": task.seed, **task.record}, out)
    for chunk in range(-(-blends // task.size)):
        paths = {
            (name, method): out / name / method / f"{chunk:04d}.parquet"
            for name in task.likelihoods
            for method in task.methods
        }
        missing = {pair: path for pair, path in paths.items() if not path.exists()}
        if missing:
            _run_chunk(task, chunk, missing)


def read_chunks(out: Path) -> dict[str, Table]:
    """All that `run_chunks` wrote of one run, by "<likelihood>/<method>"."""
    found = {}
    for folder in sorted(path for path in out.glob("*/*") if path.is_dir()):
        parts = [Table(read_table(path)) for path in sorted(folder.glob("[0-9]*.parquet"))]
        if parts:
            found[f"{folder.parent.name}/{folder.name}"] = vstack(parts, metadata_conflicts="silent")
    return found


def read_methods(out: Path, command: str) -> dict[str, Table]:
    """All that `run_chunks` wrote of a run with one likelihood, by method.

    Raises
    ------
    ValueError
        If there is nothing; ``command`` is what python -m then has to run.
    """
    groups = {name.partition("/")[2]: found for name, found in read_chunks(out).items()}
    if not groups:
        raise ValueError(f"{out} has no results: run python -m {command} first")
    return groups


def _run_chunk(task: Task, chunk: int, missing: dict[tuple[str, str], Path]) -> None:
    numbers = range(chunk * task.size, (chunk + 1) * task.size)
    begin = time.perf_counter()
    blends = [task.draw(i) for i in numbers]
    print(f"chunk {chunk}: drawn in {time.perf_counter() - begin:.0f} s", flush=True)
    key = jax.random.fold_in(jax.random.key(task.seed), chunk)
    for name in dict.fromkeys(name for name, _ in missing):
        fits = _fits(task, [task.likelihoods[name](b.observation) for b in blends], blends)
        for method in [m for n, m in missing if n == name]:
            begin = time.perf_counter()
            posteriors = _sample(fits, method, key)
            seconds = (time.perf_counter() - begin) / len(fits)
            rows = [
                _rows(i, blend, fit, posterior, seconds, key)
                for i, blend, fit, posterior in zip(numbers, blends, fits, posteriors, strict=True)
            ]
            write_table(vstack(rows, metadata_conflicts="silent"), missing[name, method])
            print(f"  {name} {method}: {seconds:.2f} s per blend", flush=True)


def _fits(task: Task, observations, blends) -> list[jb.Fit]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jb.JaxblendWarning)
        return jb.fit_batch(observations, [b.seeds for b in blends], batch_size=BATCH, **task.fit_options)


def _sample(fits: Sequence[jb.Fit], method: str, key) -> list[jb.Posterior | None]:
    """None where the fit has failed."""
    good = [i for i, fit in enumerate(fits) if fit.outcome is not jb.Outcome.FAILED]
    found = dict(zip(good, jb.sample_batch([fits[i] for i in good], key=key, method=method), strict=True))
    return [found.get(i) for i in range(len(fits))]


def _rows(number: int, blend, fit: jb.Fit, posterior, seconds: float, key) -> Table:
    """What is known of each source before the truth is (the first columns), what is true, and the scores."""
    n, frame = len(blend.seeds), blend.observation.frame
    apart = np.linalg.norm(blend.seeds[:, None] - blend.seeds, axis=-1) * float(frame.pixel_scale)
    known = {
        "blend": np.full(n, number),
        "source": np.arange(n),
        "n_sources": np.full(n, n),
        "snr": np.asarray(fit.summary.snr)[:n],
        "blendedness": np.asarray(fit.summary.blendedness)[:n],
        "separation": (apart + np.where(np.eye(n), np.inf, 0.0)).min(1),
        "flags": np.asarray(fit.flags),
    }
    true = {f"true_{name}": value for name, value in {**blend.about, **blend.truth}.items()}
    pair = closest_pair(blend.seeds)
    scores = score(posterior, blend.truth, pair, key=jax.random.fold_in(key, number))
    return Table({**known, **true, **scores, "seconds": np.full(n, seconds)})
