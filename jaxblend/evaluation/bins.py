"""The bins in which an evaluation is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import QTable
from jaxtyping import Float

__all__ = ["EDGES", "edges_for"]

EDGES = {
    "snr": (0.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0, np.inf),
    "blendedness": (0.0, 0.01, 0.1, 0.5, 1.0),
    "separation": (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, np.inf),
}
WHOLE = ("magnitude",)  # bins of one
DECADES = "true_flux_"  # bins of ten times the flux


def edges_for(sources: QTable, by: str, edges: Any) -> Float[np.ndarray, " E"]:
    """Return the edges given, in the column's unit, or those that are usual for it.

    Raises
    ------
    ValueError
        If there is no such column, or it has no usual bins and none are given.
    """
    if by not in sources.colnames or np.asarray(sources[by]).dtype.kind not in "fiub":
        numbers = [name for name in (*EDGES, *WHOLE) if name in sources.colnames]
        raise ValueError(f"cannot bin by {by!r}: the sources have {numbers}, and the other columns of .sources")
    unit = getattr(sources[by], "unit", None)
    if edges is not None:
        return np.asarray(edges.to_value(unit) if hasattr(edges, "to_value") else edges, float)
    if by in EDGES:
        return np.array(EDGES[by])
    if by in WHOLE:
        values = np.asarray(getattr(sources[by], "value", sources[by]), float)
        values = values[np.isfinite(values)]
        if len(values):
            return np.arange(np.floor(values.min()), np.floor(values.max()) + 2.0)
    if by.startswith(DECADES):
        values = np.asarray(getattr(sources[by], "value", sources[by]), float)
        values = np.log10(values[values > 0])
        inner = np.arange(np.floor(values.min()), np.ceil(values.max()) + 1.0) if len(values) else []
        return np.array([-np.inf, *np.power(10.0, inner), np.inf])
    raise ValueError(f"give edges of the bins: there are no usual ones for {by}")
