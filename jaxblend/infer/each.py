"""One function over many inputs: one after the other on a CPU, side by side elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

__all__ = ["each"]


def each(function: Callable, values: Any) -> Any:
    """Apply ``function`` to every entry of the leading axis.

    On a CPU each entry's loops stop on their own, and its arrays stay in the cache. It also keeps LAPACK's calls
    single: batched ones wait for the threads that run them, so that two programs at once may wait for ever.
    """
    return jax.lax.map(function, values) if jax.default_backend() == "cpu" else jax.vmap(function)(values)
