"""Tables of numbered chunks in a folder; what has been written is not done again."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from astropy.table import Table, vstack

from experiments.record import check_record
from jaxblend.io.tables import read_table, write_table


def run_chunks(measure: Callable[[Sequence[int]], Table], out: Path, blends: int, *, size: int, record: dict) -> None:
    """Write ``out/<chunk>.parquet``, the table of ``size`` blends each, for at least so many blends.

    Parameters
    ----------
    measure
        From numbers of blends to a table.
    out
        Folder, which holds one run.
    blends
        Rounded up to whole chunks.
    size
        Blends in a chunk.
    record
        All that the tables depend on.

    Raises
    ------
    ValueError
        If the folder holds another run.
    """
    check_record({"size": size, **record}, out)
    for chunk in range(-(-blends // size)):
        path, begin = out / f"{chunk:04d}.parquet", time.perf_counter()
        if not path.exists():
            write_table(measure(range(chunk * size, (chunk + 1) * size)), path)
            print(f"chunk {chunk}: {(time.perf_counter() - begin) / size:.2f} s per blend", flush=True)


def read_chunks(out: Path) -> Table:
    """All that `run_chunks` wrote.

    Raises
    ------
    ValueError
        If there is nothing.
    """
    parts = [Table(read_table(path)) for path in sorted(out.glob("[0-9]*.parquet"))]
    if not parts:
        raise ValueError(f"{out} has no results: run this experiment's run.py with that folder first")
    return vstack(parts, metadata_conflicts="silent")
