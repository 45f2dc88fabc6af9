"""Many blends through one program: sorted into buckets of one shape, stacked, run a chunk at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import equinox as eqx
import jax
import numpy as np

from jaxblend.fitting.solve import shape_key
from jaxblend.fitting.threads import threads
from jaxblend.sampling.compute import Drawn, Task

__all__ = ["in_batches"]

_ON_ACCELERATORS = 16


def in_batches(
    program: Callable, tasks: Sequence[Task], keys, *options, batch_size: int | None = None, at_once: int | None = None
) -> list[Drawn]:
    """Run ``program(stacked tasks, keys, *options)`` over all tasks; the result of each is NumPy, in their order.

    ``batch_size`` is 1 on a CPU, where blends run one after the other in any case, and 16 elsewhere, by default. Two
    to four chunks run at once, or ``at_once``.
    """
    size = batch_size or (1 if jax.default_backend() == "cpu" else _ON_ACCELERATORS)
    buckets: dict = defaultdict(list)
    for i, task in enumerate(tasks):
        buckets[shape_key(task)].append(i)
    chunks = [members[j : j + size] for members in buckets.values() for j in range(0, len(members), size)]

    def run(chunk):
        # One that is not full is filled up with its first blend, so that it is the same program.
        full = chunk if len(chunk) == 1 else chunk + chunk[:1] * (size - len(chunk))
        stacked = jax.tree.map(lambda *x: np.stack(x) if eqx.is_array(x[0]) else x[0], *[tasks[i] for i in full])
        drawn = jax.tree.map(np.asarray, program(stacked, keys[np.array(full)], *options))
        return {i: jax.tree.map(lambda x, j=j: x[j], drawn) for j, i in enumerate(chunk)}

    with ThreadPoolExecutor(at_once or threads()) as pool:
        found = {i: drawn for part in pool.map(run, chunks) for i, drawn in part.items()}
    return [found[i] for i in range(len(tasks))]
