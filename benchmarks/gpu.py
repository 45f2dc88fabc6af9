"""Blends per second against the number of blends in one call: rendering, fits, importance sampling and NUTS, float32.

Run from the repository: python -m benchmarks.gpu

It needs jaxblend's JAX stack and NumPyro, neither astropy nor GalSim.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

import jaxblend as jb
from benchmarks.device_blends import drawn, stacked
from benchmarks.peers.compile_time import CompileClock
from benchmarks.peers.timing import median_seconds, timed
from benchmarks.reporting import RESULTS, provenance, table
from benchmarks.roofline import Cost, Peak, cost, measured_peak
from jaxblend.fitting.buckets import reference_band
from jaxblend.fitting.prepare import Item, prepare
from jaxblend.fitting.solve import compute
from jaxblend.forward.render import render
from jaxblend.infer.columns import exact_normal_equations
from jaxblend.infer.each import each
from jaxblend.infer.posterior import in_bands, objective
from jaxblend.infer.surrogate import Surrogate
from jaxblend.sampling.compute import Task, importance_draws, nuts_draws

METHODS = ("render", "gradient", "curvature", "stand-in", "fit", "importance", "nuts")


class Work(NamedTuple):
    """One method: a function of stacked blends and their keys.

    Also what one step costs for one blend, and how many steps a blend has taken on average, where this is known.
    """

    many: Callable[[Any, jax.Array], Any]
    trees: list[Any]
    step: Callable[[], Cost] | None = None
    steps: Callable[[Any], float] = lambda result: 1.0


def render_one(item: Item, key: jax.Array) -> jax.Array:
    """The image of a blend at the middle of the prior."""
    blend = item.blend()
    sources, (exposure, bands) = blend.sources(_middle(item)), blend.with_bands()[0]
    return render(in_bands(sources, bands), exposure.frame, exposure.transfer)


def gradient_one(item: Item, key: jax.Array) -> Any:
    """Value and gradient of the objective in pixels."""
    blend = item.blend()
    return jax.value_and_grad(lambda u: objective(u, blend))(_middle(item))


def curvature_one(item: Item, key: jax.Array) -> Any:
    """The normal equations with the exact Jacobian: one late step of a fit."""
    return exact_normal_equations(_middle(item), item.blend())


def stand_in_one(task: Task, key: jax.Array) -> Any:
    """Making the density that samplers evaluate, and one gradient of it: a leap of NUTS, and what comes before all."""
    return leap_one(task.surrogate(), key)


def leap_one(surrogate: Surrogate, key: jax.Array) -> Any:
    """One gradient of that density: a leap of NUTS."""
    return jax.value_and_grad(surrogate)(jax.random.normal(key, (surrogate.centre.size,)))


def _middle(item: Item) -> jax.Array:
    return jnp.zeros((len(item.present), item.prior.size))


def works(options: argparse.Namespace) -> dict[str, Work]:
    """Each method that was asked for, and distinct blends for it."""
    observations, places = drawn(options.distinct, bands=options.bands, n_sources=options.sources, stamp=options.stamp)
    items = [prepare([o], where, model=jb.BulgeDisk()) for o, where in zip(observations, places, strict=True)]
    tasks = []
    if {"stand-in", "importance", "nuts"} & set(options.methods):
        tasks = [Task.of(fit) for fit in jb.fit_batch(observations, places)]
    reference, length = reference_band(tuple(observations[:1])), (options.draws, options.warmup, options.chains)
    per_kept = (options.warmup + options.draws) / options.draws
    known = {
        "render": _each(render_one, items),
        "gradient": _each(gradient_one, items),
        "curvature": _each(curvature_one, items),
        "stand-in": _each(stand_in_one, tasks),
        "fit": _each(lambda item, key: compute(item, reference)[0], items)._replace(step=None),
        "importance": Work(lambda stack, keys: importance_draws(stack, keys, options.draws), tasks),
        "nuts": Work(
            lambda stack, keys: nuts_draws(stack, keys, *length, False),
            tasks,
            lambda: _cost_of_one(leap_one, eqx.filter_jit(Task.surrogate)(tasks[0])),
            lambda drawn: per_kept * float(drawn.run[0].leaps.sum((1, 2)).mean()),
        ),
    }
    return {name: known[name] for name in options.methods}


def _each(one: Callable[[Any, jax.Array], Any], trees: list[Any]) -> Work:
    """A method that knows one blend only; products keep all bits of float32, as in a fit."""

    def many(stack, keys):
        arrays, static = eqx.partition(stack, eqx.is_array)
        with jax.default_matmul_precision("highest"):
            return each(lambda given: one(eqx.combine(given[0], static), given[1]), (arrays, keys))

    return Work(many, trees, lambda: _cost_of_one(one, trees[0]))


def sweep(name: str, work: Work, options: argparse.Namespace, peak: Peak) -> Iterator[dict[str, Any]]:
    """A row for each batch size, until the memory is full or a call takes too long."""
    step = None if work.step is None else work.step()
    for size in options.batch_sizes:
        arrays, static = eqx.partition(stacked(work.trees, size), eqx.is_array)
        given = arrays, jax.random.split(jax.random.key(1), size)
        try:
            with CompileClock() as clock:
                ready = jax.jit(partial(_of_arrays, work.many, static)).lower(*given).compile()
            call = partial(_finished, ready, given)
            result, first = timed(call)
            counted = None if step is None else step.times(work.steps(result))
            del result  # the next call's may need its place
            seconds = median_seconds(call, repeats=options.repeats if first < options.longest / 4 else 1)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            print(f"{name}, {size} blends: the memory is full", flush=True)
            return
        row = _row(name, size, seconds, clock.seconds, counted, options, peak)
        print(json.dumps(row), flush=True)
        yield row
        if seconds > options.longest:
            return


def _finished(ready: Callable, given: tuple) -> Any:
    return jax.block_until_ready(ready(*given))


def _of_arrays(function: Callable, static: Any, arrays: Any, keys: jax.Array) -> Any:
    """A function of trees as one of their arrays."""
    return function(eqx.combine(arrays, static), keys)


def _cost_of_one(one: Callable, tree: Any) -> Cost:
    arrays, static = eqx.partition(tree, eqx.is_array)
    return cost(partial(_of_arrays, one, static), jax.tree.map(jnp.asarray, arrays), jax.random.key(0))


def _row(name, size, seconds, compilation, counted: Cost | None, options, peak) -> dict[str, Any]:
    row = {
        "method": name,
        "batch": size,
        "seconds": seconds,
        "compile_seconds": compilation,
        "blends_per_second": size / seconds,
        "galaxies_per_second": size * options.sources / seconds,
    }
    if counted is not None:
        row |= {
            "flops_per_blend": counted.flops,
            "bytes_per_blend": counted.traffic,
            "flops_per_second": size * counted.flops / seconds,
            "bytes_per_second": size * counted.traffic / seconds,
            "of_roofline": size * counted.bound(peak) / seconds,
        }
    return row


def report(found: dict[str, Any]) -> list[str]:
    """Lines of the Markdown page."""
    peak, made = found["peak"], found["blends"]
    head = ("what", "blends in a call", "blends/s", "galaxies/s", "ms per call", "compilation, s",
            "MFLOP per blend", "MB per blend", "GFLOP/s", "GB/s", "of the roofline")  # fmt: skip
    rows = [
        (r["method"], r["batch"], f"{r['blends_per_second']:.4g}", f"{r['galaxies_per_second']:.4g}",
         f"{r['seconds'] * 1e3:.4g}", f"{r['compile_seconds']:.1f}", *_counts(r))
        for r in found["rows"]
    ]  # fmt: skip
    return [
        f"# Batches on {found['device']}",
        "",
        found["provenance"],
        "",
        f"Blends of {made['sources']} galaxies in {len(made['bands'])} bands ({made['bands']}), {made['stamp']} x "
        f"{made['stamp']} pixels, float32; {made['distinct']} different ones, again and again. Importance sampling "
        f"takes {made['draws']} draws, NUTS {made['chains']} chains of {made['warmup']} steps and as many draws.",
        "",
        f"Measured on the device: {peak['flops'] / 1e9:.4g} GFLOP/s in a product of matrices in full float32, "
        f"{peak['traffic'] / 1e9:.4g} GB/s in a copy. The roofline is the time in which these two would do the "
        "operations and bytes that XLA counts for one blend, without those inside of factorisations. NUTS counts as "
        "one gradient of the stand-in for each leap; steps of the warm-up, whose leaps are not kept, are taken to have "
        "as many as those after it. Fits and importance sampling have no count: they do not tell all of their steps. "
        "Making the PSF's transfer functions is part of everything. `gradient` is the objective's value and gradient "
        "in pixels, `curvature` the normal equations with the exact Jacobian, `stand-in` what a sampler evaluates, its "
        "making included.",
        "",
        *table(head, rows),
        "",
    ]


def _counts(row):
    if "flops_per_blend" not in row:
        return ("",) * 5
    return (f"{row['flops_per_blend'] / 1e6:.4g}", f"{row['bytes_per_blend'] / 1e6:.4g}",
            f"{row['flops_per_second'] / 1e9:.4g}", f"{row['bytes_per_second'] / 1e9:.4g}",
            f"{row['of_roofline']:.2%}")  # fmt: skip


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    on_cpu = jax.default_backend() == "cpu"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--methods", nargs="+", choices=METHODS, default=METHODS, help="what to measure")
    sizes = [1, 16, 64] if on_cpu else [1, 16, 64, 256, 1024, 4096]
    add("--batch-sizes", nargs="+", type=int, default=sizes, help="blends in one call")
    add("--bands", default="ugrizy", help="some of ugrizy, three at least")
    add("--sources", type=int, default=3, help="galaxies of a blend")
    add("--stamp", type=int, default=64, help="width and height, pixels")
    add("--distinct", type=int, default=64, help="different blends")
    add("--draws", type=int, default=400, help="of importance sampling, and of each chain")
    add("--warmup", type=int, default=300, help="steps of a chain before")
    add("--chains", type=int, default=4, help="of NUTS")
    add("--repeats", type=int, default=5, help="calls to take the median of")
    add("--longest", type=float, default=60.0, help="seconds of a call after which no larger batch is tried")
    add("--matrix", type=int, default=2048 if on_cpu else 8192, help="side of the matrices of the peak")
    add("--copy", type=int, default=200 if on_cpu else 1000, help="megabytes of the array of the peak")
    add("--out", type=Path, default=RESULTS, help="folder of gpu.json and gpu.md")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the table after each method."""
    options = options_of(arguments)
    peak = measured_peak(options.matrix, options.copy)
    names = ("bands", "sources", "stamp", "distinct", "draws", "warmup", "chains")
    found = {
        "device": jax.devices()[0].device_kind,
        "provenance": provenance("numpyro", "equinox"),
        "peak": peak._asdict(),
        "blends": {name: getattr(options, name) for name in names},
        "rows": [],
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for name, work in works(options).items():
        for row in sweep(name, work, options, peak):
            found["rows"].append(row)
            _replace(options.out / "gpu.json", json.dumps(found, indent=1) + "\n")
            _replace(options.out / "gpu.md", "\n".join(report(found)))
    print("\n".join(report(found)))


def _replace(path: Path, text: str) -> None:
    """Write a file as a whole, or not at all."""
    new = path.with_suffix(path.suffix + ".new")
    new.write_text(text)
    os.replace(new, path)


if __name__ == "__main__":
    main()
