"""Sample the posteriors of blends of real galaxies, and keep where the truth falls among the draws.

Run from the repository: python -m experiments.real_galaxies.run ../shared/data/cosmos OUT
"""

from pathlib import Path
from typing import Annotated

import tyro

from experiments.calibration.chunks import Task, run_chunks
from experiments.real_galaxies import blends as drawn

CHUNK = 24  # blends, as many of each number of sources
METHODS = ("laplace", "importance")


def task_of(cosmos: Path, methods: tuple[str, ...]) -> Task:
    """Fits as by default: a bulge and a disk, the default prior."""
    real = drawn.RealBlends(str(cosmos))
    record = {
        "blend_seed": drawn.SEED,
        "survey": [drawn.SURVEY, drawn.BAND, drawn.PSF, drawn.YEARS, drawn.SIDE],
        "sources": [drawn.COUNTS, drawn.SPREAD, drawn.NEAREST, drawn.POSITION_SCATTER, drawn.FAINTEST],
        "galaxies": real.magnitude[real.used],
    }
    return Task(
        draw=real.draw,
        methods=methods,
        fit_options={"position_scatter": drawn.POSITION_SCATTER},
        seed=drawn.SEED,
        size=CHUNK,
        record=record,
    )


def main(
    cosmos: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    blends: int = 240,
    methods: tuple[str, ...] = METHODS,
) -> None:
    """Write OUT; a second call goes on where the first was ended.

    Parameters
    ----------
    cosmos
        Folder of GalSim's COSMOS sample.
    out
        Folder, outside the repository.
    blends
        At least so many, in whole chunks.
    methods
        Of jb.sample.
    """
    run_chunks(task_of(cosmos, methods), out, blends)


if __name__ == "__main__":
    tyro.cli(main)
