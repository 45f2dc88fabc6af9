"""Repeat a call and take the median time."""

import time
from collections.abc import Callable

import numpy as np


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
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))
