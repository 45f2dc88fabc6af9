"""Deblenders on the same small galaxies in Euclid's visible band.

Run from the repository: python -m experiments.euclid.run OUT --blends 1000
"""

import dataclasses
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

import jaxblend as jb
from experiments.deblending import Method, Task, each, fitted, run_chunks
from experiments.euclid import blends as drawn
from jaxblend.compare import SEP, Jaxblend, SExtractor

CHUNK = 100  # blends
# As wide as the set, which a network that was trained on it knows, too.
OF_THE_SET = jb.Population(
    magnitude=24.0,
    magnitude_scatter=0.6,
    unknown_colour_scatter=0.1,
    log_radius=float(np.log(0.18)),
    log_radius_slope=0.0,
    log_radius_scatter=0.5,
    bulge_logit=0.0,
    bulge_logit_scatter=1.8,
    log_ratio=float(np.log(0.02 / 0.18)),
    log_ratio_scatter=0.6,
)
METHODS: dict[str, Method] = {
    "jaxblend, given centres": fitted(),
    "jaxblend, given centres, prior of the set": fitted(population=OF_THE_SET),
    "jaxblend": each(Jaxblend()),
    "sep": each(SEP()),
    "sextractor": each(SExtractor()),
}


def task_of(methods: tuple[str, ...], size: int) -> Task:
    """Everybody sees the same pixels and weights."""
    ranges = {
        name: getattr(drawn, name)
        for name in (
            "MAGNITUDES",
            "BULGE_RADII",
            "DISK_RADII",
            "BULGE_FRACTIONS",
            "AXIS_RATIOS",
            "NEIGHBOURS",
            "DISTANCES",
        )
    }
    record = {
        "seed": drawn.SEED,
        "survey": [drawn.SURVEY, drawn.SIDE],
        "noise": [drawn.NOISE, drawn.VARIANCE],
        "ranges": ranges,
        "decentring": drawn.DECENTRING,
        "matched_within": drawn.MATCHED_WITHIN,
        "prior of the set": dataclasses.asdict(OF_THE_SET),
    }
    return Task(
        draw=drawn.draw_blend,
        methods={name: METHODS[name] for name in methods},
        evaluation={"band": drawn.BAND, "max_separation": drawn.MATCHED_WITHIN},
        size=size,
        record=record,
        more=drawn.counts,
    )


def main(
    out: Annotated[Path, tyro.conf.Positional],
    /,
    blends: int = 1000,
    methods: tuple[str, ...] = tuple(METHODS),
    chunk: int = CHUNK,
) -> None:
    """Write OUT; a second call goes on where the first was ended.

    Parameters
    ----------
    out
        Folder, outside the repository.
    blends
        At least so many, in whole chunks; half of them are single galaxies.
    methods
        Names of METHODS; all by default.
    chunk
        Blends between two writings.
    """
    run_chunks(task_of(methods, chunk), out, blends)


if __name__ == "__main__":
    tyro.cli(main)
