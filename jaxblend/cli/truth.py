"""Tables on the terminal: what was fitted, beside the truth where it is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

__all__ = ["compare", "summarise"]

FAR = 3.0  # errors
MAX_ROWS = 30
DIGITS = {"x": 1, "y": 1, "g1": 2, "g2": 2}  # after the point


def compare(truth: Any, catalog: Any) -> Table:
    """Tabulate the truth above the fit, source by source in the same order; what is off by over 3 errors is yellow."""
    band = truth.meta["reference_band"]
    title = f"truth above fit (± one standard deviation), {band} band; yellow is off by over {FAR:.0f}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_lines=False)
    columns = [f"mag_{band}", "radius", "g1", "g2"]
    table.add_column("id", justify="right")
    table.add_column("kind")
    for heading in (f"mag {band}", 'radius "', "g1", "g2", "blended"):
        table.add_column(heading, justify="right")
    table.add_column("flags")
    for row in range(len(catalog)):
        star = str(truth["kind"][row]) == "star"
        pairs = [
            _pair(truth, catalog, name, row, DIGITS.get(name, 3)) if name.startswith("mag") or not star else ("", "")
            for name in columns
        ]
        kinds = str(truth["kind"][row]), str(catalog["kind"][row]) if "kind" in catalog.colnames else ""
        blended = f"{_number(truth, 'blendedness', row):.2f}"
        table.add_row(str(int(catalog["id"][row])), kinds[0], *(true for true, _ in pairs), blended, "", style="dim")
        table.add_row("", kinds[1], *(fitted for _, fitted in pairs), "", _flags(catalog, row), end_section=True)
    return table


def summarise(catalog: Any, bands: tuple[str, ...], *, title: str) -> Table:
    """Tabulate a catalogue: place, brightness in one band, size, shape, flags; at most 30 sources."""
    band = "r" if "r" in bands else bands[len(bands) // 2]
    brightness = f"mag_{band}" if f"mag_{band}" in catalog.colnames else f"flux_{band}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    names = [name for name in ("x", "y", brightness, "radius", "g1", "g2") if name in catalog.colnames]
    for heading in ("id", *(["kind"] if "kind" in catalog.colnames else []), *names):
        table.add_column(heading, justify="right" if heading != "kind" else "left", no_wrap=True)
    table.add_column("flags")
    for row in range(min(len(catalog), MAX_ROWS)):
        kind = [str(catalog["kind"][row])] if "kind" in catalog.colnames else []
        values = [_with_error(catalog, name, row, DIGITS.get(name, 2)) for name in names]
        table.add_row(str(int(catalog["id"][row])), *kind, *values, _flags(catalog, row))
    if len(catalog) > MAX_ROWS:
        table.caption = f"and {len(catalog) - MAX_ROWS} more in the catalogue"
    return table


def _pair(truth: Any, catalog: Any, name: str, row: int, digits: int) -> tuple[str, str]:
    true, fitted, error = _number(truth, name, row), _number(catalog, name, row), _number(catalog, f"{name}_err", row)
    text = _with_error(catalog, name, row, digits)
    far = error > 0 and abs(fitted - true) > FAR * error
    return f"{true:.{digits}f}", f"[yellow]{text}[/yellow]" if far else text


def _with_error(catalog: Any, name: str, row: int, digits: int) -> str:
    value, error = _number(catalog, name, row), _number(catalog, f"{name}_err", row)
    form = f".{digits}f" if abs(value) < 1e4 else ".4g"
    return f"{value:{form}}" + (f"±{error:{form}}" if np.isfinite(error) else "")


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
