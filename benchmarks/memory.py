"""Peak memory of a batch of thousands of blends that comes from a generator and whose images are let go.

Run from the repository: python -m benchmarks.memory
"""

import resource
import sys
from collections.abc import Iterator

import numpy as np
import tyro

import jaxblend as jb
from benchmarks.blends import simulated
from benchmarks.peers.timing import timed
from benchmarks.reporting import RESULTS, provenance, table, write

BANDS, STAMP, N_SOURCES = "gri", 48, 2
GOAL = 2.0  # GB


def peak() -> float:
    """Largest resident memory of this process so far, GB (1e9 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def noisy(base: jb.Observation, model: np.ndarray, n: int, seed: int = 0) -> Iterator[jb.Observation]:
    """One scene with new noise each time, so that drawing it is not what is measured."""
    rng = np.random.default_rng(seed)
    weight = np.asarray(base.weight)
    for _ in range(n):
        yield base.replace(image=(model + rng.normal(size=model.shape) / np.sqrt(weight)).astype(np.float32))


def main(number: int = 10_000, batch_size: int = 16) -> None:
    """Fit, and write the peak.

    Parameters
    ----------
    number
        Blends.
    batch_size
        Blends in one call of the compiled program.
    """
    blend = simulated(1, bands=BANDS, stamp=STAMP, n_sources=N_SOURCES)[0]
    model, base = blend.isolated.sum(0), blend.observation
    rows = [("after imports and drawing", f"{peak():.3f}")]

    def fit(n: int) -> list[jb.Fit]:
        positions = (blend.positions for _ in range(n))
        return jb.fit_batch(noisy(base, model, n), positions, batch_size=batch_size, keep_observations=False)

    fit(2 * batch_size)
    rows.append((f"after {2 * batch_size} blends, compilation included", f"{peak():.3f}"))
    fits, seconds = timed(lambda: fit(number))
    rows.append((f"after {number} more", f"{peak():.3f}"))
    brightness = np.array([np.asarray(f.catalog["flux_r"]) for f in fits[:100]])
    scatter = brightness.std(0) / np.median([np.asarray(f.catalog["flux_r_err"]) for f in fits[:100]], axis=0)
    lines = [
        "# Memory",
        "",
        provenance(),
        "",
        f"`fit_batch` over a generator of {number} blends with `keep_observations=False`: {N_SOURCES} galaxies, "
        f"{len(BANDS)} bands, {STAMP} x {STAMP} pixels, one scene with new noise each time; all results are kept. "
        f"{seconds:.0f} s, {seconds / number * 1e3:.1f} ms per blend.",
        "",
        *table(("", "peak resident memory, GB"), rows),
        "",
        f"Goal: below {GOAL:.0f} GB; {'met' if peak() < GOAL else 'missed'}. Check of the fits: scatter of the r flux "
        f"of the first {len(brightness)} over its error bar, per source: {', '.join(f'{s:.2f}' for s in scatter)}.",
    ]
    write(RESULTS / "memory.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
