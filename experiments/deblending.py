"""Several deblenders on the same simulated blends, a chunk at a time; what has been written is not done again.

A folder holds one run: ``OUT/<method>/<chunk>.parquet`` has the sources of an evaluation and
``<chunk>_detections.parquet`` its detections. Methods of another environment are added by the same command run there:
blends follow from their numbers, and a digest of the pixels tells whether they do.
"""

import dataclasses
import hashlib
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

import jaxblend as jb
from experiments.record import check_record
from jaxblend.compare import Deblended, Deblender
from jaxblend.io.atomic import atomic_path
from jaxblend.io.tables import write_table
from jaxblend.simulation.blend import Blend

BATCH = 1  # blends in one call of a program: a CPU has nothing to gain from more, and the rest would be padding
SKIPPED = "skipped.txt"
Method = Callable[[Sequence[Blend]], Sequence[Any]]


@dataclasses.dataclass(frozen=True)
class Task:
    """What is done with every blend.

    Attributes
    ----------
    draw : function
        From the number of a blend to a `Blend`.
    methods : dict of functions
        By name; each from a list of blends to a list of results that `jb.evaluate` takes.
    evaluation : dict
        Options of `jb.evaluate`.
    size : int
        Blends in a chunk.
    record : dict
        All that blends and results depend on.
    more : function, optional
        Further columns of the sources, from the evaluation, the results and the blends of a chunk.
    """

    draw: Callable[[int], Blend]
    methods: dict[str, Method]
    evaluation: dict
    size: int
    record: dict
    more: Callable[[jb.Evaluation, Sequence, Sequence[Blend]], dict[str, np.ndarray]] | None = None


def each(deblender: Deblender, *, given: bool = False) -> Method:
    """Blend after blend by a deblender of `jaxblend.compare`, which is given the seeds of the blends or nothing."""

    def separate(blends: Sequence[Blend]) -> list[Deblended]:
        return [deblender(blend.observation, blend.seeds if given else None) for blend in blends]

    return separate


def fitted(**options: Any) -> Method:
    """All blends by `jb.fit_batch` with these options, from their seeds."""

    def separate(blends: Sequence[Blend]) -> list[jb.Fit]:
        return jb.fit_batch([b.observation for b in blends], [b.seeds for b in blends], batch_size=BATCH, **options)

    return separate


def run_chunks(task: Task, out: Path, blends: int) -> None:
    """Write the tables of at least so many blends, in whole chunks.

    A method whose package or program is missing is left out; ``OUT/<method>/skipped.txt`` says why.

    Raises
    ------
    ValueError
        If the folder holds another run, or other blends have come of the same numbers.
    """
    check_record({"size": task.size, **task.record}, out)
    methods = list(task.methods)
    for chunk in range(-(-blends // task.size)):
        wanted = [name for name in methods if not _path(out, name, chunk).exists()]
        if wanted:
            drawn = [task.draw(i) for i in range(chunk * task.size, (chunk + 1) * task.size)]
            _check_pixels(drawn, out / "blends" / f"{chunk:04d}.sha256")
        for name in wanted:
            if not _run_method(task, name, chunk, drawn, out):
                methods.remove(name)


def _run_method(task: Task, name: str, chunk: int, blends: Sequence[Blend], out: Path) -> bool:
    """Whether there was what the method needs."""
    begin, skipped = time.perf_counter(), out / name / SKIPPED
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", jb.JaxblendWarning)
            results = task.methods[name](blends)
    except (ImportError, FileNotFoundError) as error:
        print(f"{name} is left out: {error}", flush=True)
        skipped.parent.mkdir(parents=True, exist_ok=True)
        skipped.write_text(f"{error}\n")
        return False
    skipped.unlink(missing_ok=True)
    seconds = (time.perf_counter() - begin) / len(blends)
    evaluation = jb.evaluate(results, blends, **task.evaluation)
    sources, detections = evaluation.sources, evaluation.detections
    detections["flags"] = _flags(results, detections)
    for column, values in (task.more(evaluation, results, blends) if task.more else {}).items():
        sources[column] = values
    sources["seconds"] = np.full(len(sources), seconds)
    for table in (detections, sources):  # the sources last: they say that a chunk is done
        table["blend"] = np.asarray(table["blend"]) + chunk * task.size
        write_table(table, _path(out, name, chunk, "_detections" if table is detections else ""))
    print(f"chunk {chunk}, {name}: {seconds:.2f} s per blend; {evaluation}", flush=True)
    return True


def _flags(results: Sequence[Any], detections: Table) -> np.ndarray:
    """Bits that each detection has from its method, which are the method's own; 0 where it sets none."""
    catalogs = [getattr(result, "catalog", None) for result in results]
    rows = [catalogs[blend][row] for blend, row in zip(detections["blend"], detections["row"], strict=True)]
    return np.array([int(row["flags"]) if "flags" in row.colnames else 0 for row in rows], int)


def _path(out: Path, name: str, chunk: int, what: str = "") -> Path:
    return out / name / f"{chunk:04d}{what}.parquet"


def _check_pixels(blends: Sequence[Blend], path: Path) -> None:
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(b.observation.image).tobytes() for b in blends)).hexdigest()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(digest + "\n")
    elif path.read_text().strip() != digest:
        raise ValueError(
            f"the blends that {path} tells of had other pixels: use the numpy and GalSim that drew them, "
            "or another folder"
        )
