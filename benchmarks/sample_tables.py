"""Where measurements are kept, so that parts run one at a time, in several environments, and are reported together."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import jax
import numpy as np
from astropy.table import Table, vstack

from benchmarks.reporting import provenance
from jaxblend.io.atomic import atomic_path

__all__ = ["BLENDS", "CHAINS", "measured", "read", "replace"]

BLENDS, CHAINS = "sample_blends.ecsv", "sample_chains.ecsv"


def measured(*packages: str) -> str:
    """When, on what, with which versions, and whether compiled programs were kept from earlier runs."""
    cache = jax.config.jax_compilation_cache_dir and jax.config.jax_enable_compilation_cache
    return f"{provenance(*packages)[:-1]}, compilation cache {'on' if cache else 'off'}."


def read(path: Path) -> Table | None:
    """A table, or None if nothing has been measured yet."""
    return Table.read(path, format="ascii.ecsv").filled("") if path.exists() else None  # empty words come back masked


def replace(path: Path, rows: Iterable[Mapping[str, object]], *, same: tuple[str, ...]) -> None:
    """Put rows in a table; rows there of an equal value in all columns of ``same`` go."""
    new = Table(rows=list(rows))
    old = read(path)
    if old is not None:
        measured_again = {tuple(row[name] for name in same) for row in new}
        keep = [tuple(row[name] for name in same) not in measured_again for row in old]
        new = vstack([old[np.array(keep, bool)], new])
    with atomic_path(path) as temporary:
        new.write(temporary, format="ascii.ecsv", delimiter=",", overwrite=True)
