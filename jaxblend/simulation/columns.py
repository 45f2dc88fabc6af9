"""Columns of catalogues."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import astropy.table

__all__ = ["check_magnitudes", "check_rows", "load_table", "read_column"]

FAINTEST = 60.0  # magnitude


def load_table(table: str | PathLike | astropy.table.Table) -> astropy.table.Table:
    """Read a file that astropy reads, or return the table."""
    from astropy.table import Table

    return table if isinstance(table, Table) else Table.read(table)


def read_column(data: astropy.table.Table, name: str, unit: str | None = None) -> np.ndarray:
    """Read a column as float64; what is masked is NaN.

    Parameters
    ----------
    data : Table
        The catalogue.
    name : str
        Of the column.
    unit : str, optional
        To which the column is converted where it has a unit.

    Raises
    ------
    ValueError
        If there is no such column, or its unit is of another kind.
    """
    if name not in data.colnames:
        raise ValueError(
            f"The catalogue has columns {data.colnames} but no {name!r}: add it, or name another in `columns`."
        )
    column: Any = data[name]
    mask = getattr(column, "mask", None)
    if unit is not None and getattr(column, "unit", None) is not None:
        values = _converted(column, name, unit)
    else:
        values = np.array(getattr(column, "value", column), float)
    return values if mask is None else np.where(mask, np.nan, values)


def check_rows(bad: Any, what: str) -> None:
    """Refuse marked rows, (n,) bool.

    Raises
    ------
    ValueError
        If one is marked.
    """
    if bad.any():
        raise ValueError(
            f"{bad.sum()} rows {what}, the first at row {int(np.argmax(bad))}: drop them from the catalogue."
        )


def check_magnitudes(magnitude: np.ndarray, bands: Sequence[str]) -> None:
    """Refuse rows that lack a magnitude (n, C) in a band.

    Raises
    ------
    ValueError
        If one does.
    """
    # -99 and 99 stand for no magnitude in many tables.
    unknown = ~(np.abs(magnitude) < FAINTEST)
    check_rows(unknown.any(axis=1), f"have no magnitude between -{FAINTEST} and {FAINTEST} in all of {list(bands)}")


def _converted(column: Any, name: str, unit: str) -> np.ndarray:
    import astropy.units as u

    try:
        return np.array(u.Quantity(np.asarray(column, float), column.unit).to_value(unit))
    except u.UnitConversionError as error:
        raise ValueError(f"Column {name!r} is in {column.unit}, expected a unit like {unit}.") from error
