"""Tables of what run.py wrote.

Run from the repository: python -m experiments.madness.report OUT
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from astropy.table import Table

from benchmarks.blends import BANDS, N_SOURCES, STAMP
from benchmarks.reporting import provenance, table, write
from experiments.deblenders.report import E1, PRESERVING, PUBLISHED, inside, set_lines
from experiments.deblending_tables import Found, all_numbers, bins_table, cell, common, read_found
from experiments.madness.fields import CENTRES, name_of
from experiments.madness.optimisers import FURTHER, SEARCHES, STEPS
from experiments.madness.run import ANALYTIC, FIELDS, NEURAL, OPTIMISERS
from experiments.separation.chunks import read_chunks
from jaxblend.evaluation.measures import Measure
from jaxblend.io.tables import write_table

HERE = Path(__file__).parent
NEAR = 1.0  # of the objective
COSINE = "cosine_mean"
THEIRS, HONEST = (
    Measure(f"madness_{name}_mean_absolute", f"madness_{name}", "mean_absolute", f"mean of |{text}|")
    for name, text in (
        ("noise_preserving", "change of the flux in MADNESS's aperture if the other models were true"),
        ("honest", "flux error of the model in MADNESS's aperture"),
    )
)
MADNESS = "MADNESS (published)"
FLUX_TO_BEAT, COSINE_TO_BEAT, E1_TO_BEAT = (float(text.removesuffix(" %")) for text in PUBLISHED[MADNESS])
FASTEST, SLOWEST = 1.3, 1.9  # seconds per galaxy, of MADNESS's log
FASTER = 10


def optimiser_table(found: Table) -> list[str]:
    """A row per search."""
    rows = []
    for name in (name for name in SEARCHES if name in found["search"]):
        of = found[found["search"] == name]
        excess = np.asarray(of["objective"] - of["best"])
        above = [f"{value:.3g}" for value in (*np.percentile(excess, (50, 90)), excess.max())]
        milliseconds = [f"{1e3 * np.median(of[clock]):.0f}" for clock in ("seconds", "processor")]
        rows.append((name, *above, f"{np.mean(excess < NEAR):.0%}", *milliseconds))
    head = ("search", "excess, median", "90 %", "largest", f"within {NEAR:g}", "ms, median", "ms of the processor")
    return table(head, rows)


def optimiser_lines(found: dict[str, Table]) -> list[str]:
    """All models."""
    lines = [
        f"Blends of {N_SOURCES} galaxies in {BANDS}, {STAMP} x {STAMP} pixels. Excess: objective above the best known, "
        f"that of all searches of the table, and of Levenberg-Marquardt from where Adam ended after {STEPS} steps and "
        f"from {FURTHER} dispersed starts.",
        "",
    ]
    for model, rows in found.items():
        lines += [f"### {model}, {len(np.unique(rows['blend']))} blends", "", *optimiser_table(rows), ""]
    return lines


def per_galaxy(found: Found, clock: str = "seconds") -> float:
    """Median of all fields."""
    _, first = np.unique(found.sources["blend"], return_index=True)
    return float(np.median(found.sources[f"{clock}_per_galaxy"][first]))


def fields_table(groups: dict[str, Found]) -> list[str]:
    """Ours, and MADNESS's."""
    rows = []
    for method, found in groups.items():
        numbers = found.numbers([THEIRS, PRESERVING, HONEST, COSINE, E1, "recall"])
        errors = [cell(numbers.get(name), 2, percent=True) for name in (THEIRS.name, PRESERVING, HONEST.name)]
        shapes = (cell(numbers.get(COSINE), 4), cell(numbers.get(E1.name)))
        seconds = [f"{per_galaxy(found, clock):.3f}" for clock in ("seconds", "processor")]
        rows.append((method, *errors, *shapes, cell(numbers.get("recall"), 1, percent=True), *seconds))
    for name, (flux, cosine, e1) in PUBLISHED.items():
        seconds = f"{FASTEST} to {SLOWEST}" if name == MADNESS else ""
        rows.append((name, flux, "", "", cosine, e1, "", seconds, ""))
    errors = ("noise-preserving", "the same, jaxblend's apertures", "honest, of the model")
    return table(("method", *errors, "cosine", "std of e1", "found", "s per galaxy", "of the processor"), rows)


def goal_table(groups: dict[str, Found]) -> list[str]:
    """Which of MADNESS's numbers are bettered."""
    rows = []
    for method, found in groups.items():
        numbers = found.numbers([THEIRS, COSINE, E1])
        flux, cosine, e1 = (numbers[name].value[0] for name in (THEIRS.name, COSINE, E1.name))
        accurate = (100 * flux < FLUX_TO_BEAT, cosine > COSINE_TO_BEAT, e1 < E1_TO_BEAT)
        rows.append((method, *("yes" if each else "no" for each in (*accurate, per_galaxy(found) < FASTEST / FASTER))))
    limits = (f"below {FLUX_TO_BEAT} %", f"above {COSINE_TO_BEAT}", f"below {E1_TO_BEAT}")
    return table(("method", *limits, f"below {FASTEST / FASTER:.2f} s"), rows)


def fields_lines(groups: dict[str, Found]) -> list[str]:
    """Methods that saw the same fields."""
    own = {name: inside(found) for name, found in groups.items()}
    return [
        *set_lines(own),
        *fields_table(own),
        "",
        "Better than MADNESS's, and in a tenth of its shorter time:",
        "",
        *goal_table(own),
        "",
        "Noise-preserving, %, by true blendedness:",
        "",
        *bins_table(own, THEIRS, "blendedness", digits=2, percent=True),
        "",
    ]


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write result.md and numbers.ecsv.

    Parameters
    ----------
    out
        What run.py was given.
    folder
        Where to write; by default beside this file.
    """
    optimisers = {model: read_chunks(out / OPTIMISERS / model) for model in (ANALYTIC, NEURAL)}
    read = read_found(out / FIELDS)
    groups = {model: {name_of(model, kind): read[name_of(model, kind)] for kind in CENTRES} for model in optimisers}
    every = groups[ANALYTIC] | groups[NEURAL]
    lines = ["# MADNESS", "", provenance("optax", "galsim"), "", "## The optimiser", "", *optimiser_lines(optimisers)]
    lines += [f"## The set-up, {ANALYTIC}", "", *fields_lines(groups[ANALYTIC])]
    lines += ["## The set-up, the fields that both models have", "", *fields_lines(common(every))]
    own = {name: inside(found) for name, found in every.items()}
    write_table(all_numbers(own, [THEIRS, HONEST, E1]), folder / "numbers.ecsv")
    write(folder / "result.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
