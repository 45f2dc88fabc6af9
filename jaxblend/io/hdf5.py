"""Many blends in one HDF5 file: written as they come, read one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import h5py
import numpy as np

from jaxblend.io.atomic import atomic_path
from jaxblend.io.stored import StoredBlend, blend_from_arrays, blend_to_arrays
from jaxblend.simulation.truth import stack_truths, truth_to_store

if TYPE_CHECKING:
    from jaxblend.simulation.blend import Blend

__all__ = ["BlendFile", "write_blends"]

FORMAT = "jaxblend blends 1"
_COMPRESSED = {"compression": "gzip", "compression_opts": 4, "shuffle": True}


def write_blends(blends: Iterable[Blend], path: str | os.PathLike) -> Path:
    """Write simulated blends and their truth to one file.

    The truth has the seeds as ``seed_x, seed_y`` where they are not the true positions. Blends are written as they are
    drawn, so that those of `jaxblend.simulate_blends` never are in memory together. The file appears under its name
    once all are in it.

    Parameters
    ----------
    blends : iterable of Blend
        Of any sizes and PSFs, seen by one survey in the same bands.
    path : path
        An existing file is replaced, in one step. Without the suffix .h5 it gets it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If there is no blend, blends are of several surveys or bands, or a PSF has no form on disk.
    """
    path = Path(path)
    path = path if path.suffix == ".h5" else path.with_name(f"{path.name}.h5")
    with atomic_path(path) as temporary:
        truths = []
        with h5py.File(temporary, "w") as file:
            file.attrs["format"] = FORMAT
            for number, blend in enumerate(blends):
                group = file.create_group(_name(number))
                arrays = blend_to_arrays(blend.observation, positions=blend.positions, isolated=blend.isolated)
                for name, array in arrays.items():
                    _write(group, name, array)
                truths.append(truth_to_store(blend))
        if not truths:
            raise ValueError(f"Got no blends to write to {path}, expected at least one.")
        stack_truths(truths).write(temporary, path="truth", format="hdf5", append=True, serialize_meta=True)
    return path


class BlendFile:
    """A file that `write_blends` wrote: a sequence of blends, each read when it is asked for.

    >>> with BlendFile("blends.h5") as blends:  # doctest: +SKIP
    ...     fits = jb.fit_batch([b.observation for b in blends], [b.positions for b in blends])

    Parameters
    ----------
    path : path
        The file.

    Attributes
    ----------
    truth : QTable
        A row for each source of all blends; column ``blend`` has the number of its blend.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is none of blends.
    """

    def __init__(self, path: str | os.PathLike):
        from astropy.table import QTable

        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"There is no file {path}: check the path.")
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise ValueError(f"{path} could not be read as an HDF5 file: {error}.") from error
        if self._file.attrs.get("format") != FORMAT:
            self.close()
            raise ValueError(f"{path} is an HDF5 file, but none of blends: expected one that write_blends wrote.")
        self.truth = QTable.read(self._file, path="truth", character_as_bytes=False)
        self._length = sum(str(name).startswith("blend_") for name in self._file)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> StoredBlend: ...
    @overload
    def __getitem__(self, index: slice) -> list[StoredBlend]: ...
    def __getitem__(self, index: int | slice) -> StoredBlend | list[StoredBlend]:
        """One blend, or the blends of a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        number = range(len(self))[index]  # from the end if negative; IndexError if there is none
        blend = blend_from_arrays({name: _read(data) for name, data in self._group(number).items()}, self.path)
        return replace(blend, truth=self.truth[np.asarray(self.truth["blend"]) == number])

    def __iter__(self) -> Iterator[StoredBlend]:
        return (self[i] for i in range(len(self)))

    def __enter__(self) -> BlendFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was read stays."""
        self._file.close()

    def __repr__(self) -> str:
        return f"BlendFile({self.path}: {len(self)} blends, {len(self.truth)} sources)"

    def _group(self, number: int) -> Any:
        if not self._file:
            raise ValueError(f"{self.path} was closed: open it again with BlendFile({str(self.path)!r})")
        return self._file[_name(number)]


def _name(number: int) -> str:
    return f"blend_{number:07d}"


def _write(group: Any, name: str, array: np.ndarray) -> None:
    if array.dtype.kind == "U":
        group.create_dataset(name, data=array.astype(object), dtype=h5py.string_dtype())
    else:
        group.create_dataset(name, data=array, **(_COMPRESSED if array.ndim > 1 else {}))


def _read(data: Any) -> np.ndarray:
    if h5py.check_string_dtype(data.dtype):
        return np.asarray(data.asstr()[()], dtype=str)
    return np.asarray(data[()])
