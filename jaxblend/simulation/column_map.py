"""The columns of a catalogue by the names of what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxblend.simulation.catsim import shear_from_axes
from jaxblend.simulation.columns import check_rows, read_column

if TYPE_CHECKING:
    import astropy.table

__all__ = ["ColumnMap"]


@dataclass(frozen=True, eq=False)
class ColumnMap:
    """A table of n rows, and the columns that have other names than what they hold; made by `ColumnMap.of`.

    Attributes
    ----------
    data : Table
        The catalogue.
    columns : mapping
        Column of a name.
    """

    data: astropy.table.Table
    columns: Mapping[str, str]

    @classmethod
    def of(cls, data: astropy.table.Table, columns: Mapping[str, str] | None, known: Iterable[str]) -> ColumnMap:
        """Check the names.

        Raises
        ------
        ValueError
            If one is not known, or its column is not there.
        """
        given, known = dict(columns or {}), list(known)
        unknown = [name for name in given if name not in known]
        if unknown:
            raise ValueError(f"Got columns for {unknown}, expected some of {known}.")
        for name in given.values():
            read_column(data, name)
        return cls(data, given)

    def __len__(self) -> int:
        return len(self.data)

    def has(self, *names: str) -> bool:
        """Say whether there is a column for each name."""
        return all(self.columns.get(name, name) in self.data.colnames for name in names)

    def read(self, name: str, unit: str | None = None, *, default: float | None = None) -> np.ndarray:
        """Read what a name stands for, (n,) float64; the default where there is no column."""
        if default is not None and not self.has(name):
            return np.full(len(self), default)
        return read_column(self.data, self.columns.get(name, name), unit)

    def ellipse(self, prefix: str, lit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read half-light radii (n,), arcsec, and reduced shears (n, 2); 0 in rows that are not lit.

        Names with the prefix go before those without. What there is neither of is round.

        Raises
        ------
        ValueError
            If lit rows have no size, or an impossible one, or no angle.
        """
        if not lit.any():
            return np.zeros(len(self)), np.zeros((len(self), 2))
        radius = self._first(self._radius, prefix)
        if radius is None:
            raise ValueError(
                f"The catalogue has columns {self.data.colnames} and no size: name a column for `{prefix}radius`, or "
                f"for `{prefix}a` and `{prefix}b`, in `columns`."
            )
        shape = self._first(self._shape, prefix)
        g = np.zeros((len(self), 2)) if shape is None else shape
        self.check(lit & ~((radius > 0) & np.isfinite(radius)), f"have light but no `{prefix}radius` above 0")
        self.check(lit & ~(np.hypot(*g.T) < 1), f"have a shape `{prefix}g1`, `{prefix}g2` of 1 or more, or none")
        return np.where(lit, radius, 0.0), np.where(lit[:, None], g, 0.0)

    def check(self, bad: Any, what: str) -> None:
        """Refuse marked rows, (n,) bool.

        Raises
        ------
        ValueError
            If one is marked.
        """
        check_rows(bad, what)

    @staticmethod
    def _first(read, prefix: str) -> np.ndarray | None:
        found = read(prefix)
        return read("") if found is None else found

    def _radius(self, prefix: str) -> np.ndarray | None:
        if self.has(f"{prefix}radius"):
            return self.read(f"{prefix}radius", "arcsec")
        if self.has(f"{prefix}a", f"{prefix}b"):
            return np.sqrt(self.read(f"{prefix}a", "arcsec") * self.read(f"{prefix}b", "arcsec"))
        if self.has(f"{prefix}a", f"{prefix}axis_ratio"):
            return self.read(f"{prefix}a", "arcsec") * np.sqrt(self.read(f"{prefix}axis_ratio"))
        return None

    def _shape(self, prefix: str) -> np.ndarray | None:
        if self.has(f"{prefix}g1", f"{prefix}g2"):
            return np.stack([self.read(f"{prefix}g1"), self.read(f"{prefix}g2")], axis=1)
        if self.has(f"{prefix}axis_ratio"):
            long, short = np.ones(len(self)), self.read(f"{prefix}axis_ratio")
        elif self.has(f"{prefix}a", f"{prefix}b"):
            long, short = self.read(f"{prefix}a", "arcsec"), self.read(f"{prefix}b", "arcsec")
        else:
            return None
        if not self.has(f"{prefix}position_angle"):
            raise ValueError(
                f"The catalogue has the axes of ellipses but no angle: name a column for `{prefix}position_angle` in "
                "`columns`, in degrees from x towards y."
            )
        # Where an axis is 0 or less there is no shape; the rows that need one are refused.
        possible = (long > 0) & (short > 0)
        long, short = np.where(possible, long, np.nan), np.where(possible, short, np.nan)
        return shear_from_axes(long, short, self.read(f"{prefix}position_angle", "deg"))
