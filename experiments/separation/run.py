"""Two galaxies at separations of 1 to 12 pixels: their fluxes, whether both are found, the odds of two against one.

Run from the repository: python -m experiments.separation.run OUT --blends 240
"""

import dataclasses
import functools
from pathlib import Path
from typing import Annotated

import tyro

from experiments.separation import blends as drawn
from experiments.separation.chunks import run_chunks
from experiments.separation.measure import ASKED, DRAWS, POPULATION, SCATTER, WIDTHS, measure


def main(out: Annotated[Path, tyro.conf.Positional], /, blends: int = 240, fits_only: bool = False) -> None:
    """Write OUT; a second call goes on where the first was ended.

    Parameters
    ----------
    out
        Folder, outside the repository.
    blends
        At least so many, in whole chunks of one for each separation and brightness.
    fits_only
        Fluxes at the optimum alone, of many pairs in little time: no draws, no detection, no odds.
    """
    record = {
        "seed": drawn.SEED,
        "survey": [drawn.SURVEY, drawn.BAND, drawn.SIDE, drawn.survey().codex_version],
        "galaxies": [drawn.FLUXES, drawn.MAJOR_AXES, drawn.AXIS_RATIO],
        "separations": drawn.SEPARATIONS,
        "odds": [WIDTHS, SCATTER, ASKED],
        "draws": DRAWS,
        "population": dataclasses.asdict(POPULATION),
    }
    if fits_only:
        record["fits_only"] = True
    run_chunks(functools.partial(measure, fits_only=fits_only), out, blends, size=drawn.CASES, record=record)


if __name__ == "__main__":
    tyro.cli(main)
