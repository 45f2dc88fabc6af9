"""Sample the posteriors of galaxies drawn from the learned prior, and keep where the truth falls among the draws.

Run from the repository: python -m experiments.learned_calibration.run OUT
"""

import dataclasses
import functools
from pathlib import Path
from typing import Annotated

import tyro

from experiments.calibration.chunks import Task, run_chunks
from experiments.learned_calibration import blends as drawn
from experiments.record import digest

CHUNK = 16  # blends, as many of each number of galaxies
METHODS = ("laplace", "auto")


def task_of(weights: str, methods: tuple[str, ...]) -> Task:
    """Fitted with the prior that galaxies are drawn from."""
    record = {
        "blend_seed": drawn.SEED,
        "survey": [drawn.SURVEY, drawn.BANDS, drawn.PSF, drawn.SIDE],
        "sources": [drawn.COUNTS, drawn.SPREAD, drawn.NEAREST, drawn.POSITION_SCATTER],
        "population": dataclasses.asdict(drawn.POPULATION),
        "weights": digest(drawn.galaxy(weights)),
    }
    return Task(
        draw=functools.partial(drawn.draw_blend, weights=weights),
        methods=methods,
        fit_options=drawn.fit_options(weights),
        seed=drawn.SEED,
        size=CHUNK,
        record=record,
    )


def main(
    out: Annotated[Path, tyro.conf.Positional],
    /,
    blends: int = 128,
    weights: str = "default",
    methods: tuple[str, ...] = METHODS,
) -> None:
    """Write OUT; a second call goes on where the first was ended.

    Parameters
    ----------
    out
        Folder, outside the repository.
    blends
        At least so many, in whole chunks.
    weights
        What `jb.NeuralGalaxy.load` takes.
    methods
        Of jb.sample.
    """
    run_chunks(task_of(weights, methods), out, blends)


if __name__ == "__main__":
    tyro.cli(main)
