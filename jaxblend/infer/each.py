"""One function over many inputs: one after the other on a CPU, side by side elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

__all__ = ["each"]


def each(function: Callable, values: Any, at_once: int = 1) -> Any:
    """Apply ``function`` to every entry of the leading axis; small ones may go ``at_once`` on a CPU, too.

    On a CPU each entry's loops stop on their own, and its arrays stay in the cache. It also keeps LAPACK's calls
    single: batched ones wait for the threads that run them, so that two programs at once may wait for ever.
    """
    if jax.default_backend() != "cpu":
        return jax.vmap(function)(values)
    return jax.lax.map(function, values, batch_size=at_once if at_once > 1 else None)
