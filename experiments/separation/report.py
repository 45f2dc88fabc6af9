"""Tables and a picture of what run.py wrote.

Run from the repository: python -m experiments.separation.report OUT
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from astropy.table import Table

from benchmarks.reporting import provenance, table, write
from experiments.separation.blends import BAND, FLUXES, SEPARATIONS, SURVEY, survey
from experiments.separation.chunks import read_chunks
from experiments.separation.measure import METHODS
from experiments.separation.picture import separation_picture
from experiments.separation.summary import NAMES, UNTOLD, errors_of, methods_of, pooled, ratios, summarise
from jaxblend.io.tables import read_table, write_table

HERE = Path(__file__).parent
CONSERVED = 0.01
LIKELY = 100  # odds
DPI = 100
DIGITS = 6


def pair_lines(found: Table) -> list[str]:
    """What the pairs are."""
    here = survey()
    width = float(here.psf_fwhm[0] / here.pixel_scale)
    rows = []
    for name, fluxes in FLUXES.items():
        of = found[found["brightness"] == name]
        snr = [f"{np.median(of[f'snr_{i}']):.0f}" for i in (1, 2)]
        magnitude = [f"{here.magnitude(flux)[0]:.2f}" for flux in fluxes]
        rows.append((name, *(f"{flux:g}" for flux in fluxes), *magnitude, *snr))
    head = ("pair", "electrons, 1", "2", f"{BAND} mag, 1", "2", "median S/N, 1", "2")
    return [
        f"{len(found)} pairs in {BAND} of {SURVEY}: pixels of {here.pixel_scale:g} arcsec, PSF of {width:.2f} pixels "
        "full width.",
        "",
        *table(head, rows),
        "",
    ]


def flux_table(rows: list[dict], method: str) -> list[str]:
    """Fluxes over true ones: mean over pairs, its standard error, and the error that the posterior states."""
    cells = []
    for row in rows:
        values = [
            f"{row[f'{name}_{method}']:.4f} ± {row[f'{name}_{method}_sem']:.4f} ({row[f'{name}_{method}_stated']:.4f})"
            for name in NAMES
        ]
        cells.append((row["separation"], row["pairs"], f"{row['blendedness_2']:.2f}", *values))
    return table(("separation", "pairs", "blendedness of 2", "galaxy 1", "galaxy 2", "both"), cells)


def found_table(rows: list[dict]) -> list[str]:
    """Without being told of two: what is found, its light, and the odds."""
    cells = []
    for row in rows:
        odds = [
            "" if np.isnan(row[f"log_odds_{m}"]) else f"{row[f'log_odds_{m}']:.1f} ({row[f'likely_{m}']:.0%})"
            for m in METHODS
        ]
        share = [f"{row[f'both_{name}']:.0%}" for name in ("detected", "deblended")]
        light = f"{row['total_deblended']:.4f} ± {row['total_deblended_sem']:.4f}"
        cells.append((row["separation"], *share, light, *odds))
    head = ("separation", "two detected", "two deblended", "light of all that is deblended")
    return table((*head, *(f"ln odds, {m}" for m in METHODS)), cells)


def goal_lines(rows: list[dict]) -> list[str]:
    """Whether the total flux is conserved."""
    lines = []
    for name in FLUXES:
        of = [row for row in rows if row["brightness"] == name]
        for kind in (total for m in (*METHODS, "deblended") if (total := f"total_{m}") in of[0]):
            off = {row["separation"]: (row[kind] - 1, row[f"{kind}_sem"]) for row in of}
            far = [abs(value) > CONSERVED for value, _ in off.values()]
            certain = [abs(value) - 2 * error > CONSERVED for value, error in off.values()]
            worst = max(off, key=lambda separation: abs(off[separation][0]))
            lines.append(
                f"- {name}, {kind.replace('_', ' ')}: beyond {CONSERVED:.0%} at {sum(far)} of {len(of)} separations, "
                f"by more than two standard errors at {sum(certain)}; "
                f"farthest {off[worst][0]:+.2%} ± {off[worst][1]:.2%} at separation {worst}."
            )
    return lines


def bias_table(rows: list[dict]) -> list[str]:
    """What errors of all separations have in common: those of one are too few to tell it from noise."""
    cells = []
    for name in FLUXES:
        of = [row for row in rows if row["brightness"] == name]
        for method in (*METHODS, "deblended"):
            kinds = [f"{each}_{method}" for each in NAMES]
            biases = ["{:+.2%} ± {:.2%}".format(*pooled(of, kind)) if kind in of[0] else "" for kind in kinds]
            cells += [(name, method, *biases)] if any(biases) else []
    return table(("pair", "by", "galaxy 1", "galaxy 2", "both"), cells)


def coverage_table(found: Table) -> list[str]:
    """Share of truths within one and two stated errors."""
    rows = []
    for method in methods_of(found):
        for name in NAMES:
            pull = np.abs(ratios(found, f"{name}_{method}") - 1) / errors_of(found, f"{name}_{method}")
            known = np.isfinite(pull)
            shares = [f"{np.mean(pull[known] < limit):.0%}" for limit in (1, 2)]
            rows.append((method, name.replace("_", " "), known.sum(), *shares))
    return table(("posterior", "of", "pairs", "within 1 sigma (68 %)", "within 2 sigma (95 %)"), rows)


def main(out: Annotated[Path, tyro.conf.Positional], /, folder: Path = HERE) -> None:
    """Write result.md, the tables and the picture; of fits only, fits.md and fits.ecsv.

    Parameters
    ----------
    out
        What run.py was given, or the pairs.ecsv that was made of it.
    folder
        Where to write; by default beside this file.
    """
    found = read_chunks(out) if out.is_dir() else Table(read_table(out))
    whole = UNTOLD in found.colnames
    rows = summarise(found, SEPARATIONS, LIKELY)
    lines = ["# Separation", "", provenance("galsim", "sep"), "", *pair_lines(found)]
    lines += ["## Conserved flux", "", *goal_lines(rows), "", "## Bias, all separations", ""]
    lines += ["Mean of (flux - true flux) / true flux ± its standard error.", "", *bias_table(rows), ""]
    lines += ["## Error bars, all separations", ""]
    lines += [
        "Laplace: the optimum, and errors of its curvature. Importance: mean and standard deviation of draws.",
        "",
    ]
    lines += [*coverage_table(found), ""]
    for name in FLUXES:
        of = [row for row in rows if row["brightness"] == name]
        for method in methods_of(found):
            lines += [f"## {name.capitalize()} pairs, {method}", ""]
            lines += ["Flux over true flux: mean ± its standard error (median of the errors stated for one pair).", ""]
            lines += [*flux_table(of, method), ""]
        if whole:
            lines += [f"## {name.capitalize()} pairs, without being told of two", ""]
            lines += [f"Odds of two against one: median of ln, and the share above {LIKELY}.", "", *found_table(of), ""]
    folder.mkdir(parents=True, exist_ok=True)
    _write_rounded(Table(rows=rows), folder / ("separation.ecsv" if whole else "fits.ecsv"))
    if whole:
        _write_rounded(found, folder / "pairs.ecsv")
        separation_picture(rows, CONSERVED, LIKELY).save(folder / "separation.png", dpi=DPI)
    write(folder / ("result.md" if whole else "fits.md"), lines)


def _write_rounded(found: Table, path: Path) -> None:
    rounded = found.copy()
    for name in rounded.colnames:
        if rounded[name].dtype.kind == "f":
            rounded[name] = [float(f"{value:.{DIGITS}g}") for value in rounded[name]]
    write_table(rounded, path)


if __name__ == "__main__":
    tyro.cli(main)
