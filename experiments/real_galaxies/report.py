"""Tables and pictures of what run.py wrote.

Run from the repository: python -m experiments.real_galaxies.report OUT
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from astropy.table import Table

from benchmarks.reporting import provenance, table, write
from experiments.calibration import coverage as made
from experiments.calibration.chunks import read_methods
from jaxblend.plot.calibration import ecdf_picture

HERE = Path(__file__).parent
EDGES = {
    "snr": (0.0, 15.0, 25.0, 60.0, np.inf),
    "blendedness": (0.0, 0.02, 0.1, 0.5, 1.0),
    "separation": (0.0, 1.1, 1.5, np.inf),
}
LABELS = {
    "snr": "fitted S/N",
    "blendedness": "fitted blendedness",
    "separation": "distance of the nearest seed (arcsec)",
}
QUANTITIES = ("flux_i", "u", "v")
DPI = 90


def error_table(groups: dict[str, Table], by: str) -> list[str]:
    """Relative flux errors, and pulls: errors in units of the posterior's standard deviation."""
    rows = []
    for method, group in groups.items():
        found = made.scored(group)
        for low, high in pairwise(EDGES[by]):
            part = found[np.asarray((found[by] >= low) & (found[by] < high), bool)]
            if len(part):
                galaxies = len(np.unique(part["true_galaxy"]))
                rows.append((method, f"{low:g} to {high:g}", len(part), galaxies, *_errors(part)))
    head = (
        "method",
        by,
        "sources",
        "galaxies",
        "flux error: median",
        "half width of 68 %",
        "median flux pull",
        "half width",
    )
    return table((*head, "half width of u, v pulls"), rows)


def _errors(part: Table) -> list[str]:
    def column(kind, name):
        return np.asarray(part[f"{kind}_{name}"], float)

    def half_width(values):
        return 0.5 * np.diff(np.percentile(values, (15.87, 84.13)))[0]

    relative = column("mean", "flux_i") / column("true", "flux_i") - 1
    flux, u, v = ((column("mean", q) - column("true", q)) / column("sd", q) for q in QUANTITIES)
    return [
        f"{np.median(relative):+.3f}",
        f"{half_width(relative):.3f}",
        f"{np.median(flux):+.2f}",
        f"{half_width(flux):.2f}",
        f"{half_width(np.concatenate([u, v])):.2f}",
    ]


def by_galaxy(found: Table) -> Table:
    """With galaxies in the place of blends: what a model misses of a galaxy, it misses of it in every blend."""
    copy = found.copy()
    copy["blend"] = found["true_galaxy"]
    return copy


def set_lines(found: Table) -> list[str]:
    snr, blended = (np.asarray(found[f"true_{name}"], float) for name in ("snr", "blendedness"))
    return [
        f"{len(np.unique(found['blend']))} blends, {len(found)} sources of {len(np.unique(found['true_galaxy']))} "
        "galaxies. True S/N: " + "{:.0f}, {:.0f}, {:.0f}".format(*np.percentile(snr, (5, 50, 95))) + " (5, 50, 95 %). "
        f"True blendedness above 0.5: {np.mean(blended > 0.5):.1%}.",
        "",
    ]


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write result.md and pictures.

    Parameters
    ----------
    out
        What run.py was given.
    folder
        Where to write; by default beside this file.
    """
    groups = read_methods(out, f"experiments.real_galaxies.run COSMOS {out}")
    clustered = {method: by_galaxy(found) for method, found in groups.items()}
    bins = made.all_bins(clustered, EDGES)
    ranks = {method: made.ecdf_tests(found, [f"pit_{q}" for q in QUANTITIES]) for method, found in groups.items()}
    lines = ["# Real galaxies", "", provenance("galsim"), "", *set_lines(max(groups.values(), key=len))]
    lines += [*made.summary_table(groups), "", "## Coverage of all sources, %", ""]
    lines += ["In brackets its distance from nominal in binomial standard errors, bold beyond two.", ""]
    lines += [*made.overall_tables(groups), "## Coverage in bins", "", *made.bins_table(bins), ""]
    lines += ["Errors below are those of another drawing of galaxies (bootstrap), of which there are few.", ""]
    for by in EDGES:
        lines += [*made.detail_table(bins, by, QUANTITIES[:2]), "", *error_table(groups, by), ""]
    lines += ["## Ranks", "", "P-values of uniformity, one source of each blend, bold outside the band of 95 %.", ""]
    lines += made.p_values(ranks, lambda name: name.removeprefix("pit_"))
    for by, edges in EDGES.items():
        made.draw_bins(clustered, ("flux_i", "u"), by, edges, label=LABELS[by]).save(folder / f"{by}.png", dpi=DPI)
    panels = {f"{q}, {method}": tests[f"pit_{q}"] for method, tests in ranks.items() for q in QUANTITIES}
    ecdf_picture(panels).save(folder / "ranks.png", dpi=DPI)
    write(folder / "result.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
