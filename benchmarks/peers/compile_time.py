"""Measure how much of a block of code JAX spends in tracing and compiling."""

import time
from types import TracebackType

from .importing import require


class CompileClock:
    """Add up JAX's tracing, lowering and compilation while the block runs.

    JAX reports these as durations, some nested in others, so what is added up is the union of the intervals.

    Examples
    --------
    >>> with CompileClock() as clock:  # doctest: +SKIP
    ...     function(argument)
    >>> clock.seconds  # doctest: +SKIP
    1.25
    """

    def __init__(self) -> None:
        self._intervals: list[tuple[float, float]] = []

    def __enter__(self) -> "CompileClock":
        require("jax.monitoring", "jax").register_event_duration_secs_listener(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        require("jax.monitoring", "jax").unregister_event_duration_listener(self._listen)

    def _listen(self, event: str, duration: float, **_: object) -> None:
        if event.startswith("/jax/core/compile/"):
            now = time.perf_counter()
            self._intervals.append((now - duration, now))

    @property
    def seconds(self) -> float:
        """Length of the union of all intervals so far."""
        total, reached = 0.0, float("-inf")
        for begin, end in sorted(self._intervals):
            total += max(0.0, end - max(begin, reached))
            reached = max(reached, end)
        return total
