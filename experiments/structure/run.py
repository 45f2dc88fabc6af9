"""Galaxies with structure, smooth ones and real ones, deblended with a learned model and with analytic ones.

Run from the repository: python -m experiments.structure.run OUT --cosmos ../shared/data/cosmos
and, where scarlet2 is installed, the same command with --methods scarlet2 --blends 6
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

import jaxblend as jb
from experiments.deblending import Method, Task, each, fitted, run_chunks
from experiments.record import check_record, digest
from experiments.structure import blends as drawn
from experiments.structure import galaxies
from jaxblend.compare import Scarlet2
from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.simulation.blend import Blend

MATCHED_WITHIN = drawn.NEAREST  # arcsec: centres are given, and which galaxy is which is never in doubt
NEURAL, EVIDENCE, SCARLET2 = "neural", "evidence", "scarlet2"
METHODS = ("bulge_disk", "sersic", NEURAL, EVIDENCE, SCARLET2)


def model_of(name: str, weights: str) -> AbstractGalaxy:
    """What is fitted."""
    return {"bulge_disk": jb.BulgeDisk, "sersic": jb.Sersic, NEURAL: lambda: jb.NeuralGalaxy.load(weights)}[name]()


def method_of(name: str, weights: str) -> Method:
    """All are given the same centres, off by up to half a pixel; scarlet2 leaves its sources there."""
    if name == SCARLET2:
        return each(Scarlet2(), given=True)
    if name == EVIDENCE:
        return by_evidence([model_of("bulge_disk", weights), model_of(NEURAL, weights)])
    return fitted(model=model_of(name, weights))


def by_evidence(models: Sequence[AbstractGalaxy]) -> Method:
    """Of each blend the fit with the model that has the larger Laplace evidence."""

    def separate(blends: Sequence[Blend]) -> list[jb.Fit]:
        fits = [fitted(model=model)(blends) for model in models]
        return [max(rivals, key=lambda fit: fit.log_evidence) for rivals in zip(*fits, strict=True)]

    return separate


def task_of(kind: str, survey: str, methods: dict[str, Method], cosmos: str | None) -> Task:
    """One set of galaxies in one survey."""
    record = {
        "seed": [galaxies.SEED, galaxies.HELD_OUT],
        "set": kind,
        "survey": [survey, galaxies.BANDS, drawn.PSF, drawn.SIDE, galaxies.survey_of(survey).codex_version],
        "galaxies": [galaxies.RADII, galaxies.MAGNITUDES, galaxies.DIFFERENCE, galaxies.FAINTEST],
        "blends": [drawn.COUNTS, drawn.SNRS, drawn.DISTANCES, drawn.NEAREST],
        "matched_within": MATCHED_WITHIN,
    }
    return Task(
        draw=functools.partial(drawn.draw_blend, kind=kind, survey=survey, cosmos=cosmos),
        methods=methods,
        evaluation={"band": galaxies.BAND, "max_separation": MATCHED_WITHIN},
        size=drawn.CASES,
        record=record,
        more=about,
    )


def about(evaluation: jb.Evaluation, results: Sequence, blends: Sequence[Blend]) -> dict[str, np.ndarray]:
    """What blend and galaxy are; real galaxies come again, and ``galaxy`` is their row."""
    snr = [np.full(len(blend.truth), blend.truth.meta["central_snr"]) for blend in blends]
    columns = {"central_snr": np.concatenate(snr)}
    for name, column in (("structure", "structure"), ("galaxy", "catalog_row")):
        columns[name] = np.concatenate([np.asarray(blend.truth[column]) for blend in blends])
    return columns


def main(
    out: Annotated[Path, tyro.conf.Positional],
    /,
    blends: int = 18,
    weights: str = "default",
    methods: tuple[str, ...] = METHODS[:4],
    cosmos: Path | None = None,
) -> None:
    """Write OUT; a second call goes on where the first was ended.

    Parameters
    ----------
    out
        Folder, outside the repository.
    blends
        Of each set in each survey, at least so many, in whole chunks of one for each S/N and number of galaxies.
    weights
        Of the neural model: what `jb.NeuralGalaxy.load` takes.
    methods
        Names of METHODS; by default all but scarlet2, which compiles anew for every blend.
    cosmos
        Folder of GalSim's COSMOS sample; without it the set of real galaxies is left out.
    """
    each_method = {name: method_of(name, weights) for name in methods}
    learned = {NEURAL, EVIDENCE} & set(methods)
    record = {"weights": digest(model_of(NEURAL, weights))} if learned else {}
    for kind in galaxies.SETS if cosmos else galaxies.SETS[:2]:
        for survey in galaxies.SURVEYS:
            folder = out / f"{kind}_{survey}"
            for name in learned:
                check_record(record, folder / name)
            print(f"{kind}, {survey}", flush=True)
            run_chunks(task_of(kind, survey, each_method, cosmos and str(cosmos)), folder, blends)


if __name__ == "__main__":
    tyro.cli(main)
