"""Numbers of whole blends from the tables that deblending.py wrote: how pure detection is, where the light went."""

from typing import Any

import numpy as np
from astropy.table import Table

from jaxblend.evaluation.statistics import ALL, Number, Resampling
from jaxblend.metrics.bootstrap import in_bins
from jaxblend.metrics.detection import f1_score

__all__ = ["MEANINGS", "numbers_of_blends"]

# Of sums over blends: those that a number is made of, two as a ratio, four as `f1_score` takes them; what it is.
NUMBERS = {
    "precision": (("matched", "detections"), "share of detections that have a true source"),
    "f1": (("matched", "detections", "found", "sources"), "harmonic mean of precision and recall"),
    "unrecognised": (("several", "detections"), "share of detections that stand for two or more true sources"),
    "extra_detections": (("extra", "found"), "detections beyond the first per found source"),
    "flux_of_all": (("light of detections", "true light"), "flux of all detections over that of all true sources"),
    "flux_of_pairs": (("light of pairs", "true light of pairs"), "flux of found sources over their true flux"),
    "flux_found": (("true light of found", "true light"), "true flux of found sources over that of all"),
}
MEANINGS = {name: meaning for name, (_, meaning) in NUMBERS.items()}


def numbers_of_blends(sources: Table, detections: Table, resampling: Resampling) -> dict[str, Number]:
    """All `MEANINGS`, in the band of reference, with errors from a bootstrap of blends; what has no value is left out.

    Sources and detections are those of whole blends, or of the same parts of their images, where the light of a
    pair counts if both are there. Detections that have no place are not counted.
    """
    band = sources.meta["reference_band"]
    placed = detections[np.asarray(detections["placed"], bool)]
    found, matched = (np.asarray(rows[name], bool) for rows, name in ((sources, "found"), (placed, "matched")))
    light, true_light = np.asarray(placed[f"found_flux_{band}"], float), np.asarray(sources[f"true_flux_{band}"], float)
    source_of_pair, detection_of_pair = _pairs(sources, placed)
    of_sources = {
        "sources": np.ones(len(sources)),
        "found": found,
        "extra": np.where(found, np.asarray(sources["n_detections"]) - 1, 0),
        "true light": true_light,
        "true light of found": np.where(found, true_light, 0.0),
        "true light of pairs": np.where(source_of_pair, true_light, 0.0),
    }
    of_detections = {
        "detections": np.ones(len(placed)),
        "matched": matched,
        "several": np.asarray(placed["n_true"]) > 1,
        "light of detections": light,
        "light of pairs": np.where(detection_of_pair, light, 0.0),
    }
    blends = np.union1d(sources["blend"], placed["blend"])
    sums = _by_blend(of_sources, sources["blend"], blends) | _by_blend(of_detections, placed["blend"], blends)
    return {name: number for name in NUMBERS if (number := _number(sums, name, resampling)) is not None}


def _pairs(sources: Table, placed: Table) -> tuple[np.ndarray, np.ndarray]:
    """Which sources, and which detections, have their partner among the others."""
    true_row = np.asarray(placed["true_row"])
    most = 1 + max(np.max(sources["row"], initial=0), np.max(true_row, initial=0))
    source = np.asarray(sources["blend"]) * most + np.asarray(sources["row"])
    partner = np.where(true_row >= 0, np.asarray(placed["blend"]) * most + true_row, -1)
    return np.isin(source, partner), np.isin(partner, source)


def _by_blend(columns: dict[str, Any], blend: Any, blends: np.ndarray) -> dict[str, np.ndarray]:
    row = np.searchsorted(blends, np.asarray(blend))
    return {name: np.bincount(row, np.asarray(values, float), len(blends)) for name, values in columns.items()}


def _number(sums: dict[str, np.ndarray], name: str, resampling: Resampling) -> Number | None:
    columns = [sums[each] for each in NUMBERS[name][0]]
    n = len(columns[0])
    if n == 0:
        return None
    statistic = _ratio if len(columns) == 2 else _f1
    binned = in_bins(statistic, columns, values=np.zeros(n), edges=ALL, **resampling._asdict())
    if not np.isfinite(binned.value[0]):
        return None
    return Number(binned.value, binned.error, np.array([int(sums["detections"].sum())]))


def _ratio(above, below, *, where):
    return (above * where).sum() / (below * where).sum()


def _f1(*counts, where):
    return f1_score(*(count * where for count in counts))
