"""Tables on the terminal: what was fitted, beside the truth where it is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

__all__ = ["compare", "summarise"]

FAR = 3.0  # errors
MAX_ROWS = 30
NO_ERROR = ("x", "y")  # to the digits that are shown it is 0
EXTENDED = ("radius", "g1", "g2")  # a star has none
HEADINGS = {"radius": 'radius "'}


def compare(truth: Any, catalog: Any, *, width: int) -> Table:
    """Tabulate the truth above the fit, source by source in the same order; what is off by over 3 errors is yellow.

    Where ``width`` characters do not hold all columns, whole columns are left out.
    """
    brightness = f"mag_{truth.meta['reference_band']}"

    def make(columns: Sequence[str]) -> Table:
        title = f"truth above fit (± one standard deviation); yellow is off by over {FAR:.0f}"
        table = _empty(title, catalog, columns)
        for row in range(len(catalog)):
            kinds = [str(each["kind"][row]) if "kind" in each.colnames else "" for each in (truth, catalog)]
            pairs = [_pair(truth, catalog, name, row, kinds) for name in columns]
            table.add_row(_id(catalog, row), kinds[0], *(true for true, _ in pairs), "", style="dim")
            table.add_row("", kinds[1], *(fit for _, fit in pairs), _flags(catalog, row), end_section=True)
        return table

    known = [name for name in (brightness, *EXTENDED, "blendedness") if name in truth.colnames]
    return _widest(make, _fewer(known, ("blendedness",), ("g1", "g2")), width)


def summarise(catalog: Any, bands: tuple[str, ...], *, title: str, width: int) -> Table:
    """Tabulate a catalogue: place, brightness in one band, size, shape, flags; at most 30 sources.

    Where ``width`` characters do not hold all columns, whole columns are left out.
    """
    band = "r" if "r" in bands else bands[len(bands) // 2]
    brightness = f"mag_{band}" if f"mag_{band}" in catalog.colnames else f"flux_{band}"

    def make(columns: Sequence[str]) -> Table:
        table = _empty(title, catalog, columns)
        for row in range(min(len(catalog), MAX_ROWS)):
            kind = str(catalog["kind"][row]) if "kind" in catalog.colnames else ""
            values = ["" if kind == "star" and name in EXTENDED else _value(catalog, name, row) for name in columns]
            table.add_row(_id(catalog, row), kind, *values, _flags(catalog, row))
        more = [f"{len(catalog) - MAX_ROWS} more sources"] if len(catalog) > MAX_ROWS else []
        left_out = [name for name in known if name not in columns]
        if more or left_out:
            table.caption = f"in the catalogue, too: {', '.join(more + left_out)}"
        return table

    known = [name for name in ("x", "y", brightness, *EXTENDED) if name in catalog.colnames]
    return _widest(make, _fewer(known, ("g1", "g2"), ("radius",)), width)


def _empty(title: str, catalog: Any, columns: Sequence[str]) -> Table:
    """The headings. Nothing but flags is ever cut or wrapped."""
    table = Table(title=title, title_justify="left", caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    for name in columns:
        table.add_column(HEADINGS.get(name, name.replace("_", " ")), justify="right", no_wrap=True)
    words = [word for row in range(len(catalog)) for word in _flags(catalog, row).split()]
    table.add_column("flags", min_width=max(map(len, [*words, "flags"])), overflow="fold")
    return table


def _fewer(columns: Sequence[str], *least: tuple[str, ...]) -> list[list[str]]:
    """The columns, and ever fewer of them."""
    shown = [list(columns)]
    for names in least:
        shown.append([name for name in shown[-1] if name not in names])
    return shown


def _widest(make: Callable[[Sequence[str]], Table], choices: Sequence[Sequence[str]], width: int) -> Table:
    """The first table that fits, or the narrowest."""
    wide = Console(width=10_000)
    tables = [make(columns) for columns in choices]
    fits = (table for table in tables if Measurement.get(wide, wide.options, table).minimum <= width)
    return next(fits, tables[-1])


def _pair(truth: Any, catalog: Any, name: str, row: int, kinds: Sequence[str]) -> tuple[str, str]:
    true, fitted, error = _number(truth, name, row), _number(catalog, name, row), _number(catalog, f"{name}_err", row)
    blank = [kind == "star" and name in EXTENDED for kind in kinds]
    text = "" if blank[1] else _value(catalog, name, row)
    far = not any(blank) and error > 0 and abs(fitted - true) > FAR * error
    return "" if blank[0] else _value(truth, name, row), f"[yellow]{text}[/yellow]" if far else text


def _value(table: Any, name: str, row: int) -> str:
    value, error = _number(table, name, row), _number(table, f"{name}_err", row)
    if np.isnan(value):
        return ""
    digits = 1 if name in NO_ERROR else 3 if error < 0.005 else 2
    form = f".{digits}f" if abs(value) < 1e4 else ".4g"
    return f"{value:{form}}" + (f"±{error:{form}}" if np.isfinite(error) and name not in NO_ERROR else "")


def _id(catalog: Any, row: int) -> str:
    return str(int(catalog["id"][row]))


def _number(table: Any, name: str, row: int) -> float:
    if name not in table.colnames:
        return float("nan")
    value = table[name][row]
    return float(getattr(value, "value", value))


def _flags(catalog: Any, row: int) -> str:
    if "flags" not in catalog.colnames:
        return ""
    from jaxblend.infer.flags import decode_flags

    return ", ".join(decode_flags(int(catalog["flags"][row])))
