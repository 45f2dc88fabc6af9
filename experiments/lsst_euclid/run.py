"""The same blends fitted in LSST alone and in LSST and Euclid together, from three kinds of centres.

Run from the repository: python -m experiments.lsst_euclid.run OUT --blends 200
"""

from pathlib import Path
from typing import Annotated

import tyro

from experiments.lsst_euclid import blends as drawn
from experiments.lsst_euclid.measure import DATA, POSITION_SCATTER, measure
from experiments.separation.chunks import run_chunks

CHUNK = 8  # blends


def main(out: Annotated[Path, tyro.conf.Positional], /, blends: int = 200) -> None:
    """Write OUT; a second call goes on where the first was ended.

    Parameters
    ----------
    out
        Folder, outside the repository.
    blends
        At least so many, in whole chunks.
    """
    here = drawn.surveys()
    record = {
        "seed": drawn.SEED,
        "surveys": {survey.name: survey.bands for survey in here} | {"surveycodex": here[0].codex_version},
        "layout": repr(drawn.LAYOUT),
        "selection": repr(drawn.SELECTION),
        "stamp": [drawn.SIDE, drawn.POOL, drawn.NOISE, drawn.VARIANCE],
        "data": DATA,
        "position_scatter": POSITION_SCATTER,
    }
    run_chunks(measure, out, blends, size=CHUNK, record=record)


if __name__ == "__main__":
    tyro.cli(main)
