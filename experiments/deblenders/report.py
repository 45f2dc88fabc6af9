"""Tables and pictures of what run.py wrote.

Run from the repository: python -m experiments.deblenders.report OUT
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from benchmarks.reporting import provenance, table, write
from experiments.deblenders.blends import BAND, MARGIN, SIDE
from experiments.deblenders.run import METHODS
from experiments.deblending_pictures import bins_picture
from experiments.deblending_tables import Found, all_numbers, bins_table, cell, common, missing_lines, read_found
from jaxblend.evaluation.measures import Measure
from jaxblend.io.tables import write_table

HERE = Path(__file__).parent
DPI = 90
# Mean |dF/F| in per cent, mean cosine, standard deviation of e1: of MADNESS's own notebook.
PUBLISHED = {
    "MADNESS (published)": ("1.97 %", "0.9936", "0.069"),
    "scarlet (published by MADNESS)": ("2.78 %", "0.9913", "0.084"),
    "VAE deblender (published by MADNESS)": ("3.92 %", "0.9869", "0.104"),
    "no deblending (published by MADNESS)": ("14.2 %", "", ""),
}
E1 = Measure(
    "e1_scatter", "e1_residual", "scatter", "standard deviation of the error of e1, adaptive moments of images"
)
PRESERVING, HONEST = "aperture_noise_preserving_mean_absolute", "aperture_honest_mean_absolute"
FIELD = "aperture_honest_of_field_mean_absolute"
CATALOG = {
    "recall": "recall",
    f"flux_{BAND}_median": "flux, median",
    f"flux_{BAND}_nmad": "flux, NMAD",
    f"flux_{BAND}_median_absolute": "flux, median abs",
    f"magnitude_{BAND}_outliers": "beyond 0.75 mag",
    "colour_g_r_nmad": "g - r, NMAD (mag)",
    "size_nmad": "size, NMAD",
    "g1_nmad": "g1, NMAD",
    "iou_mean": "IoU",
    "ssim_mean": "SSIM",
    "light_gained": "light of others",
}
PERCENT = ("flux_", "recall", "magnitude_", "size", "light")
BINS = {"blendedness": "true blendedness", "snr": "true S/N in r"}
PICTURES = (
    (PRESERVING, "mean |dF/F|, MADNESS's aperture metric", "log"),
    (f"flux_{BAND}_median_absolute", "median |F - F true| / F true", "log"),
    ("recall", "share that is found", "linear"),
)


def inside(found: Found) -> Found:
    """Sources and detections that are not near the edge."""
    kept = [
        np.logical_and.reduce([(values > MARGIN) & (values < SIDE - 1 - MARGIN) for values in _places(rows)])
        for rows in (found.sources, found.detections)
    ]
    return found.take(*kept)


def _places(rows):
    return [np.asarray(rows[name], float) for name in ("x", "y")]


def madness_table(groups: dict[str, Found]) -> list[str]:
    """MADNESS's three numbers with its own beside, and what its first one leaves out."""
    rows = []
    for method, found in groups.items():
        numbers = found.numbers([PRESERVING, HONEST, FIELD, "cosine_mean", E1])
        errors = [cell(numbers.get(name), 2, percent=True) for name in (PRESERVING, HONEST, FIELD)]
        rows.append((method, *errors, cell(numbers.get("cosine_mean"), 4), cell(numbers.get("e1_scatter"))))
    rows += [(name, flux, "", "", cosine, e1) for name, (flux, cosine, e1) in PUBLISHED.items()]
    head = ("method", "noise-preserving", "honest, of the model", "honest, of the field", "cosine", "std of e1")
    return table(head, rows)


def catalog_table(groups: dict[str, Found]) -> list[str]:
    """How much is found, and how well it is measured."""
    rows = []
    for method, found in groups.items():
        numbers, detections = found.numbers(list(CATALOG)), found.of_blends()
        cells = [
            cell(numbers.get(name), 1 if name.startswith(PERCENT) else 3, percent=name.startswith(PERCENT))
            for name in CATALOG
        ]
        cells[1:1] = [cell(detections.get(name), 1, percent=True) for name in ("precision", "unrecognised")]
        rows.append((method, *cells))
    return table(("method", "recall", "precision", "unrecognised blends", *list(CATALOG.values())[1:]), rows)


def set_lines(groups: dict[str, Found]) -> list[str]:
    """What was deblended."""
    found = max(groups.values(), key=lambda each: len(each.sources)).sources
    snr, blended = (np.asarray(found[name], float) for name in ("snr", "blendedness"))
    return [
        f"{len(np.unique(found['blend']))} fields, {len(found)} galaxies not near an edge. True S/N in {BAND}: "
        + "{:.0f}, {:.0f}, {:.0f}".format(*np.percentile(snr, (16, 50, 84)))
        + f" (16, 50, 84 %); true blendedness above 0.01: {np.mean(blended > 0.01):.0%}, above 0.1: "
        f"{np.mean(blended > 0.1):.0%}, above 0.5: {np.mean(blended > 0.5):.0%}.",
        "",
    ]


def tables_of(groups: dict[str, Found]) -> list[str]:
    """The numbers of a set of methods that saw the same fields."""
    lines = ["### As MADNESS measures, in r", "", *madness_table(groups), "", "### Found and measured", ""]
    lines += [*catalog_table(groups), ""]
    for by, label in BINS.items():
        lines += [f"Median |F - F true| / F true of found galaxies in {BAND}, %, by {label}:", ""]
        lines += [*bins_table(groups, f"flux_{BAND}_median_absolute", by, digits=1, percent=True), ""]
    return lines


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write result.md, numbers.ecsv and pictures.

    Parameters
    ----------
    out
        What run.py was given.
    folder
        Where to write; by default beside this file.
    """
    found = read_found(out)
    every = {name: inside(found[name]) for name in METHODS if name in found}
    full = {name: each for name, each in every.items() if not name.startswith("scarlet2")}
    lines = ["# Deblenders", "", provenance("galsim", "sep", "photutils"), "", *set_lines(full)]
    lines += [*missing_lines(every, out), "", "## All fields", "", *tables_of(full)]
    if len(every) > len(full):
        shared = common(every)
        number = len(np.unique(next(iter(shared.values())).sources["blend"]))
        lines += [f"## The {number} fields that all methods have", "", *tables_of(shared)]
    write_table(all_numbers(every, [E1]), folder / "numbers.ecsv")
    for by, label in BINS.items():
        bins_picture(full, PICTURES, by, label).save(folder / f"{by}.png", dpi=DPI)
    write(folder / "result.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
