"""Deblenders on the same LSST fields.

Run from the repository: python -m experiments.deblenders.run OUT --blends 200
and, where scarlet2 is installed, the same command with --methods "scarlet2, true centres"
"""

from pathlib import Path
from typing import Annotated

import tyro

from experiments.deblenders import blends as drawn
from experiments.deblending import Method, Task, each, fitted, run_chunks
from jaxblend.compare import SEP, Jaxblend, Peaks, PhotutilsSegmentation, Scarlet2, SExtractor

CHUNK = 8  # blends
POSITION_SCATTER = 0.02  # arcsec, a tenth of a pixel: the true positions are given
METHODS: dict[str, Method] = {
    "jaxblend, true centres": fitted(position_scatter=POSITION_SCATTER),
    "jaxblend": each(Jaxblend()),
    "sep": each(SEP()),
    "sextractor": each(SExtractor()),
    "photutils": each(PhotutilsSegmentation()),
    "peaks": each(Peaks()),
    "scarlet2, true centres": each(Scarlet2(), given=True),
}
DEFAULT = tuple(name for name in METHODS if not name.startswith("scarlet2"))


def task_of(methods: tuple[str, ...], catalog: Path | None, size: int) -> Task:
    """Everybody sees the same pixels and weights; those without given centres find their own."""
    record = {
        **drawn.FIELDS,
        "catalog": "built-in population" if catalog is None else catalog.name,
        "position_scatter": POSITION_SCATTER,
    }
    return Task(
        draw=lambda number: drawn.draw_blend(number, catalog),
        methods={name: METHODS[name] for name in methods},
        evaluation={"band": drawn.BAND},
        size=size,
        record=record,
        more=drawn.distortions,
    )


def main(
    out: Annotated[Path, tyro.conf.Positional],
    /,
    blends: int = 200,
    methods: tuple[str, ...] = DEFAULT,
    catalog: Path | None = None,
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
        Names of METHODS; by default all but scarlet2, which compiles anew for every blend.
    catalog
        CATSIM table to draw from; by default the built-in population.
    chunk
        Blends between two writings.
    """
    run_chunks(task_of(methods, catalog, chunk), out, blends)


if __name__ == "__main__":
    tyro.cli(main)
