"""Tables and pictures of what run.py wrote.

Run from the repository: python -m experiments.cluster.report OUT
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from astropy.table import Table

from benchmarks.reporting import provenance, table, write
from experiments.cluster.fields import BAND, MARGIN, SIDE
from experiments.cluster.picture import colour_picture
from experiments.cluster.run import METHODS
from experiments.deblending_pictures import bins_picture
from experiments.deblending_tables import Found, all_numbers, bins_table, cell, missing_lines, read_found
from jaxblend.io.tables import write_table

HERE = Path(__file__).parent
DPI = 90
ERROR, COLOUR, BIAS = f"flux_{BAND}_median_absolute", "colour_g_r_nmad", "colour_g_r_median"
CATALOG = {
    "recall": "recall",
    f"flux_{BAND}_median": "flux, median",
    f"flux_{BAND}_nmad": "flux, NMAD",
    ERROR: "flux, median abs",
    f"magnitude_{BAND}_outliers": "beyond 0.75 mag",
    BIAS: "g - r, median (mag)",
    COLOUR: "g - r, NMAD (mag)",
    "size_nmad": "size, NMAD",
    "g1_nmad": "g1, NMAD",
    "iou_mean": "IoU",
    "light_gained": "light of others",
}
IN_PERCENT = ("flux_", "recall", "magnitude_", "size", "light")
EDGES = {
    "blendedness": (0.0, 0.1, 0.3, 0.6, 0.9, 1.0),
    "magnitude": (19.0, 22.0, 23.0, 24.0, 24.5, 26.0),
    "radius_in_cluster": (0.0, 3.0, 6.0, 12.0),
}
LABELS = {
    "blendedness": "true blendedness",
    "magnitude": f"true {BAND} magnitude",
    "radius_in_cluster": "arcsec from the middle of the cluster",
}
PICTURES = (
    ("recall", "share that is found", "linear"),
    (ERROR, "median |F - F true| / F true", "log"),
    (COLOUR, "NMAD of the error of g - r (mag)", "log"),
)


def inside(found: Found) -> Found:
    """Sources and detections that are not near the edge."""
    kept = []
    for rows in (found.sources, found.detections):
        places = np.stack([np.asarray(rows[name], float) for name in ("x", "y")])
        kept.append(((places > MARGIN) & (places < SIDE - 1 - MARGIN)).all(axis=0))
    return found.take(*kept)


def among(groups: dict[str, Found], column: str, *, without: str | None = None) -> dict[str, Found]:
    """Those sources for which a column of booleans is true, and another false."""
    chosen = {}
    for method, found in groups.items():
        kept = np.asarray(found.sources[column], bool)
        if without is not None:
            kept = kept & ~np.asarray(found.sources[without], bool)
        chosen[method] = found.of_sources(kept)
    return chosen


def catalog_table(groups: dict[str, Found], *, detections: bool) -> list[str]:
    """How much is found, and how well it is measured."""
    rows = []
    for method, found in groups.items():
        numbers = found.numbers(list(CATALOG))
        cells = [_cell(numbers, name) for name in CATALOG]
        if detections:
            counted = found.of_blends()
            cells[1:1] = [cell(counted.get(name), 1, percent=True) for name in ("precision", "unrecognised")]
        rows.append((method, *cells))
    of_detections = ("precision", "unrecognised blends") if detections else ()
    return table(("method", "recall", *of_detections, *list(CATALOG.values())[1:]), rows)


def central_table(groups: dict[str, Found]) -> list[str]:
    """The galaxy in the middle, and the true colours beside those that are found of the other members."""
    rows = []
    for method, found in among(groups, "central").items():
        numbers = found.numbers(["recall", f"flux_{BAND}_median", f"flux_{BAND}_nmad", "fragmented", BIAS])
        names = ("recall", f"flux_{BAND}_median", f"flux_{BAND}_nmad", "fragmented")
        cells = [cell(numbers.get(name), 1, percent=True) for name in names]
        rows.append((method, *cells, cell(numbers.get(BIAS))))
    return table(("method", "found", "flux, median error", "NMAD", "more than one detection", "g - r, median"), rows)


def set_lines(found: Table) -> list[str]:
    """What was deblended."""
    blended, member = np.asarray(found["blendedness"], float), np.asarray(found["member"], bool)
    fields = len(np.unique(found["blend"]))
    return [
        f"{fields} fields of {SIDE} x {SIDE} pixels; {len(found)} sources not near an edge, {member.sum()} of them "
        f"members of clusters. True blendedness above 0.1: {np.mean(blended > 0.1):.0%}, above 0.5: "
        f"{np.mean(blended > 0.5):.0%}.",
        "",
    ]


def _cell(numbers, name: str) -> str:
    percent = name.startswith(IN_PERCENT)
    return cell(numbers.get(name), 1 if percent else 3, percent=percent)


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write result.md, numbers.ecsv and pictures.

    Parameters
    ----------
    out
        What run.py was given.
    folder
        Where to write; by default beside this file.
    """
    read = read_found(out)
    groups = {name: inside(read[name]) for name in METHODS if name in read}
    satellites = among(groups, "member", without="central")
    fullest = max(groups.values(), key=lambda found: len(found.sources)).sources
    lines = ["# Cluster cores", "", provenance("galsim", "sep", "photutils"), "", *set_lines(fullest)]
    lines += [*missing_lines(groups, out), "", "## All sources", "", *catalog_table(groups, detections=True), ""]
    lines += ["## Members of the red sequence, without the central galaxy", ""]
    lines += [*catalog_table(satellites, detections=False), "", "## Central galaxies", "", *central_table(groups), ""]
    for by, label in LABELS.items():
        lines += [f"## Members by {label}", "", "Share that is found, %:", ""]
        lines += [*bins_table(satellites, "recall", by, EDGES[by], 0, percent=True), ""]
        lines += [f"Median |F - F true| / F true in {BAND}, %:", ""]
        lines += [*bins_table(satellites, ERROR, by, EDGES[by], 1, percent=True), ""]
        lines += ["NMAD of the error of g - r, mag:", "", *bins_table(satellites, COLOUR, by, EDGES[by], 3), ""]
        bins_picture(satellites, PICTURES, by, label, EDGES[by]).save(folder / f"{by}.png", dpi=DPI)
    write_table(all_numbers(groups), folder / "numbers.ecsv")
    write_table(all_numbers(satellites), folder / "members.ecsv")
    colour_picture(satellites).save(folder / "colours.png", dpi=DPI)
    write(folder / "result.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
