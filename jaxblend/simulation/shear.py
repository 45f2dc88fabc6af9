"""The shear of a blend: one for all, drawn from a table, or from a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Shear", "check_shear", "draw_shear"]

Shear: TypeAlias = Sequence | np.ndarray | Callable[[np.random.Generator], Any]


def check_shear(shear: Shear) -> None:
    """Check the option `shear`.

    Raises
    ------
    ValueError
        If it is neither a function, nor a pair (g1, g2), nor a table (m, 2), or a shear is not below 1.
    """
    if not callable(shear):
        _table(shear)


def draw_shear(shear: Shear, rng: np.random.Generator) -> np.ndarray:
    """Draw the reduced shear (g1, g2) of one blend, (2,): the pair, a row of the table, or what the function draws.

    Raises
    ------
    ValueError
        As `check_shear`.
    """
    if callable(shear):
        return _table(shear(rng), rows=False)[0]
    table = _table(shear)
    return table[rng.integers(len(table))]


def _table(shear: Any, *, rows: bool = True) -> np.ndarray:
    try:
        table = np.asarray(shear, float)
    except (TypeError, ValueError):
        table = np.zeros(0)
    fits = table.shape == (2,) or (rows and table.ndim == 2 and table.shape[-1] == 2 and len(table) > 0)
    if not fits:
        expected = "(g1, g2), a table (m, 2) of them or a function of a NumPy generator" if rows else "(g1, g2)"
        raise ValueError(f"Got shear={shear!r}, expected {expected}.")
    table = table.reshape(-1, 2)
    if not (np.hypot(*table.T) < 1).all():  # not a number, too
        raise ValueError(f"Got shear={shear!r}, expected reduced shears of modulus below 1.")
    return table
