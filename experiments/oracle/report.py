"""The table of results in Markdown."""

from __future__ import annotations

import datetime
import os
import platform

import galsim
import jax
import numpy as np

PADDINGS = (2, 4, 8)
GRADIENT_GOAL = 1e-6


def table(rows):
    """Worst error of each profile and survey in Markdown."""
    head = "| profile | survey | radius | cases | float32, padding 2 | float64, padding 2 | flux, padding 2 "
    head += "| float32, padding needed | float64, padding needed | padding needed |"
    lines = [head, "|" + "---|" * 10]
    for key in dict.fromkeys((r.profile, r.survey, r.radius) for r in rows):
        group = [r for r in rows if (r.profile, r.survey, r.radius) == key]
        worst = [max(getattr(r, f) for r in group) for f in ("float32_pad2", "float64_pad2", "flux_pad2")]
        final = [max(getattr(r, f"float{b}_pad{r.needed or 8}") for r in group) for b in ("32", "64")]
        counts = [f"{p}: {n}" for p in (*PADDINGS, None) if (n := sum(r.needed == p for r in group))]
        cells = [*key[:2], f'{key[2]}"', len(group), *(f"{x:.1e}" for x in worst + final)]
        lines.append("| " + " | ".join(map(str, [*cells, ", ".join(counts)])) + " |")
    return "\n".join(lines)


def report(rows, gradients, goals, seconds, seed):
    """Text of results.md."""
    missed = [r for r in rows if r.needed is None]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, backend {jax.default_backend()}"
    packages = ", ".join(f"{m.__name__} {m.__version__}" for m in (jax, galsim, np))
    versions = f"Python {platform.python_version()}, {packages}"
    text = [
        "# Renderer against GalSim",
        "",
        f"{datetime.date.today()}; {machine}; {versions}; seed {seed}; {seconds:.0f} s.",
        "",
    ]
    text += [
        f"{len(rows)} cases; goals: float32 {goals['32']:.0e} of the peak, float64 {goals['64']:.0e}, "
        f"flux {goals['flux']:.0e}."
    ]
    for padding in PADDINGS:
        text.append(f"- {sum(r.needed == padding for r in rows)} meet every goal first at padding {padding}")
    text += [f"- {len(missed)} meet them at no padding up to {PADDINGS[-1]}", ""]
    text += ["## Worst of each profile, over PSFs and shears", "", table(rows), "", "## Missed at every padding", ""]
    text += ["| profile | PSF | survey | radius | g | float32 | float64 | flux | GalSim folding |", "|" + "---|" * 9]
    for r in missed:
        errors = " | ".join(f"{x:.1e}" for x in (r.float32_pad8, r.float64_pad8, r.flux_pad8, r.galsim_folding))
        text.append(f'| {r.profile} | {r.psf} | {r.survey} | {r.radius}" | {r.g} | {errors} |')
    text += ["", f"## Gradients in float64 against central differences (goal {GRADIENT_GOAL:.0e})", ""]
    text += ["| profile | PSF | relative difference |", "|---|---|---|"]
    text += [f"| {p} | {q} | {e:.1e} |" for p, q, e in gradients]
    return "\n".join(text) + "\n"
