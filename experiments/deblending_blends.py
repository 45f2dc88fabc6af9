"""Numbers of whole blends from the tables that deblending.py wrote: how pure detection is, where the light went."""

from typing import Any

import numpy as np
from astropy.table import Table

from jaxblend.evaluation.statistics import ALL, Number, Resampling
from jaxblend.metrics.bootstrap import in_bins

__all__ = ["MEANINGS", "numbers_of_blends"]

# Of sums over blends: numerator, denominator, what it is.
RATIOS = {
    "precision": ("matched", "detections", "share of detections that have a true source"),
    "f1": ("twice found", "detections and sources", "harmonic mean of precision and recall"),
    "unrecognised": ("several", "detections", "share of detections that stand for two or more true sources"),
    "extra_detections": ("extra", "found", "detections beyond the first per found source"),
    "flux_of_all": ("light of detections", "true light", "flux of all detections over that of all true sources"),
    "flux_of_pairs": ("light of pairs", "true light of found", "flux of found sources over their true flux"),
    "flux_found": ("true light of found", "true light", "true flux of found sources over that of all"),
}
MEANINGS = {name: meaning for name, (_, _, meaning) in RATIOS.items()}


def numbers_of_blends(sources: Table, detections: Table, resampling: Resampling) -> dict[str, Number]:
    """All `MEANINGS`, in the band of reference, with errors from a bootstrap of blends; what has no value is left out.

    Detections that have no place are not counted.
    """
    band = sources.meta["reference_band"]
    placed = detections[np.asarray(detections["placed"], bool)]
    found, matched = (np.asarray(rows[name], bool) for rows, name in ((sources, "found"), (placed, "matched")))
    light, true_light = np.asarray(placed[f"found_flux_{band}"], float), np.asarray(sources[f"true_flux_{band}"], float)
    of_sources = {
        "sources": np.ones(len(sources)),
        "found": found,
        "extra": np.where(found, np.asarray(sources["n_detections"]) - 1, 0),
        "true light": true_light,
        "true light of found": np.where(found, true_light, 0.0),
    }
    of_detections = {
        "detections": np.ones(len(placed)),
        "matched": matched,
        "several": np.asarray(placed["n_true"]) > 1,
        "light of detections": light,
        "light of pairs": np.where(matched, light, 0.0),
    }
    blends = np.union1d(sources["blend"], placed["blend"])
    sums = _by_blend(of_sources, sources["blend"], blends) | _by_blend(of_detections, placed["blend"], blends)
    sums |= {"twice found": 2 * sums["matched"], "detections and sources": sums["detections"] + sums["sources"]}
    return {name: number for name in RATIOS if (number := _ratio(sums, name, resampling)) is not None}


def _by_blend(columns: dict[str, Any], blend: Any, blends: np.ndarray) -> dict[str, np.ndarray]:
    row = np.searchsorted(blends, np.asarray(blend))
    return {name: np.bincount(row, np.asarray(values, float), len(blends)) for name, values in columns.items()}


def _ratio(sums: dict[str, np.ndarray], name: str, resampling: Resampling) -> Number | None:
    above, below, _ = RATIOS[name]
    pair = sums[above], sums[below]
    if not np.isfinite(pair).all() or pair[1].sum() <= 0:
        return None
    binned = in_bins(_of_sums, pair, values=np.zeros(len(pair[0])), edges=ALL, **resampling._asdict())
    return Number(binned.value, binned.error, np.array([int(sums["detections"].sum())]))


def _of_sums(above, below, *, where):
    return (above * where).sum() / (below * where).sum()
