"""The table of results in Markdown."""

from __future__ import annotations

from benchmarks.reporting import provenance, table

PADDINGS = (2, 4, 8)
GRADIENT_GOAL = 1e-6


def worst_of_each(rows):
    """Worst error of each profile and survey in Markdown."""
    head = ("profile", "survey", "radius", "cases", "float32, padding 2", "float64, padding 2", "flux, padding 2",
            "float32, padding needed", "float64, padding needed", "padding needed")  # fmt: skip
    lines = []
    for key in dict.fromkeys((r.profile, r.survey, r.radius) for r in rows):
        group = [r for r in rows if (r.profile, r.survey, r.radius) == key]
        worst = [max(getattr(r, f) for r in group) for f in ("float32_pad2", "float64_pad2", "flux_pad2")]
        final = [max(getattr(r, f"float{b}_pad{r.needed or 8}") for r in group) for b in ("32", "64")]
        counts = [f"{p}: {n}" for p in (*PADDINGS, None) if (n := sum(r.needed == p for r in group))]
        errors = (f"{x:.1e}" for x in worst + final)
        lines.append((*key[:2], f'{key[2]}"', len(group), *errors, ", ".join(counts)))
    return table(head, lines)


def report(rows, gradients, goals, seconds, seed):
    """Lines of results.md."""
    missed = [r for r in rows if r.needed is None]
    text = [
        "# Renderer against GalSim",
        "",
        f"{provenance('galsim', 'numpy')} Seed {seed}; {seconds:.0f} s.",
        "",
        f"{len(rows)} cases; goals: float32 {goals['32']:.0e} of the peak, float64 {goals['64']:.0e}, "
        f"flux {goals['flux']:.0e}.",
    ]
    for padding in PADDINGS:
        text.append(f"- {sum(r.needed == padding for r in rows)} meet every goal first at padding {padding}")
    text += [f"- {len(missed)} meet them at no padding up to {PADDINGS[-1]}", ""]
    text += [
        "## Worst of each profile, over PSFs and shears",
        "",
        *worst_of_each(rows),
        "",
        "## Missed at every padding",
        "",
    ]
    head = ("profile", "PSF", "survey", "radius", "g", "float32", "float64", "flux", "GalSim folding")
    lines = []
    for r in missed:
        errors = (f"{x:.1e}" for x in (r.float32_pad8, r.float64_pad8, r.flux_pad8, r.galsim_folding))
        lines.append((r.profile, r.psf, r.survey, f'{r.radius}"', r.g, *errors))
    text += table(head, lines)
    text += ["", f"## Gradients in float64 against central differences (goal {GRADIENT_GOAL:.0e})", ""]
    return text + table(("profile", "PSF", "relative difference"), [(p, q, f"{e:.1e}") for p, q, e in gradients])
