"""Tables and a picture of what run.py wrote.

Run from the repository: python -m experiments.euclid.report OUT
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from astropy.table import vstack

from benchmarks.reporting import provenance, table, write
from experiments.deblending_pictures import bins_picture
from experiments.deblending_tables import Found, all_numbers, bins_table, cell, missing_lines, read_found
from experiments.euclid.blends import BAND
from experiments.euclid.run import METHODS
from jaxblend.evaluation.measures import Measure
from jaxblend.io.tables import write_table

HERE = Path(__file__).parent
DPI = 90
CUT = 1.0  # of |dF/F|, beyond which sources are left out of the trimmed sigma
RESIDUAL = f"flux_residual_{BAND}"
SIGMA = Measure("sigma", RESIDUAL, "scatter", "standard deviation of (F - F_true) / F_true")
TRIMMED = Measure("sigma_trimmed", "trimmed", "scatter", f"the same of those within {CUT:g}")
BEYOND = Measure("beyond", "beyond", "mean", f"share of found sources beyond {CUT:g}")
NMAD, MEDIAN = f"flux_{BAND}_nmad", f"flux_{BAND}_median"
COLUMNS = {
    "recall": "found",
    SIGMA.name: "sigma of dF/F",
    TRIMMED.name: f"sigma within {CUT:.0%}",
    BEYOND.name: "beyond",
    NMAD: "NMAD",
    MEDIAN: "median",
}
MEASURES = ("recall", NMAD, MEDIAN, SIGMA, TRIMMED, BEYOND)
PUBLISHED = {
    "isolated": (
        ("VAE (published)", "", "16 %", "", "", "", ""),
        ("SExtractor (published)", "", "18 %", "", "", "", ""),
    ),
    "blended": (
        ("VAE (published)", "", "20 %", "", "", "", ""),
        ("SExtractor (published)", "", "94 %", "31 % (cut of theirs)", "", "", ""),
    ),
}
EDGES = (23.0, 23.5, 24.0, 24.5, 25.0)
PICTURES = (
    (SIGMA, "sigma of (F - F true) / F true", "log"),
    (NMAD, "NMAD of (F - F true) / F true", "log"),
    ("recall", "share that is found", "linear"),
)


def central(found: Found, *, blended: bool) -> Found:
    """Central galaxies: those alone, which are all that their blends have, or those with neighbours."""
    neighbours = np.asarray(found.sources["n_sources"]) > 1
    scenes = found.in_blends(found.sources["blend"][neighbours == blended])
    return scenes.of_sources(np.asarray(scenes.sources["row"]) == 0) if blended else scenes


def with_cut(found: Found) -> Found:
    """Columns for what lies beyond the cut."""
    sources = found.sources.copy()
    error = np.asarray(sources[RESIDUAL], float)
    known = np.isfinite(error)
    sources["trimmed"] = np.where(np.abs(error) < CUT, error, np.nan)
    sources["beyond"] = np.where(known, (np.abs(error) >= CUT).astype(float), np.nan)
    return Found(sources, found.detections)


def sigma_table(groups: dict[str, Found], published: tuple) -> list[str]:
    """A row per method."""
    rows = []
    for method, found in groups.items():
        numbers = found.numbers(MEASURES)
        rows.append((method, *(cell(numbers.get(name), 1, percent=True) for name in COLUMNS)))
    return table(("method", *COLUMNS.values()), [*rows, *published])


def set_lines(groups: dict[str, Found]) -> list[str]:
    """What the galaxies are."""
    lines = []
    for name, found in groups.items():
        about = {
            column: np.percentile(np.asarray(found.sources[column], float), (16, 50, 84))
            for column in ("snr", "blendedness")
        }
        snr, blended = (", ".join(f"{value:.3g}" for value in values) for values in about.values())
        lines.append(f"{len(found.sources)} {name} galaxies: S/N {snr}; blendedness {blended} (16, 50, 84 %).")
    return [*lines, ""]


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write result.md, numbers.ecsv and euclid.png.

    Parameters
    ----------
    out
        What run.py was given.
    folder
        Where to write; by default beside this file.
    """
    read = read_found(out)
    groups = {name: with_cut(read[name]) for name in METHODS if name in read}
    sets = {
        name: {method: central(found, blended=name == "blended") for method, found in groups.items()}
        for name in ("isolated", "blended")
    }
    first = {name: next(iter(chosen.values())) for name, chosen in sets.items()}
    lines = ["# Euclid", "", provenance("galsim", "sep"), "", *set_lines(first), *missing_lines(groups, out), ""]
    tables = []
    for name, chosen in sets.items():
        lines += [f"## Central galaxies, {name}", "", *sigma_table(chosen, PUBLISHED[name]), ""]
        lines += [f"Sigma of dF/F, %, by true magnitude in {BAND}:", ""]
        lines += [*bins_table(chosen, SIGMA, "magnitude", EDGES, digits=1, percent=True), ""]
        tables.append(all_numbers(chosen, [SIGMA, TRIMMED, BEYOND]))
        tables[-1].add_column(np.full(len(tables[-1]), name), 0, "set")
    write_table(vstack(tables), folder / "numbers.ecsv")
    picture = bins_picture(sets["blended"], PICTURES, "magnitude", f"true magnitude in {BAND}, blended galaxies", EDGES)
    picture.save(folder / "euclid.png", dpi=DPI)
    write(folder / "result.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
