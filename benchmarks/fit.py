"""Time and reliability of a fit: three galaxies in six bands, against scarlet2 and AstroPhot on the same pixels.

Run from the repository: python -m benchmarks.fit
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch on shared cores is slower with more

import numpy as np
import tyro

import jaxblend as jb
from benchmarks.best_known import NEAR, excess_over_best
from benchmarks.blends import BANDS, N_SOURCES, STAMP, pixels, simulated
from benchmarks.peers import astrophot_fit, scarlet2_fit
from benchmarks.peers.timing import timed
from benchmarks.reporting import RESULTS, provenance, table, write
from jaxblend.simulation.blend import Blend

REFERENCE = BANDS.index("r")


def first_fits() -> list[tuple]:
    """The first fit of a new process: with an empty compilation cache on disk, and with a filled one."""
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}
        for name in ("cache empty", "cache filled"):
            run = subprocess.run(
                [sys.executable, "-m", "benchmarks.first_fit"],
                env=environment,
                cwd=Path(__file__).parent.parent,
                check=True,
                capture_output=True,
                text=True,
            )
            times = json.loads(run.stdout.splitlines()[-1])
            rows.append((name, f"{times['first']:.1f}", f"{times['second'] * 1e3:.0f}"))
    return rows


def flux_errors(fluxes: Sequence[np.ndarray], blends: Sequence[Blend]) -> str:
    """Median of abs(dF/F) in r over all sources of the blends."""
    true = np.concatenate([np.asarray(blend.truth["flux_r"]) for blend in blends])
    return f"{np.median(np.abs(np.concatenate(fluxes) / true - 1)):.3f}"


def ours(blends: Sequence[Blend], repeats: int, batch_size: int) -> tuple[list[tuple], list[jb.Fit]]:
    """Rows on batches and on single fits; the fits."""
    observations, positions = [b.observation for b in blends], [b.positions for b in blends]

    def batch():
        fits = jb.fit_batch(observations, positions, batch_size=batch_size)
        for fit in fits:
            _ = fit.covariance
        return fits

    fits, cold = timed(batch)
    warm = [timed(batch)[1] for _ in range(repeats)]
    catalogs = [timed(lambda: [fit.catalog for fit in fits])[1] for _ in range(repeats)]
    few = blends[:8]
    jb.fit(few[0].observation, few[0].positions)
    single = [timed(lambda b=b: jb.fit(b.observation, b.positions).covariance)[1] for b in few]
    error = flux_errors([np.asarray(fit.catalog["flux_r"]) for fit in fits], blends)
    n = len(blends)
    rows = [
        (f"jaxblend, fit_batch of {n}, covariances included", _ms(np.median(warm) / n), f"{cold:.1f}", n, error),
        ("jaxblend, one fit, covariance included", _ms(np.median(single)), "", len(few), ""),
        ("jaxblend, a blend's catalogue, to be added", _ms(np.median(catalogs) / n), "", n, ""),
    ]
    return rows, fits


def scarlet2(blends: Sequence[Blend]) -> list[tuple]:
    """Every call compiles anew, so a user waits for the second row; the third is the optimiser alone."""
    try:
        found = [scarlet2_fit.fit(*pixels(blend)[:4], tuple(BANDS)) for blend in blends]
    except ImportError:
        return [("scarlet2", "not installed", "", "", "")]
    error = flux_errors([fit.fluxes[:, REFERENCE] for fit in found], blends)
    later = found[1:] or found
    n = len(found)
    return [
        ("scarlet2, as a user waits", _ms(np.median([f.seconds_cold for f in later])), f"{found[0].seconds_cold:.1f}",
         n, error),
        ("scarlet2, optimiser without compilation", _ms(np.median([f.seconds_warm for f in found])), "", n, ""),
    ]  # fmt: skip


def astrophot(blends: Sequence[Blend], window: int) -> list[tuple]:
    """Sersic galaxies in r alone: AstroPhot's own model and its limits."""
    try:
        found = []
        for blend in blends:
            p = pixels(blend)
            found.append(
                astrophot_fit.fit(
                    p.images[REFERENCE],
                    p.weights[REFERENCE],
                    p.psfs[REFERENCE],
                    p.positions,
                    pixel_scale=p.pixel_scale,
                    window=window,
                )
            )
    except ImportError:
        return [("AstroPhot", "not installed", "", "", "")]
    seconds = np.median([fit.seconds_start + fit.seconds_fit for fit in found])
    error = flux_errors([fit.fluxes for fit in found], blends)
    return [(f"AstroPhot, r alone, Sersic, windows of {window}", _ms(seconds), "", len(found), error)]


def reliability(fits: Sequence[jb.Fit], starts: int) -> list[str]:
    excess, seconds = timed(lambda: excess_over_best(fits, starts))
    near = np.mean(excess < NEAR)
    return [
        "## The best known minimum",
        "",
        f"Best known: the least objective (half a chi2, the prior included) of the fit itself and of {starts} "
        f"dispersed starts for each blend, each followed to its end. Of {len(fits)} blends {near:.1%} end within "
        f"{NEAR} of it; the largest excess is {excess.max():.2f}, the 90th percentile {np.percentile(excess, 90):.3f}. "
        f"Outcome converged: {np.mean([fit.outcome is jb.Outcome.CONVERGED for fit in fits]):.1%}. "
        f"This search took {seconds:.0f} s.",
    ]


def main(
    number: int = 64,
    repeats: int = 5,
    batch_size: int = 16,
    peer_blends: int = 4,
    starts: int = 16,
    window: int = 32,
    cold: bool = True,
) -> None:
    """Fit, time, and write the tables.

    Parameters
    ----------
    number
        Blends in the batch.
    repeats
        Batches to take the median of.
    batch_size
        Blends in one call of the compiled program.
    peer_blends
        Blends that the peers fit, the first ones of the batch; 0 leaves the peers out.
    starts
        Dispersed starts per blend for the best known minimum; 0 leaves it out.
    window
        Side in pixels of AstroPhot's window about each galaxy.
    cold
        Whether to time first fits in new processes, too.
    """
    blends = simulated(number)
    rows, fits = ours(blends, repeats, batch_size)
    if peer_blends:
        few = blends[:peer_blends]
        error = flux_errors([np.asarray(fit.catalog["flux_r"]) for fit in fits[:peer_blends]], few)
        rows.append((f"jaxblend, the {peer_blends} blends of the peers alone", "", "", peer_blends, error))
        rows += scarlet2(few) + astrophot(few, window)
    lines = [
        "# Fitting",
        "",
        provenance("galsim", "scarlet2", "astrophot", "torch"),
        "",
        f"Blends of {N_SOURCES} bulge+disk galaxies in {len(BANDS)} bands, {STAMP} x {STAMP} pixels, drawn by GalSim "
        "with noise; true positions are given. Wall time per blend.",
        "",
        *table(("what", "ms per blend, median", "first call, s", "blends", "median abs(dF/F) in r"), rows),
        "",
    ]
    if cold:
        lines += [
            "A fit in a new process, with JAX_COMPILATION_CACHE_DIR set; the first call includes whatever is compiled:",
            "",
            *table(("cache on disk", "first fit, s", "second fit, ms"), first_fits()),
            "",
        ]
    write(RESULTS / "fit.md", lines + (reliability(fits, starts) if starts else []))


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


if __name__ == "__main__":
    tyro.cli(main)
