"""Medians and widths of errors in bins, and how much narrower they are with Euclid, with bootstrap errors."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table

from experiments.lsst_euclid.blends import BAND
from experiments.lsst_euclid.measure import DATA
from jaxblend.metrics.bootstrap import Binned, in_bins
from jaxblend.simulation.seeds import DECENTRING

ALONE, JOINT = DATA
ERRORS = ("g1", "g2", f"mag_{BAND}", "log_radius")
ALL = (-np.inf, np.inf)
N_BOOTSTRAP = 200
CENTRAL = (15.87, 84.13)  # per cent


class Spread(NamedTuple):
    """Of the errors (4,): their median, half width of the central 68 %, and the median of their size."""

    median: Any
    half_width: Any
    absolute: Any


class Gain(NamedTuple):
    """How much narrower errors are with Euclid, as a fraction: of g (both components), magnitude and log radius."""

    g: Any
    magnitude: Any
    log_radius: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Statistics:
    """All sources, and bins of them by "all" and by the columns of ``edges``.

    Attributes
    ----------
    edges
        By name.
    parts
        By centres and data.
    spreads
        `Spread` by centres, data and name of the bins.
    gains
        `Gain` by centres and name of the bins.
    """

    edges: dict[str, tuple[float, ...]]
    parts: dict[tuple[str, str], Table]
    spreads: dict[tuple[str, str, str], Binned]
    gains: dict[tuple[str, str], Binned]


def statistics(found: Table, edges: dict[str, tuple[float, ...]], *, least_snr: float) -> Statistics:
    """Take all of them once: bootstraps are what a report spends its time on."""
    edges = {"all": ALL, **edges}
    parts = {(c, data): select(found, c, data, least_snr=least_snr) for c in DECENTRING for data in DATA}
    spreads = {(*of, by): spread_in_bins(part, by, edges[by]) for of, part in parts.items() for by in edges}
    gains = {(c, by): gain_in_bins(parts[c, ALONE], parts[c, JOINT], by, edges[by]) for c in DECENTRING for by in edges}
    return Statistics(edges, parts, spreads, gains)


def select(found: Table, centring: str, data: str, *, least_snr: float) -> Table:
    """One set of fits; those of all sets have the same sources in the same order."""
    wanted = (found["centring"] == centring) & (found["data"] == data) & (found["snr"] > least_snr)
    return found[np.asarray(wanted, bool)]


def errors(part: Table) -> np.ndarray:
    """Found less true (n, 4)."""
    columns = [np.asarray(part[f"found_{name}"] - part[f"true_{name}"], float) for name in ERRORS[:3]]
    return np.stack([*columns, np.log(np.asarray(part["found_radius"] / part["true_radius"], float))], axis=1)


def spread_in_bins(part: Table, by: str, edges: tuple[float, ...]) -> Binned:
    """`Spread` of the errors in bins."""
    return _in_bins(_spread, (errors(part),), part, by, edges)


def gain_in_bins(alone: Table, joint: Table, by: str, edges: tuple[float, ...]) -> Binned:
    """`Gain` in bins; resamples take the same sources of both."""
    if not all(np.array_equal(alone[name], joint[name]) for name in ("blend", "source")):
        raise ValueError("the sets must have the same sources in the same order")
    return _in_bins(_gain, (errors(alone), errors(joint)), alone, by, edges)


def within_stated(part: Table, name: str) -> float:
    """Share of sources whose error is below the stated one."""
    pull = np.abs(np.asarray(part[f"found_{name}"] - part[f"true_{name}"], float)) / np.asarray(part[f"err_{name}"])
    return float(np.mean(pull < 1))


def _in_bins(statistic, columns, part, by, edges) -> Binned:
    values = np.zeros(len(part)) if by == "all" else np.asarray(part[by], float)
    options = {"edges": edges, "key": jax.random.key(0), "blend": np.asarray(part["blend"])}
    return in_bins(statistic, columns, values=values, n_bootstrap=N_BOOTSTRAP, **options)


def _spread(error, where) -> Spread:
    error = _only(error, where)
    return Spread(jnp.nanmedian(error, axis=0), _half_width(error), jnp.nanmedian(jnp.abs(error), axis=0))


def _gain(alone, joint, where) -> Gain:
    before, after = (_half_width(_only(error, where)) for error in (alone, joint))
    shapes = [jnp.sqrt((width[:2] ** 2).mean()) for width in (before, after)]
    return Gain(1 - shapes[1] / shapes[0], 1 - after[2] / before[2], 1 - after[3] / before[3])


def _only(error, where):
    """A source that failed has no error, and counts in none of the numbers."""
    return jnp.where(where[:, None], error, jnp.nan)


def _half_width(error):
    low, high = jnp.nanpercentile(error, jnp.array(CENTRAL), axis=0)
    return 0.5 * (high - low)
