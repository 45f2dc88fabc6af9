"""MADNESS's optimiser on jaxblend's models, and jaxblend on MADNESS's set-up.

Run from the repository: python -m experiments.madness.run OUT
"""

import dataclasses
import functools
from pathlib import Path
from typing import Annotated

import tyro

import jaxblend as jb
from experiments.deblending import run_chunks as run_fields
from experiments.madness import optimisers
from experiments.madness.fields import task_of
from experiments.record import digest
from experiments.separation.chunks import run_chunks
from jaxblend.nets.galaxy import NeuralGalaxy

ANALYTIC, NEURAL = "BulgeDisk", "NeuralGalaxy"
FIELDS, OPTIMISERS = "fields", "optimisers"  # folders of results
FIELDS_OF_CHUNK, BLENDS_OF_CHUNK = 8, 4


def main(
    out: Annotated[Path, tyro.conf.Positional],
    /,
    weights: str = "default",
    blends: int = 12,
    neural_blends: int = 4,
    fields: int = 40,
    neural_fields: int = 8,
    chunk: int = FIELDS_OF_CHUNK,
    blend_chunk: int = BLENDS_OF_CHUNK,
) -> None:
    """Write OUT; a second call goes on where the first was ended.

    Parameters
    ----------
    out
        Folder, outside the repository.
    weights
        Of the neural galaxy: a file, or what `NeuralGalaxy.load` knows by name.
    blends, neural_blends
        At least so many for the optimisers, in whole chunks.
    fields, neural_fields
        At least so many in MADNESS's set-up, in whole chunks.
    chunk, blend_chunk
        Fields, and blends, between two writings.
    """
    models = {ANALYTIC: jb.BulgeDisk(), NEURAL: NeuralGalaxy.load(weights)}
    known = digest(models[NEURAL])
    for name, number in ((ANALYTIC, blends), (NEURAL, neural_blends)):
        record = {**optimisers.RECORD, **({"weights": known} if name == NEURAL else {})}
        measure = functools.partial(optimisers.measure, model=models[name])
        run_chunks(measure, out / OPTIMISERS / name, number, size=blend_chunk, record=record)
    task = task_of(models, chunk, known)
    for name, number in ((ANALYTIC, fields), (NEURAL, neural_fields)):
        methods = {method: way for method, way in task.methods.items() if method.startswith(name)}
        run_fields(dataclasses.replace(task, methods=methods), out / FIELDS, number)


if __name__ == "__main__":
    tyro.cli(main)
