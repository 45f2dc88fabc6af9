"""Sample the posteriors of blends drawn from the prior, and keep where the truth falls among the draws.

Run from the repository: python -m experiments.calibration.run OUT --blends 500 --noise white
"""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from experiments.calibration import blends as drawn
from experiments.calibration.chunks import Task, run_chunks
from experiments.calibration.noise import correlated, white

CHUNK = 24  # blends, as many of each number of sources
METHODS = ("laplace", "svi", "importance", "auto", "nuts")
CORRELATIONS = {"white": white, "correlated": correlated}


def task_of(noise: str, methods: tuple[str, ...], likelihoods: tuple[str, ...]) -> Task:
    """Blends in noise of that name, with each of those likelihoods."""
    correlation = CORRELATIONS[noise]()
    per_band = correlation[None].repeat(len(drawn.BANDS), 0)
    known = {
        "white": lambda observation: observation,
        "correlated": lambda observation: observation.replace(noise_correlation=per_band),
    }
    record = {
        "noise": noise,
        "blend_seed": drawn.SEED,
        "survey": [drawn.SURVEY, drawn.BANDS, drawn.PSF, drawn.SIDE],
        "sources": [drawn.COUNTS, drawn.SPREAD, drawn.NEAREST, drawn.POSITION_SCATTER],
        "population": dataclasses.asdict(drawn.POPULATION),
        "correlation": correlation,
    }
    return Task(
        draw=lambda i: drawn.draw_blend(i, correlation),
        likelihoods={name: known[name] for name in likelihoods},
        methods=methods,
        fit_options=drawn.FIT_OPTIONS,
        seed=drawn.SEED,
        size=CHUNK,
        record=record,
    )


def main(
    out: Annotated[Path, tyro.conf.Positional],
    /,
    blends: int = 500,
    noise: Literal["white", "correlated"] = "white",
    methods: tuple[str, ...] = METHODS,
    likelihoods: tuple[Literal["white", "correlated"], ...] = (),
) -> None:
    """Write OUT/<noise>; a second call goes on where the first was ended.

    Parameters
    ----------
    out
        Folder, outside the repository.
    blends
        At least so many, in whole chunks.
    noise
        Of the pixels.
    methods
        Of jb.sample.
    likelihoods
        Which noise the fits assume; by default that of the pixels.
    """
    run_chunks(task_of(noise, methods, likelihoods or (noise,)), out / noise, blends)


if __name__ == "__main__":
    tyro.cli(main)
