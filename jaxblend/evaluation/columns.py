"""Numbers out of tables: columns by name, in known units, NaN where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.units import Quantity, UnitBase, UnitConversionError, UnitsError
from jaxtyping import Float

__all__ = ["bands_of", "column", "scale_of", "unit_of", "zero_points"]

FLUX, ERROR = "flux_", "_err"


def column(table: Table, name: str, unit: UnitBase | None = None) -> Float[np.ndarray, " n"]:
    """A column as plain numbers, NaN where masked or where there is no such column.

    Numbers without a unit are taken to be in `unit`.

    Raises
    ------
    ValueError
        If the column is not of numbers, or of another kind of unit.
    """
    if name not in table.colnames:
        return np.full(len(table), np.nan)
    values: Any = table[name]
    try:
        if getattr(values, "unit", None) is not None:
            values = values.value if unit is None else values.to_value(unit)
        return np.ma.filled(np.ma.asarray(values, float), np.nan)
    except UnitConversionError:
        raise ValueError(f"column {name} is in {values.unit}, expected {unit} or plain numbers") from None
    except (TypeError, ValueError):
        raise ValueError(f"column {name} must be of numbers, got {values.dtype}") from None


def bands_of(table: Table) -> tuple[str, ...]:
    """Names of the bands that a table has fluxes in."""
    return tuple(n.removeprefix(FLUX) for n in table.colnames if n.startswith(FLUX) and not n.endswith(ERROR))


def unit_of(table: Table, name: str) -> Any:
    """Unit of a column, of fluxes, magnitudes or other; None if it has none."""
    values: Any = table[name]
    return getattr(values, "unit", None)


def scale_of(table: Table, band: str, unit: Any) -> float:
    """What to multiply fluxes of a band by to have them in `unit`; 1 where the table gives no unit.

    Raises
    ------
    ValueError
        If one cannot be turned into the other, or the table has a unit and `unit` is None.
    """
    given = unit_of(table, FLUX + band)
    if given is None:
        return 1.0
    try:
        if unit is None:
            raise UnitsError
        factor: Any = Quantity(1.0, given).to_value(unit)
        return float(factor)
    except UnitsError:
        raise ValueError(
            f"{FLUX}{band} is in {given}, and the truth in {unit or 'no unit'}: give both in one unit, or both without"
        ) from None


def zero_points(table: Table) -> dict[str, float]:
    """AB magnitude of one unit of flux of those bands for which the metadata have it."""
    meta: Any = table.meta
    known = meta.get("zero_point", {})
    if not isinstance(known, Mapping):
        known = dict(zip(meta.get("bands", ()), np.atleast_1d(known), strict=False))
    return {str(band): float(value) for band, value in known.items()}
