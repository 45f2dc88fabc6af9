"""Simulated blends and their truth, from what `jaxblend simulate` wrote or from a table."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxblend.cli.inputs import naming

if TYPE_CHECKING:
    from astropy.table import QTable

    from jaxblend.io.stored import StoredBlend

__all__ = ["BLENDS", "HDF5_NAME", "TRUTHS", "number_of", "read_blends", "read_truth", "split"]

HDF5 = (".h5", ".hdf5")
EXPECTED = "expected blends.h5 or the folder of blends and truth that jaxblend simulate writes"
TRUTHS = ("truth.parquet", "truth.ecsv", "truth.fits")
IMAGES = ("blend_*.npz", "blend_*.fits")
HDF5_NAME = "blends.h5"
BLENDS = (HDF5_NAME, *IMAGES)


def read_truth(path: Path) -> list[Any]:
    """Read the truth of blends: with their images where they are there, else the table of each.

    Raises
    ------
    ValueError, OSError
        If it is no truth, or cannot be read.
    """
    if path.is_dir() or path.suffix.lower() in HDF5:
        return list(read_blends(path))
    from jaxblend.io.tables import read_table

    with naming(path):
        table = read_table(path)
        return split(table, _count(table)) if "blend" in table.colnames else [table]


def read_blends(path: Path) -> list[StoredBlend]:
    """Read all blends of an HDF5 file or of a folder, each with its truth.

    Positions are those of the files; with FITS, the seeds of the truth, or its true places.

    Raises
    ------
    ValueError, OSError
        If there are none, or they cannot be read.
    """
    if path.is_dir():
        kinds = [name for name in BLENDS if any(path.glob(name))]
        if len(kinds) > 1:
            raise ValueError(f"{path} has blends of several kinds, {', '.join(kinds)}: leave those of one.")
        return _read_hdf5(path / HDF5_NAME) if kinds == [HDF5_NAME] else _read_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}: {EXPECTED}.")
    if path.suffix.lower() not in HDF5:
        raise ValueError(f"Got {path}, {EXPECTED}.")
    return _read_hdf5(path)


def split(table: QTable, n: int) -> list[QTable]:
    """Part the table of n blends by its column ``blend``.

    Raises
    ------
    ValueError
        If a number is not one of a blend.
    """
    import numpy as np

    number = np.asarray(table["blend"], int)
    beyond = sorted(set(number[(number < 0) | (number >= n)].tolist()))
    if beyond:
        raise ValueError(f"it has rows of blends {beyond[:10]}, but the truth is that of blends 0 to {n - 1}.")
    tables: list[Any] = [table[number == blend] for blend in range(n)]
    return tables


def number_of(path: Path) -> int | None:
    """The number at the end of a file's or folder's name, as in blend_0007.npz."""
    found = re.search(r"(\d+)$", path.stem if path.suffix and not path.is_dir() else path.name)
    return int(found[1]) if found else None


def _read_hdf5(path: Path) -> list[StoredBlend]:
    from jaxblend.io.hdf5 import BlendFile

    with naming(path), BlendFile(path) as blends:
        return list(blends)


def _read_folder(folder: Path) -> list[StoredBlend]:
    from jaxblend.io.tables import read_table

    truth = next((folder / name for name in TRUTHS if (folder / name).is_file()), None)
    files = sorted((path for name in IMAGES for path in folder.glob(name)), key=lambda path: number_of(path) or 0)
    if truth is None or not files:
        inside = sorted(each.name for each in folder.iterdir() if each.is_dir() and (each / "truth.ecsv").is_file())
        several = f" It holds {', '.join(inside)}: name one of them." if inside else ""
        missing = "truth.ecsv" if truth is None else "blend_0000.npz"
        raise ValueError(f"There is no {missing} in {folder}: {EXPECTED}.{several}")
    numbers = [number_of(path) for path in files]
    if numbers != list(range(len(files))):
        raise ValueError(f"The blends in {folder} are numbered {numbers[:10]}, expected 0, 1, 2 ...: one is missing.")
    with naming(truth):
        table = read_table(truth)
        about: Any = table.meta  # astropy's types do not know it
        if (n := about.get("n_blends", len(files))) != len(files):
            raise ValueError(f"it is the truth of {n} blends, but {folder} has {len(files)}.")
        tables = split(table, len(files))
    return [_with_truth(_read_one(path), table) for path, table in zip(files, tables, strict=True)]


def _with_truth(blend: StoredBlend, truth: Any) -> StoredBlend:
    from jaxblend.simulation.truth import seeds_of

    # A truth without places is refused where it is evaluated.
    positions = seeds_of(truth) if blend.positions is None else blend.positions
    return replace(blend, truth=truth, positions=positions)


def _read_one(path: Path) -> StoredBlend:
    from jaxblend.io.fits_blend import read_fits_blend
    from jaxblend.io.npz import read_npz

    with naming(path):
        # What goes with the images are the seeds, and a FITS file gives the true positions.
        return read_npz(path) if path.suffix == ".npz" else replace(read_fits_blend(path), positions=None)


def _count(table: QTable) -> int:
    """Blends of a table: as many as it says, since the last may be empty, but one if all rows are of the first."""
    import numpy as np

    if not len(table):
        raise ValueError("it has no rows: there is nothing to compare with.")
    last = int(np.asarray(table["blend"]).max())
    about: Any = table.meta  # astropy's types do not know it
    return int(about.get("n_blends", last + 1)) if last else 1
