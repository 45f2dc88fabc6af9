"""Tables of what run.py wrote.

Run from the repository: python -m experiments.structure.report OUT
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from astropy.table import Table, vstack

from benchmarks.reporting import provenance, table, write
from experiments.deblending_tables import Found, common, missing_lines, read_found, with_error
from experiments.structure.blends import SNRS
from experiments.structure.galaxies import BAND, SETS, SURVEYS, WORDS
from experiments.structure.run import EVIDENCE, METHODS, SCARLET2
from experiments.structure.statistics import Cell, errors_of, ratio_of
from jaxblend.evaluation.columns import column
from jaxblend.io.tables import write_table

HERE = Path(__file__).parent
LEARNED, REFERENCE = "neural", "bulge_disk"
RATIOS = {method: f"{method} / {REFERENCE}" for method in (LEARNED, EVIDENCE)}
GOALS = {"structured": 0.5, "smooth": 1.0}  # of the ratio, at most
BOTH, ALL = "both", "all"
OF = {"flux": "median abs(dF/F)", "distance": "median 1 - cosine", "ellipticity": "scatter of g"}
Groups = dict[tuple[str, str], dict[str, Found]]  # by set and survey, then by method
Numbers = dict[tuple[str, str, str, str], Cell]  # by set, survey, S/N and method


def read_groups(out: Path) -> Groups:
    """What there is."""
    folders = {(kind, survey): out / f"{kind}_{survey}" for kind in SETS for survey in SURVEYS}
    groups = {of: read_found(folder) for of, folder in folders.items() if folder.is_dir()}
    if not groups:
        raise ValueError(f"{out} has no results: run python -m experiments.structure.run {out} first")
    return {of: {name: found[name] for name in METHODS if name in found} for of, found in groups.items()}


def parts_of(groups: Groups) -> Iterator[tuple[str, str, dict[str, Table]]]:
    """Sources by method, for each set and survey, and for both surveys together."""
    for kind in dict.fromkeys(kind for kind, _ in groups):
        each = {
            survey: {method: Table(found.sources) for method, found in groups[kind, survey].items()}
            for survey in SURVEYS
            if (kind, survey) in groups
        }
        yield from ((kind, survey, parts) for survey, parts in each.items())
        if len(each) == len(SURVEYS):
            shared = [method for method in METHODS if all(method in parts for parts in each.values())]
            yield kind, BOTH, {method: _together([parts[method] for parts in each.values()]) for method in shared}


def _together(parts: list[Table]) -> Table:
    copies = [part.copy() for part in parts]
    for i, copy in enumerate(copies):  # blends of one number are others in another survey
        copy["blend"] = len(copies) * np.asarray(copy["blend"]) + i
    return vstack(copies, metadata_conflicts="silent")


def numbers_of(groups: Groups) -> Numbers:
    """Errors of each method, and the ratio of those with the learned model to the reference's."""
    numbers, labels = {}, [f"{snr:g}" for snr in SNRS]
    for kind, survey, parts in parts_of(groups):
        for method, part in parts.items():
            which = np.searchsorted(SNRS, column(part, "central_snr"))
            found = errors_of(part, which, labels)
            numbers |= {(kind, survey, label, method): cell for label, cell in found.items()}
            if method in RATIOS and REFERENCE in parts:
                found = ratio_of(part, parts[REFERENCE], which, labels)
                found |= ratio_of(part, parts[REFERENCE], 0 * which, [ALL])
                numbers |= {(kind, survey, label, RATIOS[method]): cell for label, cell in found.items()}
    return numbers


def set_lines(groups: Groups, out: Path) -> list[str]:
    """What the blends are, and what is missing."""
    lines = []
    for (kind, survey), found in groups.items():
        part = max((each.sources for each in found.values()), key=len)
        blended, relative = column(part, "blendedness"), column(part, "snr") / column(part, "central_snr")
        says = ["{:.2f}, {:.2f}, {:.2f}".format(*np.percentile(values, (16, 50, 84))) for values in (blended, relative)]
        about = (
            f"- {kind}, {survey}: {len(np.unique(part['blend']))} blends, {len(part)} galaxies. True blendedness "
            f"{says[0]}; S/N over that of the first galaxy of the blend {says[1]} (16, 50, 84 %)."
        )
        lines.append(" ".join([about, *missing_lines(found, out / f"{kind}_{survey}")]))
    return [*lines, ""]


def goal_table(numbers: Numbers) -> list[str]:
    """Whether the goals are met, in both surveys together."""
    rows = []
    for (kind, survey, snr, method), cell in numbers.items():
        if method not in RATIOS.values() or survey != BOTH or kind not in GOALS:
            continue
        for name in ("flux", "distance"):
            value, error, goal = getattr(cell.value, name), getattr(cell.error, name), GOALS[kind]
            met = "yes" if value <= goal else "within its error" if value - error <= goal else "no"
            rows.append((method, kind, snr, OF[name], with_error(value, error, 2), f"{goal:g}", met))
    return table(("", "set", "S/N", "of", "ratio", "goal", "met"), rows)


def ratio_table(numbers: Numbers) -> list[str]:
    """A row for each set, survey and S/N."""
    rows = [
        (
            method,
            kind,
            survey,
            snr,
            cell.count,
            *(with_error(getattr(cell.value, n), getattr(cell.error, n), 2) for n in OF),
        )
        for (kind, survey, snr, method), cell in numbers.items()
        if method in RATIOS.values()
    ]
    return table(("", "set", "survey", "S/N", "galaxies", *OF.values()), rows)


def structure_table(groups: Groups) -> list[str]:
    """By what there is of structure, at the highest S/N."""
    rows = []
    for kind, survey, parts in parts_of(groups):
        if kind != "structured" or survey != BOTH or not {LEARNED, REFERENCE} <= set(parts):
            continue
        bright = {name: part[column(part, "central_snr") == SNRS[-1]] for name, part in parts.items()}
        which = np.array([WORDS.index(str(word)) for word in bright[LEARNED]["structure"]])
        found = {name: errors_of(bright[name], which, WORDS) for name in (REFERENCE, LEARNED)}
        for word, cell in ratio_of(bright[LEARNED], bright[REFERENCE], which, WORDS).items():
            ratios = [
                with_error(getattr(cell.value, name), getattr(cell.error, name), 2) for name in ("flux", "distance")
            ]
            of = [found[name][word].value for name in (REFERENCE, LEARNED)]
            flux, distance = [f"{100 * each.flux:.1f}" for each in of], [f"{each.distance:.5f}" for each in of]
            rows.append((word, cell.count, *flux, ratios[0], *distance, ratios[1]))
    head = [f"{of}, {name}" for of in ("abs(dF/F), %", "1 - cosine") for name in (REFERENCE, LEARNED, "ratio")]
    return table(("structure", "galaxies", *head), rows)


def error_table(numbers: Numbers, groups: Groups, kind: str) -> list[str]:
    """A row for each survey, S/N and method."""
    rows = []
    for survey in (each for each in SURVEYS if (kind, each) in groups):
        for snr in SNRS:
            for method, found in groups[kind, survey].items():
                cell = numbers[kind, survey, f"{snr:g}", method]
                pairs = dict(zip(cell.value._fields, zip(cell.value, cell.error, strict=True), strict=True))
                percent = [with_error(*(100 * each for each in pairs[name]), 1) for name in ("flux", "bias", "nmad")]
                shapes = with_error(*pairs["distance"], 5), with_error(*pairs["ellipticity"], 4)
                seconds = f"{np.median(found.sources['seconds']):.2f}"
                rows.append(
                    (survey, f"{snr:g}", method, cell.count, f"{cell.value.found:.0%}", *percent, *shapes, seconds)
                )
    head = ("survey", "S/N", "method", "galaxies", "found", "median abs(dF/F), %", "bias, %", "NMAD, %")
    return table((*head, OF["distance"], OF["ellipticity"], "s per blend"), rows)


def as_table(numbers: Numbers) -> Table:
    """All of them."""
    rows = [
        (*of, name, cell.count, float(f"{value:.4g}"), float(f"{error:.4g}"))
        for of, cell in numbers.items()
        for name, value, error in zip(cell.value._fields, cell.value, cell.error, strict=True)
    ]
    return Table(rows=rows, names=("set", "survey", "snr", "method", "statistic", "galaxies", "value", "error"))


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write result.md and numbers.ecsv.

    Parameters
    ----------
    out
        What run.py was given.
    folder
        Where to write; by default beside this file.
    """
    groups = read_groups(out)
    full = {of: {name: each for name, each in found.items() if name != SCARLET2} for of, found in groups.items()}
    full = {of: found for of, found in full.items() if found}
    numbers = numbers_of(full)
    lines = ["# Structure", "", provenance("galsim"), "", *set_lines(groups, out), "## Goals, both surveys", ""]
    lines += ["Of galaxies that both found; below 1 the one named first is better.", "", *goal_table(numbers)]
    lines += ["", "## Over bulge + disk", "", *ratio_table(numbers), ""]
    lines += [f"## By structure, S/N {SNRS[-1]:g}, both surveys", "", *structure_table(full), ""]
    lines += [f"## All methods, in {BAND}", "", "Seconds are those of the median chunk of blends.", ""]
    for kind in dict.fromkeys(kind for kind, _ in full):
        lines += [f"### {kind.capitalize()} galaxies", "", *error_table(numbers, full, kind), ""]
    shared = {of: common(found) for of, found in groups.items() if SCARLET2 in found}
    if shared:
        lines += ["## The blends that scarlet2 has, too", ""]
    for kind in dict.fromkeys(kind for kind, _ in shared):
        lines += [f"### {kind.capitalize()} galaxies", "", *error_table(numbers_of(shared), shared, kind), ""]
    write_table(as_table(numbers), folder / "numbers.ecsv")
    write(folder / "result.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
