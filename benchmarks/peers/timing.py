"""Time a call, once or as the median of many."""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Value of a call, and the seconds that it took."""
    begin = time.perf_counter()
    value = call()
    return value, time.perf_counter() - begin


def median_seconds(call: Callable[[], object], *, repeats: int = 9) -> float:
    """Median wall time of a call, after one call that is not counted.

    Parameters
    ----------
    call
        What to time; it must itself wait for asynchronous results.
    repeats
        Calls to time.
    """
    call()
    return float(np.median([timed(call)[1] for _ in range(repeats)]))
