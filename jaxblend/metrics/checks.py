"""The door of a metric: arrays of one shape, finite where they count. Inside ``jax.jit`` shapes alone are seen."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from jaxblend.metrics.draws import numbers

__all__ = ["alike", "booleans", "check_axes", "mask", "real"]


def alike(where: Any = None, /, **named: Any) -> tuple[Array, ...]:
    """Check arrays of one shape, given by name, and mask them: ``a, b, where = alike(where, a=a, b=b)``.

    Parameters
    ----------
    where : booleans that broadcast to that shape, optional
        What counts; all by default.
    **named : arrays
        Under the names that the user knows them by.

    Returns
    -------
    tuple of arrays
        The arrays in their order, 0 where they do not count (NaN there does no harm, in values or gradients), and
        last ``where`` in full.

    Raises
    ------
    ValueError
        If shapes differ, or if anything that counts is NaN or infinite (not seen inside ``jax.jit``).
    """
    arrays = {name: real(name, value) for name, value in named.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        given = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{' and '.join(shapes)} must have one shape, got {given}; broadcast them first")
    where = mask(where, next(iter(shapes.values())))
    for name, array in arrays.items():
        _check_finite(name, array, where)
    return *(jnp.where(where, array, 0.0) for array in arrays.values()), where


def real(name: str, value: Any) -> Float[Array, "..."]:
    """Floating-point array of JAX, in the precision of the input where that has one; NaN where masked."""
    if isinstance(value, Tracer):
        array = value
    else:
        precise = numbers(name, value)
        array = jnp.asarray(precise.astype(np.float32) if getattr(value, "dtype", None) == np.float32 else precise)
    return array if jnp.issubdtype(array.dtype, jnp.floating) else jnp.asarray(array, float)


def booleans(name: str, value: Any) -> Bool[Array, "..."]:
    """Boolean array of JAX; other numbers are refused."""
    array = value if isinstance(value, Tracer) else jnp.asarray(value)
    if array.dtype != bool:
        raise ValueError(f"{name} must be booleans, got {array.dtype}; make them by a comparison, such as {name} > 0")
    return array


def mask(where: Any, shape: tuple[int, ...]) -> Bool[Array, "..."]:
    """Booleans of a shape; all True for None."""
    where = True if where is None else where
    xp = jnp if isinstance(where, Tracer) else np  # NumPy compiles nothing
    where = xp.asarray(where)
    try:
        if where.dtype != bool or np.broadcast_shapes(where.shape, shape) != shape:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"where must be booleans that broadcast to shape {shape}, True for what counts, got shape {where.shape} of "
            f"{where.dtype}"
        ) from None
    return jnp.asarray(xp.broadcast_to(where, shape))


def check_axes(name: str, shape: tuple[int, ...], axes: str) -> None:
    """Refuse a shape that does not end in the axes named, such as ``"sources, y, x"``."""
    if len(shape) < len(axes.split(",")):
        raise ValueError(f"{name} must have the axes (..., {axes}), got shape {shape}")


def _check_finite(name: str, array: Array, where: Array) -> None:
    if isinstance(array, Tracer) or isinstance(where, Tracer):
        return
    counts = np.asarray(where)
    bad = np.argwhere(counts & ~np.isfinite(array))
    if len(bad):
        raise ValueError(
            f"{name} is NaN or infinite in {len(bad)} of {counts.sum()} entries that count (the first at "
            f"{tuple(bad[0].tolist())}): mend them, or leave them out with where=, and report how many those were"
        )
