"""How many blends are worked on at once."""

from __future__ import annotations

import os

__all__ = ["threads"]

_MOST = 4  # arrays of more do not fit into the caches, and XLA uses what is left


def threads() -> int:
    """As many as there are cores for this process, which a batch system may have given few of a machine's."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(cores, _MOST))
