"""Deblenders on the same cores of clusters of galaxies.

Run from the repository: python -m experiments.cluster.run OUT --blends 16
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

import jaxblend as jb
from experiments.cluster import fields as drawn
from experiments.deblending import Method, Task, each, run_chunks
from jaxblend.compare import SEP, Jaxblend, Peaks, PhotutilsSegmentation, SExtractor
from jaxblend.simulation.blend import Blend

CHUNK = 4  # fields
POSITION_SCATTER = 0.02  # arcsec, a tenth of a pixel: the true positions are given


def at_true_centres(blends: Sequence[Blend]) -> list[jb.Fit]:
    """All sources of a field in one fit."""
    return [jb.fit(blend.observation, blend.positions, position_scatter=POSITION_SCATTER) for blend in blends]


METHODS: dict[str, Method] = {
    "jaxblend, true centres": at_true_centres,
    "jaxblend": each(Jaxblend()),
    "sep": each(SEP()),
    "sextractor": each(SExtractor()),
    "photutils": each(PhotutilsSegmentation()),
    "peaks": each(Peaks()),
}


def task_of(methods: tuple[str, ...], size: int) -> Task:
    """Everybody sees the same pixels, weights and gain; those without given centres find their own."""
    record = {
        "seed": drawn.SEED,
        "survey": [drawn.SURVEY, drawn.BANDS, drawn.PSF, drawn.SIDE],
        "noise": [drawn.NOISE, drawn.VARIANCE, drawn.GAIN],
        "layouts": {name: repr(layout) for name, layout in drawn.LAYOUTS.items()},
        "selection": dataclasses.asdict(drawn.SELECTION),
        "central": [drawn.CENTRAL_MAGNITUDE, drawn.CENTRAL_RADIUS],
        "position_scatter": POSITION_SCATTER,
    }
    return Task(
        draw=drawn.draw_field,
        methods={name: METHODS[name] for name in methods},
        evaluation={"band": drawn.BAND},
        size=size,
        record=record,
        more=drawn.memberships,
    )


def main(
    out: Annotated[Path, tyro.conf.Positional],
    /,
    blends: int = 16,
    methods: tuple[str, ...] = tuple(METHODS),
    chunk: int = CHUNK,
) -> None:
    """Write OUT; a second call goes on where the first was ended.

    Parameters
    ----------
    out
        Folder, outside the repository.
    blends
        At least so many fields, in whole chunks.
    methods
        Names of METHODS.
    chunk
        Fields between two writings.
    """
    run_chunks(task_of(methods, chunk), out, blends)


if __name__ == "__main__":
    tyro.cli(main)
