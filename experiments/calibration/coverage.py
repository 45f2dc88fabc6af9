"""Tables and pictures of where truths fall: shared by every experiment that writes chunks of scores."""

from collections.abc import Callable, Sequence
from itertools import chain

import jax
import numpy as np
from astropy.table import Table

from benchmarks.reporting import table
from jaxblend import metrics
from jaxblend.plot.calibration import coverage_picture

LEVELS = (0.68, 0.9, 0.95)
ANYTHING = (-np.inf, np.inf)
LIMIT = 2.0  # standard errors
KEY = 1


def scored(found: Table) -> Table:
    """Sources that have a posterior, of which results are made."""
    return found[~np.asarray(found["failed"], bool)]


def inside(found: Table, name: str, kind: str = "pit") -> np.ndarray:
    """(N, L) whether the truth is in the central interval of each level."""
    quantile = np.asarray(found[f"{kind}_{name}"], float)
    return np.abs(quantile[:, None] - 0.5) <= 0.5 * np.array(LEVELS)


def binned(found: Table, name: str, by: str | None = None, edges: Sequence[float] = ANYTHING) -> metrics.BinnedCoverage:
    """Coverage of a quantity in bins of what is known of a source before its truth is; of all by default."""
    values = np.zeros(len(found)) if by is None else np.asarray(found[by], float)
    blend, key = np.asarray(found["blend"]), jax.random.key(KEY)
    return metrics.coverage_in_bins(inside(found, name), values, edges=edges, key=key, levels=LEVELS, blend=blend)


def quantities_of(found: Table) -> list[str]:
    """What has been scored of each source."""
    return [name.removeprefix("all_") for name in found.colnames if name.startswith("all_")]


def summary_table(groups: dict[str, Table]) -> list[str]:
    """How the methods went: times, effective draws, diagnostics."""
    head = ("method", "blends", "sources", "failed", "s per blend", "effective draws (5 %, median)")
    head += ("k-hat > 0.7", "R-hat > 1.05", "density error > 0.5", "made by NUTS")
    return table(head, [_summary_row(name, found) for name, found in groups.items()])


def _summary_row(name: str, found: Table) -> tuple:
    first = found[np.unique(found["blend"], return_index=True)[1]]
    good = scored(first)
    effective = np.asarray(good["effective_draws"], float)
    effective = effective[np.isfinite(effective)]

    def share(column, limit):
        values = np.asarray(good[column], float)
        return "" if np.isnan(values).all() else f"{np.mean(values > limit):.1%}"

    return (
        name,
        len(first),
        len(found),
        int(np.sum(found["failed"])),
        f"{np.median(np.asarray(first['seconds'], float)):.2f}",
        "{:.0f}, {:.0f}".format(*np.percentile(effective, (5, 50))) if len(effective) else "independent",
        share("k_hat", 0.7),
        share("r_hat", 1.05),
        share("density_error", 0.5),
        f"{np.mean(np.asarray(good['made_by']) == 'nuts'):.1%}",
    )


def overall_tables(groups: dict[str, Table], kind: str = "pit") -> list[str]:
    """Coverage of all sources: in per cent, and how far from nominal in binomial standard errors."""
    found = {name: scored(group) for name, group in groups.items()}
    lines = []
    for i, level in enumerate(LEVELS):
        rows = [
            (name, *(_cell(inside(group, name, kind)[:, i], level) for group in found.values()))
            for name in quantities_of(next(iter(found.values())))
        ]
        lines += [*table((f"**{level:.0%}**", *found), rows), ""]
    return lines


def _cell(contained: np.ndarray, level: float) -> str:
    far = (contained.mean() - level) / np.sqrt(level * (1 - level) / len(contained))
    text = f"{100 * contained.mean():.1f}"
    return f"**{text}** ({far:+.1f})" if abs(far) > LIMIT else f"{text} ({far:+.1f})"


def beyond_table(groups: dict[str, Table]) -> list[str]:
    """How often the truth is beyond all draws that are left: of S independent ones in 2 / (S + 1) of the cases.

    What quantiles of few draws cannot show is seen here: the truth's place in the outermost gap is drawn at random.
    """
    rows = []
    for method, found in groups.items():
        good = scored(found)
        quantiles = np.stack([np.asarray(good[f"pit_{name}"], float) for name in quantities_of(good)], 1)
        for n in np.unique(good["n_thinned"]):
            chosen = np.asarray(good["n_thinned"]) == n
            outside = np.abs(quantiles[chosen] - 0.5) > 0.5 - 1 / (n + 1)
            by_blend = [outside[good["blend"][chosen] == b].mean() for b in np.unique(good["blend"][chosen])]
            error = np.std(by_blend) / np.sqrt(len(by_blend))
            rows.append(
                (method, n, chosen.sum(), f"{100 * outside.mean():.1f} ± {100 * error:.1f}", f"{200 / (n + 1):.1f}")
            )
    return table(("method", "draws left", "sources", "truth beyond all of them, %", "expected, %"), rows)


def all_bins(groups: dict[str, Table], edges: dict[str, Sequence[float]]) -> Table:
    """A row per method, quantity, bin and level; bins with no source are left out."""
    rows = []
    for method, found in groups.items():
        good = scored(found)
        for name in quantities_of(good):
            for by, limits in edges.items():
                result = binned(good, name, by, limits)

                def numbers(m, i, result=result):
                    return (float(a[m, i]) for a in (result.coverage, result.error, result.nominal_error))

                rows += [
                    (method, name, by, limits[m], limits[m + 1], LEVELS[i], int(result.count[m]), *numbers(m, i))
                    for m in np.flatnonzero(result.count)
                    for i in range(len(LEVELS))
                ]
    names = ("method", "quantity", "by", "low", "high", "level", "sources", "coverage", "error", "nominal_error")
    return Table(rows=rows, names=names)


def bins_table(bins: Table, *, fewest: int = 20) -> list[str]:
    """Of each method and binned variable: how many bins are off, and the one that is farthest."""
    far = (bins["coverage"] - bins["level"]) / bins["nominal_error"]
    full = np.asarray(bins["sources"]) >= fewest
    rows = []
    for method in dict.fromkeys(bins["method"]):
        for by in dict.fromkeys(bins["by"]):
            chosen = np.flatnonzero((bins["method"] == method) & (bins["by"] == by) & full)
            if len(chosen):
                off = np.abs(far[chosen]) > LIMIT
                worst = bins[chosen[np.argmax(np.abs(far[chosen]))]]
                rows.append((method, by, len(chosen), f"{off.sum()} ({off.mean():.1%})", _worst(worst)))
    beyond = f"beyond {LIMIT:g} standard errors"
    return table(("method", "binned by", "coverages", beyond, "farthest"), rows)


def _worst(row) -> str:
    far = (row["coverage"] - row["level"]) / row["nominal_error"]
    where = f"{row['quantity']}, {row['by']} {row['low']:g} to {row['high']:g}"
    return f"{where}: {row['coverage']:.1%} of {row['sources']} for {row['level']:.0%} ({far:+.1f})"


def detail_table(bins: Table, by: str, names: Sequence[str]) -> list[str]:
    """Coverage of some quantities in the bins of one variable, in per cent, with the error from blends drawn again."""
    chosen = bins[(bins["by"] == by) & np.isin(bins["quantity"], names)]
    rows = {}
    for row in chosen:
        place = (row["method"], row["quantity"], f"{row['low']:g} to {row['high']:g}", int(row["sources"]))
        rows.setdefault(place, []).append(f"{100 * row['coverage']:.1f} ± {100 * row['error']:.1f}")
    head = ("method", "quantity", by, "sources", *(f"{100 * level:.0f} %" for level in LEVELS))
    return table(head, [(*place, *cells) for place, cells in rows.items()])


def ecdf_tests(found: Table, names: Sequence[str]) -> dict[str, metrics.EcdfTest]:
    """Whether the columns of these names are uniform, with one source of each blend."""
    good = scored(found)
    tests = {}
    for i, name in enumerate(names):
        values = np.asarray(good[name], float)
        used = np.isfinite(values)
        if used.any():
            key = jax.random.fold_in(jax.random.key(KEY), i)
            tests[name] = metrics.ecdf_test(values[used], blend=np.asarray(good["blend"])[used], key=key)
    return tests


def p_values(tests: dict[str, dict[str, metrics.EcdfTest]], label: Callable[[str], str]) -> list[str]:
    """P-values by method, bold where the ECDF leaves its band of 95 %."""
    names = list(dict.fromkeys(chain(*tests.values())))
    rows = [
        (method, *(_p_value(found[name]) if name in found else "" for name in names)) for method, found in tests.items()
    ]
    return table(("method", *map(label, names)), rows)


def _p_value(test: metrics.EcdfTest) -> str:
    text = f"{test.p_value:.2g}" if test.p_value >= 1e-4 else "< 0.0001"
    return text if test.inside else f"**{text}**"


def draw_bins(groups: dict[str, Table], names: Sequence[str], by: str, edges: Sequence[float], *, label: str):
    """A panel per quantity and method."""
    found = {method: scored(group) for method, group in groups.items()}
    panels = {f"{name}, {method}": binned(found[method], name, by, edges) for name in names for method in found}
    return coverage_picture(panels, label=label)
