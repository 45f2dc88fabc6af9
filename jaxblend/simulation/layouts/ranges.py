"""Settings that are one number, or a range to draw from."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

__all__ = ["Range", "ends", "positive_range"]

Range: TypeAlias = float | int | tuple[float | int, float | int]


def ends(value: Range) -> tuple[float, float]:
    """Return the lowest and the highest value of a setting."""
    low, high = value if isinstance(value, tuple) else (value, value)
    return float(low), float(high)


def positive_range(name: str, value: Range) -> None:
    """Check a setting that must be positive.

    Raises
    ------
    ValueError
        If an end is not finite and positive, or the ends are not in order.
    """
    low, high = ends(value)
    if not (np.isfinite(high) and 0 < low <= high):
        raise ValueError(
            f"Got {name}={value}, expected a positive number, or a pair of them with the lower first to draw between."
        )
