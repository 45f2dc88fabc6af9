"""Statistics of sources in bins, or in one bin of all, with errors from a bootstrap of blends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxblend.evaluation.measures import OUTLIER, Measure
from jaxblend.metrics.bootstrap import in_bins
from jaxblend.metrics.photometry import residual_summary
from jaxblend.metrics.shear_bias import ShearBias, shear_bias

__all__ = ["ALL", "Number", "Resampling", "bias_of_shapes", "numbers_of_sources"]

ALL = (-np.inf, np.inf)


class Resampling(NamedTuple):
    """How errors are had: a key, and how many times blends are drawn again."""

    key: Key[Any, ""]
    n_bootstrap: int


class Number(NamedTuple):
    """A statistic in each of J bins, its error (NaN for a single blend), and how many went into it."""

    value: Float[np.ndarray, " J"]
    error: Float[np.ndarray, " J"]
    count: Int[np.ndarray, " J"]


def numbers_of_sources(
    columns: Mapping[str, Float[np.ndarray, " N"]],
    measures: Sequence[Measure],
    *,
    values: Float[np.ndarray, " N"],
    edges: Any,
    blend: Int[np.ndarray, " N"],
    resampling: Resampling,
) -> dict[str, Number]:
    """Take the statistic of each measure, of those for which there is any value."""
    known = [m for m in measures if m.column in columns and not np.isnan(columns[m.column]).all()]
    statistics = tuple(dict.fromkeys(measure.statistic for measure in known))
    if not known:
        return {}
    parts = {s: [measure for measure in known if measure.statistic == s] for s in statistics}
    matrices = [np.stack([columns[m.column] for m in parts[s]], axis=1) for s in statistics]
    found = in_bins(_summary(statistics), matrices, values=values, edges=edges, blend=blend, **resampling._asdict())
    numbers = {}
    for s, matrix in zip(statistics, matrices, strict=True):
        counts = count_in_bins(~np.isnan(matrix), values, edges)
        errors = found.error[s] if _several(blend) else np.full_like(found.value[s], np.nan)
        for i, measure in enumerate(parts[s]):
            numbers[measure.name] = Number(found.value[s][:, i], errors[:, i], counts[:, i])
    return {measure.name: numbers[measure.name] for measure in known}


def bias_of_shapes(
    g: Float[np.ndarray, "N 2"],
    true_g: Float[np.ndarray, "N 2"],
    *,
    values: Float[np.ndarray, " N"],
    edges: Any,
    blend: Int[np.ndarray, " N"],
    resampling: Resampling,
) -> dict[str, Number]:
    """Multiplicative and additive bias ``m1, m2, c1, c2`` of ellipticities; of none, if there is nothing to compare."""
    both = np.isfinite(g).all(axis=1) & np.isfinite(true_g).all(axis=1)
    if not both.any():
        return {}
    found = in_bins(_bias, (g, true_g), values=values, edges=edges, blend=blend, **resampling._asdict())
    count = count_in_bins(np.asarray(both)[:, None], values, edges)[:, 0]
    numbers = {}
    for name in ("m", "c"):
        value, error = getattr(found.value, name), getattr(found.error, name)
        error = error if _several(blend) else np.full_like(value, np.nan)
        numbers |= {f"{name}{i + 1}": Number(value[:, i], error[:, i], count) for i in range(2)}
    return numbers


def count_in_bins(which: np.ndarray, values: np.ndarray, edges: Any) -> Int[np.ndarray, "J M"]:
    """How many rows of each column (N, M) of booleans lie in each bin; the last bin has its upper edge."""
    return np.stack([np.histogram(values[column], edges)[0] for column in which.T], axis=1)


def _several(blend: np.ndarray) -> bool:
    """Whether there is more than one blend: resamples of one are all the same, which is no error of 0."""
    return len(np.unique(blend)) > 1


@cache
def _summary(names: tuple[str, ...]) -> Callable[..., dict[str, Float[Array, " _"]]]:
    """Return a function, the same for the same names, so that it is compiled once."""

    def summary(*matrices: Float[Array, "N _"], where: Any) -> dict[str, Float[Array, " _"]]:
        return {
            name: getattr(
                residual_summary(matrix, where=where[:, None] & ~jnp.isnan(matrix), limit=OUTLIER, axis=0), name
            )
            for name, matrix in zip(names, matrices, strict=True)
        }

    return summary


def _bias(g: Float[Array, "N 2"], true_g: Float[Array, "N 2"], *, where: Any) -> ShearBias:
    return shear_bias(g, true_g, where=where & jnp.isfinite(g + true_g).all(axis=1))
