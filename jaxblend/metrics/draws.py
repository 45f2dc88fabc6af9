"""Posterior draws at the door: checked, and reduced to draws minus truth, on which every calibration test rests."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

__all__ = ["centred", "numbers", "relative_weights"]


def centred(draws: Any, truth: Any) -> Float[Array, "N S *D"]:
    """Draws minus truth, scaled to 1 at the largest, from draws (N, S) or (N, S, D) and truths (N,) or (N, D).

    The order of draws and truth is in the sign. The subtraction is done in float64 where the input is, so that a
    right ascension keeps its arcseconds when what follows is float32. Inside ``jax.jit`` shapes alone are checked.
    """
    traced = _traced(draws, truth)
    xp = jnp if traced else np
    draws, truth = (jnp.asarray(a) if traced else numbers(n, a) for n, a in (("draws", draws), ("truth", truth)))
    _check_shapes(draws.shape, truth.shape)
    if not traced:
        _check_finite("draws", draws)
        _check_finite("truth", truth)
    difference = draws - truth[:, None]
    largest = xp.abs(difference).max(axis=1, keepdims=True)
    return jnp.asarray(difference / xp.where(largest > 0, largest, 1.0), float)


def relative_weights(weights: Any, shape: tuple[int, ...]) -> Float[Array, "N S"]:
    """Weights (N, S) that add up to 1 for every source; equal ones for None."""
    shape = shape[:2]
    if weights is None:
        return jnp.full(shape, 1.0 / shape[1])
    traced = _traced(weights)
    weights = jnp.asarray(weights) if traced else numbers("weights", weights)
    if weights.shape != shape:
        raise ValueError(f"weights must be one per draw, {shape}, got shape {weights.shape}")
    if not traced:
        _check_finite("weights", weights)
        _check_positive(weights)
    weights = weights / weights.max(axis=1, keepdims=True)
    return jnp.asarray(weights / weights.sum(axis=1, keepdims=True), float)


def numbers(name: str, value: Any) -> Float[np.ndarray, "..."]:
    """An array of float64, NaN where masked."""
    try:
        if np.iscomplexobj(value):
            raise TypeError
        return np.ma.filled(np.ma.asarray(value, float), np.nan)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of real numbers, got {type(value).__name__}") from None


def _traced(*values: Any) -> bool:
    return any(isinstance(value, Tracer) for value in values)


def _check_shapes(draws: tuple[int, ...], truth: tuple[int, ...]) -> None:
    if len(draws) not in (2, 3) or truth != draws[:1] + draws[2:]:
        raise ValueError(
            f"draws must be (sources, draws) and truth (sources,), or (objects, draws, quantities) and (objects, "
            f"quantities); got shapes {draws} and {truth}"
        )
    if 0 in draws:
        raise ValueError(f"draws is empty, shape {draws}: give at least one source and one draw")


def _check_finite(name: str, array: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{name} is NaN or infinite for {len(bad)} of {len(array)} sources (rows {bad[:10].tolist()}): leave their "
            "rows out of draws, truth and weights alike, and report how many those were"
        )


def _check_positive(weights: np.ndarray) -> None:
    negative, empty = np.sum(weights < 0), np.sum(~(weights > 0).any(axis=1))
    if negative:
        raise ValueError(
            f"weights has {negative} negative values (lowest {weights.min():.3g}): they must be >= 0; of log weights "
            "give exp(log_weights - log_weights.max(axis=1, keepdims=True))"
        )
    if empty:
        raise ValueError(f"weights are all 0 for {empty} of {len(weights)} sources: leave those sources out")
