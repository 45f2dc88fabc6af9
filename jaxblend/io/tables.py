"""Catalogues on disk: ECSV, FITS and Parquet, with units and metadata kept in each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxblend.io.atomic import atomic_path, to_json

if TYPE_CHECKING:
    import astropy.table

__all__ = ["hdu_of_table", "read_positions", "read_table", "table_of_hdu", "write_table"]

FORMATS = {".ecsv": "ecsv", ".fits": "fits", ".parquet": "parquet", ".csv": "csv"}
META_KEYWORD = "JBMETA"
SKY_COLUMNS, PIXEL_COLUMNS = ("ra", "dec"), ("x", "y")


def write_table(table: astropy.table.Table, path: str | os.PathLike) -> Path:
    """Write a table; the suffix says how: .ecsv, .fits or .parquet (.csv loses units and metadata).

    Units and metadata survive, nested metadata too. Parquet columns are plain numbers that any reader understands.

    Parameters
    ----------
    table : Table or QTable
        What to write; it stays as it is.
    path : path
        An existing file is replaced, in one step.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the suffix is another.
    """
    path = Path(path)
    kind = _format_of(path)
    plain = _plain_columns(table)
    if kind == "fits":
        plain = _with_fits_metadata(plain)
    with atomic_path(path) as temporary:
        name = {"ecsv": "ascii.ecsv", "csv": "ascii.csv"}.get(kind, kind)
        plain.write(temporary, format=name)
    return path


def read_table(path: str | os.PathLike) -> astropy.table.QTable:
    """Read a table that `write_table` or another program wrote; the suffix says how.

    Parameters
    ----------
    path : path
        .ecsv, .csv, .fits or .parquet.

    Returns
    -------
    QTable
        Columns with a unit are quantities; text is ``str`` and numbers are in this machine's byte order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the suffix is another.
    """
    from astropy.table import QTable

    path = Path(path)
    kind = _format_of(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no table {path}: check the path.")
    if kind == "parquet":
        return _read_parquet(path)
    if kind == "fits":
        return table_of_hdu(path)
    return QTable.read(path, format=f"ascii.{kind}")


def hdu_of_table(table: astropy.table.Table, name: str) -> Any:
    """Make the extension of a FITS file that `table_of_hdu` turns into the same table again."""
    from astropy.io import fits

    return fits.table_to_hdu(_with_fits_metadata(_plain_columns(table)), name=name)


def table_of_hdu(hdu: Any) -> astropy.table.QTable:
    """Read a table of a FITS file, or the only one in a path.

    FITS has bytes and big-endian numbers, which neither JAX nor pandas takes.
    """
    from astropy.table import QTable

    table = QTable.read(hdu, format="fits")
    plain = table[[name for name in table.colnames if hasattr(table[name], "dtype")]]  # coordinates have none
    plain.convert_bytestring_to_unicode()
    for name in plain.colnames:
        table[name] = plain[name].astype(plain[name].dtype.newbyteorder("="))
    return _from_fits_metadata(table) if META_KEYWORD in table.meta else table


def read_positions(path: str | os.PathLike, *, wcs: Any = None) -> np.ndarray:
    """Read source positions from a table with columns ``x, y`` (pixels) or, given a WCS, ``ra, dec`` (degrees).

    Parameters
    ----------
    path : path
        A table in a format of `read_table`. Pixel (0, 0) is the centre of the first pixel.
    wcs : WCS, optional
        Turns ``ra, dec`` into pixels where there is no ``x, y``.

    Returns
    -------
    (n, 2) array
        Pixel x, y.

    Raises
    ------
    ValueError
        If the columns are not there, or a value is not finite.
    """
    table = read_table(path)
    names = {name.lower(): name for name in table.colnames}
    if all(name in names for name in PIXEL_COLUMNS):
        positions = np.stack([_values(table[names[name]]) for name in PIXEL_COLUMNS], axis=1)
    elif wcs is not None and all(name in names for name in SKY_COLUMNS):
        ra, dec = (_values(table[names[name]], "deg") for name in SKY_COLUMNS)
        positions = np.stack(wcs.world_to_pixel_values(ra, dec), axis=1)
    else:
        need = "x, y (pixels)" + (" or ra, dec (degrees)" if wcs is not None else "; the image has no WCS for ra, dec")
        raise ValueError(f"{path} has columns {table.colnames}, expected {need}: rename or add the columns.")
    if not np.isfinite(positions).all():
        raise ValueError(f"{path}: row {int(np.argwhere(~np.isfinite(positions))[0, 0])} is not finite: remove it.")
    return positions


def _format_of(path: Path) -> str:
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"Got the table {path.name}, expected one of {', '.join(FORMATS)}: change the suffix.")
    return FORMATS[path.suffix.lower()]


def _values(column: Any, unit: str | None = None) -> np.ndarray:
    if getattr(column, "unit", None) is None:
        return np.asarray(column, float)
    return np.asarray(column.to_value(unit) if unit else column.value, float)


def _plain_columns(table: Any) -> astropy.table.Table:
    """Turn quantities and magnitudes into columns of numbers with a unit."""
    from astropy.table import Column, Table

    plain = Table(meta=dict(table.meta))
    for name in table.colnames:
        column = table[name]
        unit = getattr(column, "unit", None)
        values = getattr(column, "value", column) if unit is not None else column
        plain[name] = Column(values, unit=unit, description=column.info.description)
    return plain


def _with_fits_metadata(plain: Any) -> astropy.table.Table:
    """Keep nested metadata, and units that FITS does not know (electrons, AB magnitudes), as JSON in one keyword."""
    from astropy.units import Unit

    units = {name: str(plain[name].unit) for name in plain.colnames if plain[name].unit is not None}
    for name, unit in units.items():
        try:
            Unit(unit).to_string("fits")
        except ValueError:
            plain[name].unit = None
    plain.meta = {META_KEYWORD: to_json({"meta": dict(plain.meta), "units": units})}
    return plain


def _from_fits_metadata(table: Any) -> astropy.table.QTable:
    from astropy.table import Column, QTable, Table

    stored = json.loads(table.meta[META_KEYWORD])
    plain = Table(meta=stored["meta"])
    for name in table.colnames:
        values = getattr(table[name], "value", table[name])
        plain[name] = Column(values, unit=stored["units"].get(name))
    return QTable(plain)


def _read_parquet(path: Path) -> astropy.table.QTable:
    """Read with pyarrow alone: astropy's own reader needs pandas."""
    import pyarrow.parquet
    from astropy.table import Column, QTable, Table
    from astropy.table.meta import get_header_from_yaml

    stored = pyarrow.parquet.read_table(path)
    lines: Any = (stored.schema.metadata or {}).get(b"table_meta_yaml", b"").decode().split("\n")
    header = get_header_from_yaml(lines) if lines != [""] else {}
    units = {column["name"]: column.get("unit") for column in header.get("datatype", [])}
    table = Table(meta=header.get("meta", {}))
    for name in stored.column_names:
        values = stored[name].to_numpy()
        values = values.astype(str) if values.dtype == object else values
        table[name] = Column(values, unit=units.get(name))
    return QTable(table)
