"""Importance sampling against the fit that it begins from: time per blend, and how often it can be trusted."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
from astropy.table import Table

import jaxblend as jb
from benchmarks.peers.timing import timed
from benchmarks.reporting import table
from benchmarks.sample_blends import SIX, R, Sampled, blends, sampled
from benchmarks.sample_tables import measured

__all__ = ["SAME", "measure", "report"]

SAME = ("bands", "sources")  # a row each
K_HAT, ENOUGH = 0.7, 200
RATIO = 5
SHARES = {(1, 2, 3): 0.9, (4, 5): 0.6}
SEED = 0


def measure(n: int, sources: Sequence[int], repeats: int, catalog: Path | None) -> Iterator[dict]:
    """A row of each number of sources in six bands and in r alone, from `repeats` batches of `n` blends."""
    for n_sources in sources:
        drawn = blends(n, n_sources, catalog=catalog)
        for bands in (SIX, R):
            given = [sampled(blend, bands) for blend in drawn]
            yield {"bands": bands, "sources": n_sources, "blends": n, "batches": repeats, **_row(given, repeats)}


def _row(given: Sequence[Sampled], repeats: int) -> dict[str, object]:
    _compile(given)
    fit, sample, diagnostics = zip(*(_batch(given, repeat) for repeat in range(repeats)), strict=True)
    k_hat, effective, error = np.concatenate(diagnostics).T
    few, median = np.percentile(effective, [16, 50])
    return {
        "fit_seconds": np.median(fit),
        "sample_seconds": np.median(sample),
        "low_k_hat": np.mean(k_hat < K_HAT),
        "effective_16": few,
        "effective_50": median,
        "density_error": np.median(error),
        "good": np.mean((k_hat < K_HAT) & (effective >= ENOUGH)),
        "measured": measured("galsim"),
    }


def _compile(given):
    """All programs that a batch needs; two blends make the sampler's, which fills a batch up."""
    fits = jb.fit_batch(*zip(*given, strict=True))
    one = next(fit for fit in fits if fit.outcome is not jb.Outcome.FAILED)
    jb.sample_batch([one, one], key=jax.random.key(SEED), method="importance")


def _batch(given, repeat):
    """Seconds per blend of the fit and of the sampler, and (B, 3): k-hat, effective draws, error of the density."""
    observations, positions = zip(*given, strict=True)
    fits, seconds_fit = timed(lambda: jb.fit_batch(observations, positions))
    fitted = [i for i, fit in enumerate(fits) if fit.outcome is not jb.Outcome.FAILED]
    key = jax.random.fold_in(jax.random.key(SEED), repeat)
    found, seconds = timed(lambda: jb.sample_batch([fits[i] for i in fitted], key=key, method="importance"))
    diagnostics = np.tile([np.inf, 0.0, np.inf], (len(fits), 1))
    for i, posterior in zip(fitted, found, strict=True):
        diagnostics[i] = [posterior.diagnostics[name] for name in ("k_hat", "effective_draws", "density_error")]
    return seconds_fit / len(fits), seconds / max(len(fitted), 1), diagnostics


def report(rows: Table) -> list[str]:
    """Lines: a row for each number of sources, and what comes of the goals."""
    lines = [
        "## Importance sampling against the fit",
        "",
        '`jb.fit_batch` and `jb.sample_batch(fits, method="importance")` of the same blends, compiled; wall time per '
        "blend, the median of several batches. The fit's error bars and catalogue are not in its time. True positions "
        f"are given. Good: k-hat below {K_HAT} and at least {ENOUGH} effective draws of the worst quantity, "
        "of 400 draws, the default. k-hat is the largest over steps between densities, not that of one plain step.",
        "",
    ]
    head = ("bands", "sources", "fit, ms", "importance, ms", "ratio", f"k-hat < {K_HAT}",
            "effective draws, 16 % and median", "density error, median", "good", "blends x batches")  # fmt: skip
    rows = rows[np.lexsort((rows["sources"], rows["bands"] != SIX))]
    lines += [*table(head, map(_line, rows)), ""]
    lines += [_goals(rows[rows["bands"] == bands], bands) for bands in (SIX, R) if bands in rows["bands"]]
    return [*lines, "", *(f"Measured: {where}" for where in sorted(set(rows["measured"]))), ""]


def _line(row):
    return (
        row["bands"],
        row["sources"],
        f"{row['fit_seconds'] * 1e3:.1f}",
        f"{row['sample_seconds'] * 1e3:.1f}",
        f"{row['sample_seconds'] / row['fit_seconds']:.1f}",
        f"{row['low_k_hat']:.0%}",
        f"{row['effective_16']:.0f}, {row['effective_50']:.0f}",
        f"{row['density_error']:.2f}",
        f"{row['good']:.0%}",
        f"{row['blends']} x {row['batches']}",
    )


def _goals(rows, bands):
    """The ratio over all blends and the share of good ones, beside their goals."""
    fit, sample = (np.average(rows[name], weights=rows["blends"]) for name in ("fit_seconds", "sample_seconds"))
    parts = [f"- {bands}: ratio over all numbers of sources {sample / fit:.1f} (goal {RATIO})"]
    for numbers, goal in SHARES.items():
        some = rows[np.isin(rows["sources"], numbers)]
        if len(some):
            share = np.average(some["good"], weights=some["blends"])
            parts.append(f"good with {numbers[0]} to {numbers[-1]} sources {share:.0%} (goal {goal:.0%})")
    return "; ".join(parts) + "."
