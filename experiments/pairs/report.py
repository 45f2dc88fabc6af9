"""Tables and a picture of what run.py wrote.

Run from the repository: python -m experiments.pairs.report OUT
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from astropy.table import Table

from benchmarks.reporting import provenance, table, write
from experiments.deblending_pictures import bins_picture
from experiments.deblending_tables import Found, all_numbers, bins_table, cell, missing_lines, read_found, with_error
from experiments.pairs.blends import BAND
from experiments.pairs.run import METHODS
from jaxblend.evaluation.measures import Measure
from jaxblend.infer.flags import Flag
from jaxblend.io.tables import write_table

HERE = Path(__file__).parent
DPI = 90
OWN = "jaxblend"  # how the names of those methods begin whose flags are jaxblend's
MAPE = f"flux_{BAND}_mean_absolute"
MEAN, SIGMA = (
    Measure(f"magnitude_{BAND}_{name}", f"magnitude_residual_{BAND}", name, f"{name} of m - m_true, finite ones")
    for name in ("mean", "scatter")
)
OUTLIERS = f"magnitude_{BAND}_outliers"
COLUMNS = {
    "recall": "found",
    MAPE: "flux MAPE",
    f"flux_{BAND}_median_absolute": "flux, median abs",
    MEAN.name: "mean of dm",
    SIGMA.name: "sigma of dm",
    OUTLIERS: "beyond 0.75",
    "iou_mean": "IoU",
}
DIGITS = {"recall": 1, MAPE: 2, f"flux_{BAND}_median_absolute": 2, OUTLIERS: 2}  # of numbers in per cent
# Of the central galaxy, recomputed from the catalogue that the authors have published.
PUBLISHED = (
    ("blend2flux (published)", "", "7.6 %", "", "0.015", "0.120", "0.16 %", ""),
    ("blend2mask2flux (published)", "", "6.8 %", "", "0.016", "0.111", "0.10 %", ""),
    ("SExtractor (published)", "", "29.8 %", "", "0.101", "0.542", "12.4 %", ""),
)
EDGES = {"separation": (0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5), "magnitude": (18.0, 20.0, 21.0, 22.0, 22.5, 23.0)}
LABELS = {"separation": "separation (arcsec)", "magnitude": f"true magnitude in {BAND}"}
PICTURES = (
    (MAPE, "mean |F - F true| / F true", "log"),
    ("recall", "share that is found", "linear"),
    ("iou_mean", "IoU of masks above 3 sigma", "linear"),
)


def one_of_two(found: Found, row: int) -> Found:
    """The central galaxies (0), or their companions (1)."""
    return found.of_sources(np.asarray(found.sources["row"]) == row)


def pair_table(groups: dict[str, Found], published: tuple = ()) -> list[str]:
    """A row per method."""
    rows = []
    for method, found in groups.items():
        numbers = found.numbers([*(name for name in COLUMNS if name not in (MEAN.name, SIGMA.name)), MEAN, SIGMA])
        rows.append((method, *(cell(numbers.get(n), DIGITS.get(n, 3), percent=n in DIGITS) for n in COLUMNS)))
    return table(("method", *COLUMNS.values()), [*rows, *published])


def extra_table(groups: dict[str, Found]) -> list[str]:
    """Detections without a galaxy: how they are spread over blends, and how many of them carry a flag."""
    rows = []
    for method, found in groups.items():
        extra, blends = _without_galaxy(found), np.unique(found.sources["blend"])
        each = np.bincount(np.searchsorted(blends, extra["blend"]), minlength=len(blends))
        mean = with_error(each.mean(), each.std(ddof=1) / np.sqrt(len(blends)), 2)
        flagged = f"{np.mean(extra['flagged']):.1%}" if len(extra) else ""
        rows.append((method, each.sum(), mean, each.max(), f"{np.mean(each == 0):.1%}", flagged))
    return table(("method", "in all", "per blend", "most in a blend", "blends without", "with a flag"), rows)


def flag_lines(groups: dict[str, Found]) -> list[str]:
    """Which flags of jaxblend's they carry, where the run has written flags."""
    extra = {method: _without_galaxy(found) for method, found in groups.items() if method.startswith(OWN)}
    bits = {name: np.asarray(rows["flags"]) for name, rows in extra.items() if len(rows) and "flags" in rows.colnames}
    if not bits:
        return []
    shares = {flag: [np.mean((each & flag) != 0) for each in bits.values()] for flag in Flag}
    rows = [(flag.name.lower(), *(f"{share:.1%}" for share in of)) for flag, of in shares.items() if any(of)]
    return ["Share of them that carries a flag:", "", *table(("flag", *bits), rows), ""]


def _without_galaxy(found: Found) -> Table:
    """Those that have no place are not counted."""
    placed, matched = (np.asarray(found.detections[name], bool) for name in ("placed", "matched"))
    return found.detections[placed & ~matched]


def set_lines(found: Found) -> list[str]:
    """What the pairs are."""
    sources = found.sources
    quartiles = {
        name: np.percentile(np.asarray(getattr(sources[name], "value", sources[name]), float), (16, 50, 84))
        for name in ("magnitude", "snr", "separation", "blendedness")
    }
    says = {name: ", ".join(f"{value:.3g}" for value in values) for name, values in quartiles.items()}
    return [
        f"{len(np.unique(sources['blend']))} pairs. 16, 50 and 84 % of the galaxies: magnitude {says['magnitude']}; "
        f"S/N {says['snr']}; distance to the other {says['separation']} arcsec; blendedness {says['blendedness']}.",
        "",
    ]


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write result.md, numbers.ecsv and pairs.png.

    Parameters
    ----------
    out
        What run.py was given.
    folder
        Where to write; by default beside this file.
    """
    read = read_found(out)
    groups = {name: read[name] for name in METHODS if name in read}
    lines = ["# Pairs", "", provenance("galsim", "sep"), "", *set_lines(next(iter(groups.values())))]
    lines += [*missing_lines(groups, out), ""]
    for row, title in enumerate(("The central galaxy", "Its companion")):
        chosen = {name: one_of_two(found, row) for name, found in groups.items()}
        lines += [f"## {title}", "", *pair_table(chosen, () if row else PUBLISHED), ""]
    lines += ["## Both", "", *pair_table(groups), ""]
    for by, edges in EDGES.items():
        lines += [f"Flux MAPE of found galaxies, %, by {LABELS[by]}:", ""]
        lines += [*bins_table(groups, MAPE, by, edges, digits=2, percent=True), ""]
    lines += ["## Detections without a galaxy", "", *extra_table(groups), "", *flag_lines(groups)]
    write_table(all_numbers(groups, [MEAN, SIGMA]), folder / "numbers.ecsv")
    picture = bins_picture(groups, PICTURES, "separation", LABELS["separation"], EDGES["separation"])
    picture.save(folder / "pairs.png", dpi=DPI)
    write(folder / "result.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
