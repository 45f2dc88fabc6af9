"""Deblenders on the same pairs of galaxies.

Run from the repository: python -m experiments.pairs.run OUT --blends 400
"""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from experiments.deblending import Method, Task, each, fitted, run_chunks
from experiments.pairs import blends as drawn
from jaxblend.compare import SEP, Jaxblend, SExtractor

CHUNK = 40  # blends
METHODS: dict[str, Method] = {
    "jaxblend, given centres": fitted(),
    "jaxblend": each(Jaxblend()),
    "sep": each(SEP()),
    "sextractor": each(SExtractor()),
}


def task_of(methods: tuple[str, ...], size: int) -> Task:
    """Everybody sees the same pixels and weights."""
    record = {
        "seed": drawn.SEED,
        "survey": [drawn.SURVEY, drawn.SIDE],
        "noise": [drawn.NOISE, drawn.VARIANCE],
        "pair": dataclasses.asdict(drawn.PAIR),
        "selection": dataclasses.asdict(drawn.SELECTION),
        "population": [drawn.POOL, drawn.FAINTEST],
        "decentring": drawn.DECENTRING,
        "matched_within": drawn.MATCHED_WITHIN,
    }
    return Task(
        draw=drawn.draw_blend,
        methods={name: METHODS[name] for name in methods},
        evaluation={"band": drawn.BAND, "max_separation": drawn.MATCHED_WITHIN},
        size=size,
        record=record,
    )


def main(
    out: Annotated[Path, tyro.conf.Positional],
    /,
    blends: int = 400,
    methods: tuple[str, ...] = tuple(METHODS),
    chunk: int = CHUNK,
) -> None:
    """Write OUT; a second call goes on where the first was ended.

    Parameters
    ----------
    out
        Folder, outside the repository.
    blends
        At least so many, in whole chunks.
    methods
        Names of METHODS; all by default.
    chunk
        Blends between two writings.
    """
    run_chunks(task_of(methods, chunk), out, blends)


if __name__ == "__main__":
    tyro.cli(main)
