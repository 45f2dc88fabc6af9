"""Least-squares solvers: jaxblend's Levenberg-Marquardt against optimistix's, on the same blends from the same start.

Run from the repository: python -m benchmarks.solver
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tyro

import jaxblend as jb
from benchmarks.blends import BANDS, N_SOURCES, STAMP, on_device, plain_start, simulated
from benchmarks.peers.compile_time import CompileClock
from benchmarks.peers.importing import require
from benchmarks.peers.timing import timed
from benchmarks.reporting import RESULTS, provenance, table, write
from jaxblend.fitting.prepare import prepare
from jaxblend.forward.likelihood import weighted_residual
from jaxblend.infer.map import maximum_a_posteriori
from jaxblend.infer.posterior import Blend, in_bands, objective

log = logging.getLogger("benchmarks.solver")
NEAR = 0.5  # of the objective, half a chi2


class Search(NamedTuple):
    """A way from a start (K, D) to a minimum; ``run`` gives ``u`` and the number of steps."""

    name: str
    run: Callable[[Blend, jax.Array], tuple[jax.Array, jax.Array]]


def residual(u: jax.Array, blend: Blend) -> jax.Array:
    """All residuals of a blend, the prior's among them: half of the sum of their squares is the objective."""
    sources = blend.sources(u)
    parts = [
        weighted_residual(in_bands(sources, bands), exposure).reshape(-1) for exposure, bands in blend.with_bands()
    ]
    return jnp.concatenate([u.reshape(-1), *parts])


def ours() -> list[Search]:
    def from_one(blend, start):
        # Two starts that are the same: from one start, and still the whole program.
        found = maximum_a_posteriori(blend, jnp.stack([start, start]))
        return found.u, found.steps

    def from_own(blend, _):
        found = maximum_a_posteriori(blend)
        return found.u, found.steps

    return [Search("jaxblend, from the same start", from_one), Search("jaxblend, from its own starts", from_own)]


def theirs(tolerance: float, most: int) -> list[Search]:
    """Optimistix with the linear solvers of lineax; its Jacobian is by forward differentiation."""
    optimistix, lineax = (require(name, "optimistix lineax") for name in ("optimistix", "lineax"))

    def search(solver):
        def run(blend, start):
            found = optimistix.least_squares(residual, solver, start, args=blend, max_steps=most, throw=False)
            return found.value, found.stats["num_steps"]

        return run

    def limits(**more):
        return {"rtol": tolerance, "atol": tolerance, **more}

    return [
        Search("optimistix LevenbergMarquardt, QR", search(optimistix.LevenbergMarquardt(**limits()))),
        Search(
            "optimistix LevenbergMarquardt, Cholesky of the normal equations",
            search(optimistix.LevenbergMarquardt(**limits(linear_solver=lineax.Normal(lineax.Cholesky())))),
        ),
        Search(
            "optimistix Dogleg, Cholesky of the normal equations",
            search(optimistix.Dogleg(**limits(linear_solver=lineax.Normal(lineax.Cholesky())))),
        ),
        Search("optimistix BFGS on the objective", _bfgs(optimistix, limits(), most)),
    ]


def _bfgs(optimistix, limits, most):
    def run(blend, start):
        found = optimistix.minimise(
            objective, optimistix.BFGS(**limits), start, args=blend, max_steps=10 * most, throw=False
        )
        return found.value, found.stats["num_steps"]

    return run


def measure(search: Search, blends: list[Blend], repeats: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Objectives, seconds and steps of each blend, and the seconds that the program took to compile."""
    run = eqx.filter_jit(lambda blend: search.run(blend, plain_start(blend)))
    value = eqx.filter_jit(objective)
    with CompileClock() as clock:
        jax.block_until_ready(run(blends[0]))
        compilation = clock.seconds
    values, seconds, steps = [], [], []
    for blend in blends:
        runs = [timed(lambda blend=blend: jax.block_until_ready(run(blend))) for _ in range(repeats)]
        u, taken = runs[-1][0]
        values.append(float(value(u, blend)))
        steps.append(int(taken))
        seconds.append(float(np.median([spent for _, spent in runs])))
    return np.array(values), np.array(seconds), np.array(steps), compilation


def main(
    number: int = 4,
    repeats: int = 1,
    tolerance: float = 1e-4,
    most: int = 60,
    sources: int = N_SOURCES,
    bands: str = BANDS,
    stamp: int = STAMP,
) -> None:
    """Solve, time, and write the table.

    Parameters
    ----------
    number
        Blends.
    repeats
        Runs of each blend to take the median of.
    tolerance
        Relative and absolute, of optimistix's solvers.
    most
        Their largest number of steps.
    sources, bands, stamp
        Galaxies in a blend, LSST bands, and the side in pixels.
    """
    blends = [_blend(b) for b in simulated(number, bands=bands, stamp=stamp, n_sources=sources)]
    searches = [*ours()]
    try:
        searches += theirs(tolerance, most)
    except ImportError as error:
        print(error)
    found = {}
    for search in searches:
        found[search.name] = measure(search, blends, repeats)
        log.info("%s: %s ms", search.name, np.round(1e3 * found[search.name][1]))
    best = np.nanmin([values for values, *_ in found.values()], axis=0)
    rows = []
    for name, (values, seconds, steps, compilation) in found.items():
        excess = np.where(np.isfinite(values), values - best, np.inf)
        rows.append((name, f"{np.median(excess):.3f}", f"{excess.max():.3g}", f"{np.mean(excess < NEAR):.0%}",
                     f"{np.median(seconds) * 1e3:.0f}", f"{np.median(steps):.0f}", f"{compilation:.1f}"))  # fmt: skip
    lines = [
        "# Least-squares solvers",
        "",
        provenance("optimistix", "lineax"),
        "",
        f"{number} blends of {sources} galaxies in {bands}, {stamp} x {stamp} pixels, in float32. All but one start "
        "from prior-typical shapes with the fluxes that then fit best. Excess: objective (half a chi2, the prior "
        "included) above the best that any row found for that blend. jaxblend's rows end with the exact curvature, "
        f"from which the covariance comes; the others' do not. optimistix: tolerances {tolerance:g}, at most {most} "
        "steps (BFGS ten times as many); what ran into the limit counts with what it had.",
        "",
        *table(
            ("solver", "median excess", "largest", f"within {NEAR}", "ms, median", "steps, median", "compilation, s"),
            rows,
        ),
    ]
    write(RESULTS / "solver.md", lines)


def _blend(simulated_blend) -> Blend:
    item = prepare((simulated_blend.observation,), simulated_blend.positions, model=jb.BulgeDisk())
    item = on_device(item)
    return eqx.filter_jit(lambda it: it.blend())(item)


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    tyro.cli(main)
