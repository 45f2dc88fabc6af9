"""Numbers of the pairs of one separation and brightness."""

from collections.abc import Sequence

import numpy as np
from astropy.table import Table

from experiments.separation.measure import METHODS

NAMES = ("flux_1", "flux_2", "total")
UNTOLD = "total_deblended"  # the light of all that is made of a pair by who is not told of two


def methods_of(found: Table) -> tuple[str, ...]:
    """What fluxes were had by: draws are none where fits alone were asked for."""
    return tuple(method for method in METHODS if f"total_{method}" in found.colnames)


def ratios(found: Table, name: str) -> np.ndarray:
    """A measured flux over the true one, such as of ``flux_1_laplace`` or ``total_deblended``."""
    return np.asarray(found[name], float) / _true(found, name)


def errors_of(found: Table, name: str) -> np.ndarray:
    """The stated error of the same, over the true flux."""
    return np.asarray(found[f"{name}_err"], float) / _true(found, name)


def summarise(found: Table, separations: Sequence[int], likely: float) -> list[dict]:
    """A row for each brightness and separation; NaN where nothing was asked."""
    rows = []
    for name in dict.fromkeys(found["brightness"]):
        for separation in separations:
            part = found[(found["brightness"] == name) & (found["separation"] == separation)]
            rows.append({"brightness": str(name), "separation": separation, "pairs": len(part), **_row(part, likely)})
    return rows


def pooled(rows: Sequence[dict], name: str) -> tuple[float, float]:
    """Mean relative error over all separations, which have as many pairs each, and its standard error."""
    value, error = (np.array([row[key] for row in rows]) for key in (name, f"{name}_sem"))
    return float(value.mean() - 1), float(np.sqrt(np.sum(error**2)) / len(error))


def _row(part: Table, likely: float) -> dict:
    row = {name: float(np.mean(part[name])) for name in ("snr_1", "snr_2", "blendedness_1", "blendedness_2")}
    for name in (f"{name}_{method}" for method in methods_of(part) for name in NAMES):
        row |= _mean(part, name) | {f"{name}_stated": float(np.median(errors_of(part, name)))}
    return row | _untold(part, likely) if UNTOLD in part.colnames else row


def _mean(part: Table, name: str) -> dict:
    values = ratios(part, name)
    return {name: values.mean(), f"{name}_sem": _standard_error(values)}


def _untold(part: Table, likely: float) -> dict:
    """Without being told of two."""
    row = _mean(part, UNTOLD)
    for name in ("detected", "deblended"):
        row[f"both_{name}"] = float(np.mean(part[f"n_{name}"] >= 2))
    for method in METHODS:
        odds = np.asarray(part[f"log_odds_{method}"], float)
        odds = odds[np.isfinite(odds)]  # those that were asked
        low, middle, high = np.percentile(odds, (16, 50, 84)) if len(odds) else (np.nan,) * 3
        row |= {f"log_odds_{method}_p16": low, f"log_odds_{method}": middle, f"log_odds_{method}_p84": high}
        row[f"likely_{method}"] = float(np.mean(odds > np.log(likely))) if len(odds) else np.nan
        row[f"asked_{method}"] = len(odds)
    return row


def _true(found: Table, name: str) -> np.ndarray:
    true = [np.asarray(found[f"true_{i}"], float) for i in (1, 2)]
    return {"flux_1": true[0], "flux_2": true[1]}.get(name[:6], true[0] + true[1])


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
