"""Tables and a picture of what run.py wrote.

Run from the repository: python -m experiments.lsst_euclid.report OUT
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from astropy.table import Table

from benchmarks.reporting import provenance, table, write
from experiments.deblending_tables import bin_labels
from experiments.lsst_euclid.blends import BAND
from experiments.lsst_euclid.measure import DATA
from experiments.lsst_euclid.picture import euclid_picture
from experiments.lsst_euclid.statistics import ALONE, ERRORS, JOINT, Statistics, statistics, within_stated
from experiments.separation.chunks import read_chunks
from jaxblend.io.tables import write_table
from jaxblend.simulation.seeds import DECENTRING

HERE = Path(__file__).parent
LEAST_SNR = 10.0
EDGES = {"blendedness": (0.0, 0.01, 0.1, 0.3, 0.6, 1.0), "snr": (10.0, 20.0, 40.0, 100.0, 300.0, np.inf)}
LABELS = {"blendedness": f"true blendedness B_tot in {BAND} of LSST", "snr": f"true S/N in {BAND} of LSST"}
GOALS = {"g1": 0.01, "g2": 0.01, f"mag_{BAND}": 0.02}
DPI = 100


def set_lines(part: Table) -> list[str]:
    """What the blends are."""
    snr, blended = (np.asarray(part[name], float) for name in ("snr", "blendedness"))
    return [
        f"{len(np.unique(part['blend']))} blends, {len(part)} galaxies of S/N above {LEAST_SNR:g}. True S/N in {BAND}: "
        + "{:.0f}, {:.0f}, {:.0f}".format(*np.percentile(snr, (16, 50, 84)))
        + f" (16, 50, 84 %); B_tot above 0.1: {np.mean(blended > 0.1):.0%}, above 0.5: {np.mean(blended > 0.5):.0%}. "
        f'{np.mean(part["detected"]):.0%} have a detected peak; the rest have the seed of "pixel" there.',
        "",
    ]


def goal_table(found: Statistics) -> list[str]:
    """How many medians in bins of blendedness are beyond the goals, and the farthest of them."""
    rows, labels = [], bin_labels(EDGES["blendedness"])
    for centring, data in found.parts:
        binned, cells = found.spreads[centring, data, "blendedness"], []
        for name, goal in GOALS.items():
            median, error = (each.median[:, ERRORS.index(name)] for each in (binned.value, binned.error))
            worst = int(np.nanargmax(np.abs(median)))
            beyond = f"{np.sum(np.abs(median) > goal)} of {np.isfinite(median).sum()}"
            cells.append(f"{beyond}; {_cell(median[worst], error[worst])} at {labels[worst]}")
        rows.append((centring, data, *cells))
    return table(("centres", "data", *(f"{name}: beyond {goal}; farthest" for name, goal in GOALS.items())), rows)


def gain_table(found: Statistics, by: str) -> list[str]:
    """How much narrower the errors are with Euclid, for each kind of centring."""
    rows = []
    for centring in DECENTRING:
        gain = found.gains[centring, by]
        for i, label in enumerate(_labels(found, by)):
            pairs = [(value[i], error[i]) for value, error in zip(gain.value, gain.error, strict=True)]
            cells = ["" if np.isnan(value) else f"{100 * value:.0f} ± {100 * error:.0f} %" for value, error in pairs]
            rows.append((centring, label, gain.count[i], *cells))
    return table(("centres", by, "galaxies", "g", f"{BAND} magnitude", "ln radius"), rows)


def spread_table(found: Statistics, centring: str, by: str) -> list[str]:
    """Medians, half widths and median sizes of errors, a row for each bin and set of data."""
    binned = {data: found.spreads[centring, data, by] for data in DATA}
    rows = []
    for i, label in enumerate(_labels(found, by)):
        for data, each in binned.items():
            medians = [_cell(each.value.median[i, j], each.error.median[i, j]) for j in range(3)]
            widths = [_cell(each.value.half_width[i, j], each.error.half_width[i, j], sign="") for j in range(4)]
            sizes = ["" if np.isnan(size) else f"{size:.4f}" for size in each.value.absolute[i, :3]]
            rows.append((label, each.count[i], data, *medians, *widths, *sizes))
    of = ("g1", "g2", BAND)
    head = (by, "galaxies", "data", *(f"median {name}" for name in of))
    widths = (*(f"half width {name}" for name in of), "half width ln radius")
    return table((*head, *widths, *(f"median abs {name}" for name in of)), rows)


def stated_table(found: Statistics) -> list[str]:
    """Whether error bars are as large as errors."""
    rows = [(*of, *(f"{within_stated(part, name):.0%}" for name in GOALS)) for of, part in found.parts.items()]
    return table(("centres", "data", *GOALS), rows)


def numbers(found: Statistics) -> Table:
    """All statistics in one table."""
    names = ("statistic", "centres", "data", "by", "low", "high", "count", "value", "error")
    return Table(rows=list(_number_rows(found)), names=names)


def _number_rows(found: Statistics) -> Iterator[tuple]:
    for (centring, by), gain in found.gains.items():
        for name, value, error in zip(gain.value._fields, gain.value, gain.error, strict=True):
            yield from _rows((f"gain_{name}", centring, JOINT, by), gain, value, error)
    for (centring, data, by), spread in found.spreads.items():
        for kind, value, error in zip(spread.value._fields, spread.value, spread.error, strict=True):
            for j, name in enumerate(ERRORS):
                yield from _rows((f"{kind}_{name}", centring, data, by), spread, value[:, j], error[:, j])


def _rows(of: tuple, binned, values, errors) -> Iterator[tuple]:
    for i, pair in enumerate(zip(values, errors, strict=True)):
        edges, rounded = binned.edges[i : i + 2], (float(f"{number:.4g}") for number in pair)
        yield (*of, *map(float, edges), int(binned.count[i]), *rounded)


def _labels(found: Statistics, by: str) -> list[str]:
    return ["all"] if by == "all" else bin_labels(found.edges[by])


def _cell(value: float, error: float, sign: str = "+") -> str:
    return "" if np.isnan(value) else f"{value:{sign}.4f} ± {error:.4f}"


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write result.md, numbers.ecsv and the picture.

    Parameters
    ----------
    out
        What run.py was given.
    folder
        Where to write; by default beside this file.
    """
    found = statistics(read_chunks(out), EDGES, least_snr=LEAST_SNR)
    lines = ["# LSST and Euclid", "", provenance("galsim"), "", *set_lines(found.parts["peak", ALONE]), "## Goals", ""]
    lines += ["Medians of signed errors in bins of blendedness.", "", *goal_table(found), "", "## Gain", ""]
    lines += ["One less the ratio of half widths of the central 68 % of errors, with Euclid over without.", ""]
    for by in found.edges:
        lines += [*gain_table(found, by), ""]
    lines += ["## Share of errors within one stated standard deviation", "", *stated_table(found), ""]
    for centring in DECENTRING:
        lines += [f"## Errors, {centring} centres", ""]
        for by in found.edges:
            lines += [*spread_table(found, centring, by), ""]
    write_table(numbers(found), folder / "numbers.ecsv")
    euclid_picture(found, LABELS, GOALS).save(folder / "errors.png", dpi=DPI)
    write(folder / "result.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
