"""The compiled program: blends of one padded shape, one after the other on a CPU, side by side elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxblend.fitting.photons import has_photon_noise, with_photon_noise
from jaxblend.fitting.prepare import Item
from jaxblend.infer.each import each
from jaxblend.infer.map import MapResult, maximum_a_posteriori, polished
from jaxblend.infer.summary import Summary, summarise

__all__ = ["compute", "shape_key", "solve"]


def shape_key(item: eqx.Module):
    """Blends with equal keys share a program: equal structure and equal shapes."""
    arrays, static = eqx.partition(item, eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    return structure, tuple((x.shape, str(x.dtype)) for x in leaves), tuple(map(repr, jax.tree.leaves(static)))


def solve(items: Sequence[Item], reference: int) -> list[tuple[MapResult, Summary, Any]]:
    """Fit items of one key; the results are NumPy, those of ``compute`` per item."""
    stacked = jax.tree.map(lambda *x: np.stack(x) if eqx.is_array(x[0]) else x[0], *items)
    results, *rest = jax.tree.map(np.asarray, _solve(stacked, reference))
    own = [jax.tree.map(lambda x, i=i: x[i], (results, *rest)) for i in range(len(items))]
    return [(_without_absent_rivals(result), *others) for result, *others in own]


def _without_absent_rivals(result: MapResult) -> MapResult:
    """Most blends have none, and their places would be most of what a fit keeps."""
    there = np.isfinite(result.rival_objective)
    rivals = (result.rival_u, result.rival_objective, result.rival_hessian)
    return eqx.tree_at(lambda r: (r.rival_u, r.rival_objective, r.rival_hessian), result, [x[there] for x in rivals])


def compute(item: Item, reference: int) -> tuple[MapResult, Summary, Any]:
    """Fit one blend, on the device; last come the root weights that were fitted with, if not those of the item."""
    # Accelerators else multiply matrices with ten bits, which curvatures do not survive.
    with jax.default_matmul_precision("highest"):
        blend = item.blend()
        result = maximum_a_posteriori(blend)
        if not has_photon_noise(item):
            return result, summarise(result.u, blend, reference), None
        item = with_photon_noise(item, result.u)
        blend = item.blend()
        result = polished(result, blend)
        return result, summarise(result.u, blend, reference), item.root_weights


@eqx.filter_jit
def _solve(stacked: Item, reference: int):
    arrays, static = eqx.partition(stacked, eqx.is_array)
    return each(lambda a: compute(eqx.combine(a, static), reference), jax.tree.map(jnp.asarray, arrays))
