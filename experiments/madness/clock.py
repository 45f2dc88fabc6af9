"""Warm seconds of a call, by the wall and of the processor: the latter do not grow where others use the machine."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.peers.compile_time import CompileClock


class Timed(NamedTuple):
    """What a call gave, and the seconds it took; those of the processor are summed over threads."""

    value: Any
    seconds: float
    processor: float


def warm(call: Callable[[], Any]) -> Timed:
    """Time a call; a second one if the first had something to compile. It must wait for asynchronous results."""
    with CompileClock() as clock:
        first = _timed(call)
    return _timed(call) if clock.seconds else first


def _timed(call: Callable[[], Any]) -> Timed:
    wall, processor = time.perf_counter(), time.process_time()
    value = call()
    return Timed(value, time.perf_counter() - wall, time.process_time() - processor)
