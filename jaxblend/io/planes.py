"""FITS files as a list of planes: 2-D arrays that know their band and what they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxblend.io.header import Header

__all__ = ["Plane", "band_from_header", "padded", "read_planes"]

ROLES = {
    "weight": ("weight", "wht", "invvar", "ivar", "inverse_variance"),
    "variance": ("variance", "var"),
    "sigma": ("sigma", "err", "error", "rms", "stddev"),
    "mask": ("mask", "dq", "flags"),
    "psf": ("psf",),
    "noise_correlation": ("noise_correlation", "correlation"),
    "image": ("image", "sci", "science", "data", "cube"),
    "isolated": ("isolated",),  # truth beside a simulated image, not data
}
BAND_KEYWORDS = ("BAND", "FILTER", "FILTNAM", "FILTER1")


@dataclass(frozen=True, eq=False)
class Plane:
    """One band of one kind of data.

    Attributes
    ----------
    role : str
        "image", "weight", "variance", "sigma", "mask", "psf", "noise_correlation" or "isolated".
    band : str or None
        As the header says.
    data : (H, W) array
        In native byte order.
    header : astropy.io.fits.Header
        Of its extension.
    source : str
        File, extension and slice, for messages.
    index : int or None
        Slice of a cube.
    """

    role: str
    band: str | None
    data: np.ndarray
    header: Header
    source: str
    index: int | None = None


def read_planes(path: str | os.PathLike, *, role: str | None = None) -> list[Plane]:
    """Read every image of a FITS file, cubes slice by slice.

    Parameters
    ----------
    path : path
        May name one extension by number or name in brackets: ``coadd.fits[2]``, ``coadd.fits[VARIANCE]``.
    role : str, optional
        What the planes are. By default EXTNAME or IMAGETYP says (SCI, WHT, INVVAR, VARIANCE, ERR, MASK, DQ, PSF ...),
        and what says nothing is an image.

    Returns
    -------
    list of Plane
        In the order of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no FITS file, has no such extension, or no 2-D or 3-D image.
    """
    from astropy.io import fits

    file, extension = _split_extension(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {file}: check the path.")
    try:
        with fits.open(file, memmap=False) as hdus:
            planes = [plane for hdu, label in _chosen(hdus, file, extension) for plane in _planes_of(hdu, label, role)]
    except OSError as error:
        raise ValueError(f"{file} could not be read as FITS ({error}): give a FITS file.") from error
    if not planes:
        raise ValueError(f"{path} has no image of 2 or 3 dimensions: give a file with images, or another extension.")
    return planes


def padded(planes: list[Plane]) -> np.ndarray:
    """Stack planes (C, H, W), those that are smaller surrounded with zeros, their centres kept."""
    size = tuple(max(plane.data.shape[axis] for plane in planes) for axis in (0, 1))
    return np.stack([_pad(plane, size) for plane in planes])


def band_from_header(header: Header, index: int | None = None) -> str | None:
    """Find the name of a band, or of slice ``index`` of a cube; None if the header does not say.

    Read are BAND, FILTER, FILTNAM, FILTER1 and, for cubes, BAND0, BAND1 ... or BANDS ("grz" or "g,r,z").
    """
    if index is not None:
        if f"BAND{index}" in header:
            return _first_word(header[f"BAND{index}"])
        names = str(header.get("BANDS", "")).strip()
        split = re.split(r"[,\s]+", names) if re.search(r"[,\s]", names) else list(names)
        return split[index] if index < len(split) else None
    for keyword in BAND_KEYWORDS:
        if isinstance(header.get(keyword), str) and header[keyword].strip():
            return _first_word(header[keyword])
    return None


def _pad(plane: Plane, size: tuple[int, ...]) -> np.ndarray:
    missing = [n - have for n, have in zip(size, plane.data.shape, strict=True)]
    if any(m % 2 for m in missing):
        raise ValueError(
            f"The {plane.role.replace('_', ' ')} {plane.source} is {plane.data.shape} where another is {size}: sizes "
            "must be all odd or all even."
        )
    return np.pad(plane.data, [(m // 2, m // 2) for m in missing])


def _first_word(value: Any) -> str:
    return str(value).split()[0].strip(",;")


def _split_extension(path: str | os.PathLike) -> tuple[Path, str | None]:
    file = Path(path)
    match = re.fullmatch(r"(.+)\[([^\[\]]+)\]", str(path))
    return (file, None) if file.exists() or match is None else (Path(match[1]), match[2])


def _chosen(hdus: Any, file: Path, extension: str | None) -> Iterator[tuple[Any, str]]:
    names = [hdu.name for hdu in hdus]
    if extension is not None:
        number = int(extension) if extension.isdigit() else None
        found = number in range(len(names)) if number is not None else extension.upper() in map(str.upper, names)
        if not found:
            raise ValueError(f"{file} has no extension {extension!r}, but {list(enumerate(names))}: name one of these.")
        hdu = hdus[extension if number is None else number]
        yield hdu, f"{file.name}[{extension}]"
        return
    for number, hdu in enumerate(hdus):
        yield hdu, f"{file.name}[{number}{',' + hdu.name if hdu.name else ''}]"


def _planes_of(hdu: Any, label: str, role: str | None) -> Iterator[Plane]:
    if not hdu.is_image:
        return
    try:
        data = hdu.data
    except (TypeError, ValueError) as error:
        raise ValueError(f"{label} could not be read ({error}): is the file whole?") from error
    if data is None:
        return
    while data.ndim > 3 and data.shape[0] == 1:
        data = data[0]
    if data.ndim not in (2, 3):
        return
    data = np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("="))
    role = _role_from_header(hdu) if role is None else role
    if data.ndim == 2:
        yield Plane(role, band_from_header(hdu.header), data, hdu.header, label)
        return
    single = band_from_header(hdu.header) if len(data) == 1 else None
    for index, plane in enumerate(data):
        band = single or band_from_header(hdu.header, index)
        yield Plane(role, band, plane, hdu.header, f"{label} slice {index}", index)


def _role_from_header(hdu: Any) -> str:
    for text in (hdu.name, str(hdu.header.get("IMAGETYP", ""))):
        words = set(re.split(r"[^a-z]+", text.lower()))
        for role, synonyms in ROLES.items():
            if words & set(synonyms) or text.lower() in synonyms:
                return role
    return "image"
