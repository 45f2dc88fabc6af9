"""Tables and pictures of what run.py wrote.

Run from the repository: python -m experiments.learned_calibration.report OUT
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from benchmarks.reporting import provenance, write
from experiments.calibration import coverage as made
from experiments.calibration.chunks import read_methods
from experiments.calibration.report import set_lines
from jaxblend.plot.calibration import ecdf_picture

HERE = Path(__file__).parent
EDGES = {"snr": (0.0, 30.0, 100.0, np.inf), "n_sources": (1.0, 2.0, 3.0)}
SHOWN = ("flux_r", "radius")
DPI = 90


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write result.md and ranks.png.

    Parameters
    ----------
    out
        What run.py was given.
    folder
        Where to write; by default beside this file.
    """
    groups = read_methods(out, f"experiments.learned_calibration.run {out}")
    bins = made.all_bins(groups, EDGES)
    names = made.quantities_of(next(iter(groups.values())))
    ranks = {method: made.ecdf_tests(found, [f"pit_{n}" for n in names]) for method, found in groups.items()}
    lines = ["# Calibration with the learned prior", "", provenance("galsim", "flax", "flowjax"), ""]
    for method, found in groups.items():
        lines += [f"**{method}**", "", *set_lines({method: found})]
    lines += [*made.summary_table(groups), "", "## Coverage of all sources, %", ""]
    lines += ["In brackets its distance from nominal in binomial standard errors, bold beyond two.", ""]
    lines += [*made.overall_tables(groups), "## Coverage in bins", "", *made.bins_table(bins), ""]
    for by in EDGES:
        lines += [*made.detail_table(bins, by, SHOWN), ""]
    lines += ["## Ranks", "", "P-values of uniformity, one source of each blend, bold outside the band of 95 %.", ""]
    lines += made.p_values(ranks, lambda name: name.removeprefix("pit_"))
    panels = {f"{q}, {method}": tests[f"pit_{q}"] for method, tests in ranks.items() for q in SHOWN}
    ecdf_picture(panels).save(folder / "ranks.png", dpi=DPI)
    write(folder / "result.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
