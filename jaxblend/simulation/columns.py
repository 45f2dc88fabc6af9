"""Columns of catalogues."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import astropy.table

__all__ = ["load_table", "read_column"]


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


def _converted(column: Any, name: str, unit: str) -> np.ndarray:
    import astropy.units as u

    try:
        return np.array(u.Quantity(np.asarray(column, float), column.unit).to_value(unit))
    except u.UnitConversionError as error:
        raise ValueError(f"Column {name!r} is in {column.unit}, expected a unit like {unit}.") from error
