"""Speed of posterior sampling: importance sampling against the fit, and NUTS against the samplers of other packages.

Run from the repository: python -m benchmarks.sample

Every measurement goes to a table beside the report as soon as it is made, and the report is written from these tables:
parts can be run one at a time, and in several environments. Run it without JAX_COMPILATION_CACHE_DIR, so that the
seconds of compilation are those of a first run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from benchmarks import sample_blends, sample_importance, sample_report
from benchmarks.peers.sample_chains import Chains, worth
from benchmarks.reporting import RESULTS, write
from benchmarks.sample_blends import SIX, STAMP_SIZE, R, sampled
from benchmarks.sample_nuts import SAMPLERS, Length, Problem
from benchmarks.sample_tables import BLENDS, CHAINS, measured, read, replace

Peer = Literal["sersic", "pixels", "unwhitened", "unwhitened64", "scarlet2", "pysersic"]
NUTS_SOURCES = 3


def chains(problem: Problem, name: str, length: Length, repeats: int, blend: int) -> Iterator[dict]:
    """A row per run of one sampler, with seeds 0, 1 ...; one that cannot run gives its reason, once."""
    row = {
        "sampler": name,
        "bands": problem.bands,
        "sources": len(problem.sampled.positions),
        "blend": blend,
        **vars(length),
        "measured": measured(*SAMPLERS[name].packages),
    }
    for seed in range(repeats):
        try:
            found = SAMPLERS[name].sample(problem, length, seed)
        except Exception as error:  # whatever stops a peer is a result
            if SAMPLERS[name].own:
                raise
            yield {**row, "seed": seed, **_costs(None), "reason": " ".join(f"{type(error).__name__}: {error}".split())}
            return
        yield {**row, "seed": seed, **_costs(found), "reason": ""}


def _costs(found: Chains | None) -> dict[str, object]:
    columns = ("median_ess", "min_ess", "r_hat", "leaps", "compile_seconds", "warmup_seconds", "draws_seconds")
    if found is None:
        return {"parameters": 0, "divergences": 0, "worst": "", **dict.fromkeys(columns, np.nan)}
    effective, r_hat, names = worth(found.draws)
    values = (np.median(effective), effective.min(), r_hat.max(), found.leaps, found.seconds_compile,
              found.seconds_warmup, found.seconds_draws)  # fmt: skip
    return {
        "parameters": found.n_parameters,
        "divergences": found.divergences,
        "worst": names[int(np.argmin(effective))],
        **dict(zip(columns, map(float, values), strict=True)),
    }


def report(results: Path) -> None:
    """Write the report from what has been measured."""
    lines = [
        "# Sampling",
        "",
        f"Blends drawn by GalSim as LSST would see them in ten years, {STAMP_SIZE} x {STAMP_SIZE} pixels, galaxies of "
        "i < 25.3 and S/N > 10 within 2.4 arcsec of the centre.",
        "",
    ]
    for name, section in ((BLENDS, sample_importance.report), (CHAINS, sample_report.report)):
        if (rows := read(results / name)) is not None:
            lines += section(rows)
    write(results / "sample.md", lines)


def main(
    blends: int = 32,
    sources: tuple[int, ...] = (1, 2, 3, 4, 5),
    nuts: bool = True,
    peers: tuple[Peer, ...] = ("sersic", "pixels", "unwhitened", "scarlet2", "pysersic"),
    repeats: int = 3,
    peer_repeats: int = 1,
    length: Length = Length(4, 500, 300),  # noqa: B008 (frozen)
    peer_length: Length = Length(4, 500, 500),  # noqa: B008
    blend: int = 0,
    catalog: Path | None = None,
    results: Path = RESULTS,
) -> None:
    """Measure, add to the tables, and write the report.

    Parameters
    ----------
    blends
        For importance sampling, of each number of sources; 0 leaves it out. Batches that are not full are filled up,
        so that the time per blend is that of many blends only for multiples of 16, one for each core at least.
    sources
        Numbers of sources for importance sampling.
    nuts
        Whether to run NUTS: jaxblend, and then the peers, which can take hours.
    peers
        Samplers beside jaxblend: "sersic" and "pixels" are jaxblend's own, with Sersic profiles and with exact=True.
    repeats, peer_repeats
        Batches of blends, and runs of a sampler, to take medians of: jaxblend's and the peers'.
    length, peer_length
        Chains, draws of each and warm-up of jaxblend's samplers, and of other packages'.
    blend
        Number of the blend of three that NUTS samples.
    catalog
        A CATSIM table, in place of the built-in population.
    results
        Folder of the tables and the report.
    """
    if blends:
        for row in sample_importance.measure(blends, sources, repeats, catalog):
            replace(results / BLENDS, [row], same=sample_importance.SAME)
    if nuts:
        drawn = sample_blends.blends(blend + 1, NUTS_SOURCES, catalog=catalog)[blend]
        for bands in (SIX, R):
            problem = Problem(sampled(drawn, bands), bands)
            for name in ("jaxblend", *peers):
                if bands in SAMPLERS[name].bands:
                    own = SAMPLERS[name].own
                    options = (length, repeats) if own else (peer_length, peer_repeats)
                    replace(results / CHAINS, chains(problem, name, *options, blend), same=("sampler", "bands"))
    report(results)


if __name__ == "__main__":
    tyro.cli(main)
