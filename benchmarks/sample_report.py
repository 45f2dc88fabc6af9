"""The table of NUTS samplers, and what differs among them."""

import textwrap

import numpy as np
from astropy.table import Table

from benchmarks.reporting import table
from benchmarks.sample_blends import SIX, R
from benchmarks.sample_nuts import SAMPLERS

__all__ = ["report"]

GOAL = 20  # seconds
HEAD = (
    "sampler",
    "model, parameters",
    "chains x draws (warm-up)",
    "compile, s",
    "warm-up, s",
    "draws, s",
    "leaps per draw",
    "divergent",
    "R-hat, worst",
    "ESS, median",
    "ESS, least",
    "ESS/s, without warm-up",
    "ESS/s, with it",
    "jaxblend's over this, without / with",
    "runs",
)
ABOUT = """\
ESS: effective sample size (`numpyro.diagnostics.effective_sample_size`) of flux per band, position (both coordinates),
half-light radius and shear (both components) of every source; ESS/s is the least of them per second, compilation not
counted. It means little where R-hat is far above 1. On a CPU all chains run one after the other. Medians of runs with
different keys; of compilation the longest.

What differs:
"""
DIFFERENCES = {
    "jaxblend": """\
samples in coordinates in which the Laplace approximation is N(0, 1), and evaluates a stand-in for the
  objective. Its trees have a depth of at most 8; the others keep NumPyro's default of 10. The warm-up is timed by a
  call for one draw.""",
    "sersic": "with Sersic profiles, as the other packages have them, and jaxblend's prior.",
    "pixels": "the objective in pixels, without the stand-in.",
    "unwhitened": """\
the same model and prior, as `jb.numpyro_model` has them, in pixels and in its physical sites; step size and a diagonal
  mass matrix adapt as by NumPyro's defaults. Chains begin at jaxblend's fit.""",
    "scarlet2": """\
a Sersic profile times a spectrum for each source, evaluated at pixel centres in a box of 15 times the size, under
  scarlet2's model PSF; its flux is that in the box, and it has no bulge. Priors: flat spectrum up to ten times that at
  the start, normal centre of one pixel, log-normal size (0.5 about the start), flat ellipticity and index (0.5 to 6).
  Chains begin at jaxblend's fit of Sersic profiles; each is a call of its own, which compiles anew.""",
    "pysersic": """\
Sersic profiles as sums of Gaussians, one band; its own priors about jaxblend's fit, but that of the flux, which is as
  wide as the flux. Chains begin at the prior's median.""",
}


def report(rows: Table) -> list[str]:
    """Lines: the goal, a table of each set of bands, the differences, and what was measured when."""
    done = rows[rows["reason"] == ""]
    lines = ["## NUTS on one blend", "", *_goal(done)]
    for bands in (SIX, R):
        some = done[done["bands"] == bands]
        if len(some):
            lines += [f"{bands[0].upper()}{bands[1:]}:", "", *_table(some), ""]
    failed = rows[rows["reason"] != ""]
    lines += [f"- {_label(row)}, {row['bands']}: not run. {row['reason']}" for row in failed]
    lines += ["", ABOUT, *_differences(set(rows["sampler"])), "", "Measured:", ""]
    return lines + sorted({f"- {_label(row)}: {row['measured']}" for row in rows})


def _label(row):
    return SAMPLERS[row["sampler"]].label


def _differences(names):
    """A line for each sampler that has been run."""
    lines = [f"- {SAMPLERS[name].label}: {text}" for name, text in DIFFERENCES.items() if name in names]
    return [textwrap.fill(" ".join(line.split()), 120, subsequent_indent="  ") for line in lines]


def _goal(rows):
    """jaxblend's time in six bands, beside its goal."""
    ours = rows[(rows["sampler"] == "jaxblend") & (rows["bands"] == SIX)]
    if not len(ours):
        return []
    first, seconds = ours[0], ours["warmup_seconds"] + ours["draws_seconds"]
    return [
        f'`jb.sample(fit, method="nuts")` of {first["sources"]} galaxies in six bands, {first["chains"]} chains of '
        f"{first['draws']} draws after {first['warmup']}: {np.median(seconds):.1f} s compiled (goal {GOAL}), the least "
        f"ESS {np.median(ours['min_ess'] / seconds):.1f} per second, {np.median(ours['leaps']):.1f} leaps per draw.",
        "",
    ]


def _table(rows):
    ours = rows[rows["sampler"] == "jaxblend"]
    own_rates = _rates(ours) if len(ours) else (np.nan, np.nan)
    each = [rows[rows["sampler"] == name] for name in SAMPLERS]
    return table(HEAD, [_line(some, own_rates) for some in each if len(some)])


def _line(rows, own_rates):
    first, rates, sampler = rows[0], _rates(rows), SAMPLERS[rows["sampler"][0]]
    middle = rows[np.argsort(rows["min_ess"])[(len(rows) - 1) // 2]]
    return (
        sampler.label,
        f"{sampler.model}, {first['parameters']}, {sampler.precision}",
        f"{first['chains']} x {first['draws']} ({first['warmup']})",
        f"{np.max(rows['compile_seconds']):.1f}",
        *(f"{np.median(rows[f'{part}_seconds']):.1f}" for part in ("warmup", "draws")),
        f"{np.median(rows['leaps']):.1f}",
        f"{np.median(rows['divergences']):.0f}",
        f"{np.median(rows['r_hat']):.3f}",
        f"{np.median(rows['median_ess']):.0f}",
        f"{middle['min_ess']:.0f} ({middle['worst']})",
        *(f"{rate:.3g}" for rate in rates),
        " / ".join(f"{a / b:.3g}" for a, b in zip(own_rates, rates, strict=True)),
        len(rows),
    )


def _rates(rows):
    """Medians over runs of the least ESS per second, without and with the warm-up."""
    draws = rows["draws_seconds"]
    return tuple(np.median(rows["min_ess"] / seconds) for seconds in (draws, draws + rows["warmup_seconds"]))
