"""The correlation of noise as a file: a .npy array, or FITS images, one per band or one for all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxblend.io.images import Extension, write_images
from jaxblend.io.planes import Plane, padded, read_planes

__all__ = ["noise_planes", "read_noise_correlation", "write_noise_correlation"]

_NPY = b"\x93NUMPY"


def read_noise_correlation(
    paths: str | os.PathLike | Sequence[str | os.PathLike], *, bands: Sequence[str] | None = None
) -> np.ndarray:
    """Read how the noise of neighbouring pixels is correlated.

    Parameters
    ----------
    paths : path or sequence of paths
        .npy arrays (h, w) or (C, h, w), or FITS images; (0, 0) is in the middle. Nothing pickled is loaded.
    bands : sequence of str, optional
        Those to choose, in this order, where the files name theirs (BAND); else files are taken as they come.

    Returns
    -------
    (C, h, w) or (h, w) array
        The ``noise_correlation`` of an ``Observation``.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If it holds something else.
    """
    planes = noise_planes(paths)
    by_name = {plane.band: plane for plane in planes}
    if bands is not None and len(by_name) == len(planes) and set(bands) <= set(by_name):
        planes = [by_name[band] for band in bands]
    found = padded(planes)
    return found if len(found) > 1 else found[0]


def noise_planes(paths: str | os.PathLike | Sequence[str | os.PathLike]) -> list[Plane]:
    """One plane per band, or one for all; those of a .npy array do not know their bands."""
    listed = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    return [plane for path in listed for plane in _planes_of(path)]


def write_noise_correlation(correlation: np.ndarray, path: str | os.PathLike, *, bands: Sequence[str]) -> Path:
    """Write (C, h, w) as FITS, such that it is read again by the names of its bands."""
    cards = {f"BAND{c}": (band, f"band of slice {c}") for c, band in enumerate(bands)}
    return write_images(path, [Extension("NOISE_CORRELATION", correlation, cards)])


def _planes_of(path: str | os.PathLike) -> list[Plane]:
    file = Path(path)
    if file.suffix.lower() != ".npy":
        return read_planes(path, role="noise_correlation")
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {file}: check the path.")
    array = _load(file)
    if array.ndim not in (2, 3):
        raise ValueError(f"{file} has shape {array.shape}, expected a noise correlation (h, w) or (C, h, w).")
    return [
        Plane("noise_correlation", None, plane, {}, f"{file.name}[{c}]")
        for c, plane in enumerate(array.reshape(-1, *array.shape[-2:]))
    ]


def _load(file: Path) -> np.ndarray:
    try:
        with file.open("rb") as stream:
            # NumPy takes any other file for a pickle, and advises to load it unsafely.
            if stream.read(len(_NPY)) != _NPY:
                raise ValueError("it does not begin as one")
        return np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{file} could not be read as a NumPy array ({error}): expected numbers, (h, w) or (C, h, w)."
        ) from error
