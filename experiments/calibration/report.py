"""Tables and pictures of what run.py wrote.

Run from the repository: python -m experiments.calibration.report OUT
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from astropy.table import Table, vstack

from benchmarks.reporting import provenance, write
from experiments.calibration import coverage as made
from experiments.calibration.chunks import read_chunks
from jaxblend.io.tables import write_table
from jaxblend.plot.calibration import ecdf_picture, tarp_picture

HERE = Path(__file__).parent
EDGES = {
    "snr": (0.0, 10.0, 20.0, 40.0, 80.0, np.inf),
    "blendedness": (0.0, 0.05, 0.2, 0.5, 1.0),
    "separation": (0.0, 0.8, 1.1, 1.6, np.inf),
    "n_thinned": (0.0, 12.0, 24.0, 48.0, 96.0, np.inf),
}
LABELS = {
    "snr": "fitted S/N",
    "blendedness": "fitted blendedness",
    "separation": "distance of the nearest seed (arcsec)",
    "n_thinned": "draws left",
}
SHOWN = ("flux_r",)  # in the tables and pictures of bins; the tables of coverage have all
JOINT = ("tarp_one", "tarp_all", "pit_sum", "pit_difference")
JOINT_LABELS = {
    "tarp_one": "TARP, r fluxes",
    "tarp_all": "TARP, all fluxes",
    "pit_sum": "sum of r fluxes",
    "pit_difference": "difference",
}
KEPT = "importance, as auto keeps it"
ORDER = ("laplace", "svi", "importance", KEPT, "nuts", "auto")
DPI = 90
DIGITS = 3


def kept_by_auto(found: Table) -> Table:
    """Importance draws that ``jb.sample(method="auto")`` returns as they are, by the rule of its documentation."""
    good = made.scored(found)
    close = (good["k_hat"] <= 0.7) & (good["density_error"] <= 0.5)
    return good[np.asarray(close & (good["effective_draws"] >= 100), bool)]


def white_groups(groups: dict[str, Table]) -> dict[str, Table]:
    """By method, and the importance draws that auto trusts."""
    named = {name.partition("/")[2]: found for name, found in groups.items()}
    if "importance" in named:
        named[KEPT] = kept_by_auto(named["importance"])
    return {name: named[name] for name in ORDER if len(named.get(name, ()))}


def correlated_groups(groups: dict[str, Table]) -> dict[str, Table]:
    return {"{1}, {0} likelihood".format(*name.split("/")): found for name, found in groups.items()}


def set_lines(groups: dict[str, Table]) -> list[str]:
    """What the blends are: of the run with the most."""
    found = max(groups.values(), key=len)
    snr, blended = (np.asarray(found[f"true_{name}"], float) for name in ("snr", "blendedness"))
    counts = np.unique(found["n_sources"][np.unique(found["blend"], return_index=True)[1]], return_counts=True)
    sizes = ", ".join(f"{number} of {count}" for count, number in zip(*counts, strict=True))
    return [
        f"{len(np.unique(found['blend']))} blends ({sizes} sources), {len(found)} sources. True S/N in r: "
        + "{:.0f}, {:.0f}, {:.0f}, {:.0f}, {:.0f}".format(*np.percentile(snr, (2.5, 16, 50, 84, 97.5)))
        + f" (2.5, 16, 50, 84, 97.5 %), {np.mean((snr > 5) & (snr < 200)):.1%} between 5 and 200. "
        f"True blendedness above 0.5: {np.mean(blended > 0.5):.1%}.",
        "",
    ]


def section(name: str, groups: dict[str, Table], folder: Path) -> list[str]:
    """Tables of one kind of noise; its pictures are written beside."""
    names = made.quantities_of(next(iter(groups.values())))
    bins = made.all_bins(groups, EDGES)
    ranks = {method: made.ecdf_tests(found, [f"pit_{n}" for n in names]) for method, found in groups.items()}
    joint = {method: made.ecdf_tests(found, JOINT) for method, found in groups.items()}
    _write_rounded(bins, folder / f"{name}_coverage.ecsv")
    _pictures(name, groups, ranks, joint, folder)
    lines = [*set_lines(groups), *made.summary_table(groups), ""]
    lines += ["Failed sources have draws that are not finite, and are in none of the tables and pictures below.", ""]
    lines += ["## Coverage of all sources, %", ""]
    lines += ["In brackets its distance from nominal in binomial standard errors, bold beyond two.", ""]
    lines += made.overall_tables(groups)
    lines += ["## Coverage of intervals of all draws, %", ""]
    lines += ["Without thinning: what `summary()` reports. Few effective draws make intervals a little too narrow.", ""]
    lines += made.overall_tables(groups, "all")
    lines += ["## Truths beyond all draws", ""]
    lines += ["All quantities together; errors from the scatter of blends.", "", *made.beyond_table(groups), ""]
    lines += ["## Coverage in bins", ""]
    lines += [*made.bins_table(bins), ""]
    lines += ["Right posteriors leave 4.6 % of independent coverages beyond two standard errors.", ""]
    for by in EDGES:
        lines += [*made.detail_table(bins, by, SHOWN), ""]
    lines += ["## Ranks", "", "P-values of uniformity, one source of each blend, bold outside the band of 95 %.", ""]
    lines += [*made.p_values(ranks, lambda n: n.removeprefix("pit_")), ""]
    lines += ["## Two neighbours", "", *made.p_values(joint, lambda n: JOINT_LABELS[n]), ""]
    return lines


def _pictures(name: str, groups, ranks, joint, folder: Path) -> None:
    for by, edges in EDGES.items():
        made.draw_bins(groups, SHOWN, by, edges, label=LABELS[by]).save(folder / f"{name}_{by}.png", dpi=DPI)
    for method, tests in ranks.items():
        named = {n.removeprefix("pit_"): test for n, test in tests.items()}
        ecdf_picture(named).save(folder / f"{name}_ranks_{_file_name(method)}.png", dpi=DPI)
    panels = {f"{JOINT_LABELS[n]}, {m}": tests[n] for n in JOINT[:2] for m, tests in joint.items() if n in tests}
    tarp_picture(panels).save(folder / f"{name}_tarp.png", dpi=DPI)


def quantiles(groups: dict[str, Table]) -> Table:
    """A row per source and method: what ranks and TARP are made of, from as many draws of each."""
    parts = []
    for name, found in groups.items():
        columns = [c for c in found.colnames if c.startswith(("pit_", "tarp_"))]
        part = found["blend", "source", "snr", "blendedness", "separation", "n_thinned", *columns]
        part.add_column(np.full(len(part), name), 0, "run")
        parts.append(part)
    return vstack(parts, metadata_conflicts="silent")


def _write_rounded(found: Table, path: Path) -> None:
    rounded = found.copy()
    for name in rounded.colnames:
        if rounded[name].dtype.kind == "f":
            rounded[name] = np.round(np.asarray(rounded[name], float), DIGITS)
    write_table(rounded, path)


def _file_name(method: str) -> str:
    return method.replace(",", "").replace(" ", "_")


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write white.md and correlated.md, for the kinds of noise that were run, pictures and tables.

    Parameters
    ----------
    out
        What run.py was given.
    folder
        Where to write; by default beside this file.
    """
    titles = {"white": "white noise", "correlated": "correlated noise"}
    namings = {"white": white_groups, "correlated": correlated_groups}
    found = {noise: groups for noise in titles if (groups := read_chunks(out / noise))}
    if not found:
        raise ValueError(f"{out} has no results: run python -m experiments.calibration.run {out} first")
    for noise, groups in found.items():
        lines = [f"# Calibration in {titles[noise]}", "", provenance("galsim", "numpyro"), ""]
        lines += section(noise, namings[noise](groups), folder)
        _write_rounded(quantiles(groups), folder / f"{noise}_quantiles.ecsv")
        write(folder / f"{noise}.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
