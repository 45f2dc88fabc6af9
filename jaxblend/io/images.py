"""Image cubes as FITS, with the sky coordinates and the bands in the header, and tables beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jaxblend.io.atomic import atomic_path
from jaxblend.io.header import Header
from jaxblend.io.tables import hdu_of_table

__all__ = ["Extension", "observation_header", "write_images"]


@dataclass(frozen=True, eq=False)
class Extension:
    """One image of a FITS file.

    Attributes
    ----------
    name : str
        EXTNAME.
    data : (C, H, W) array
        What is written, as float32.
    cards : dict
        Further header keywords: value, or (value, comment).
    origin : (int, int)
        Pixel (x, y) of the observation where the data begin; the WCS is shifted by it.
    """

    name: str
    data: np.ndarray
    cards: dict[str, Any] = field(default_factory=dict)
    origin: tuple[int, int] = (0, 0)


def write_images(
    path: str | os.PathLike,
    extensions: Sequence[Extension],
    *,
    observation: Any = None,
    tables: Mapping[str, Any] | None = None,
) -> Path:
    """Write images as extensions of one FITS file, in one step.

    Parameters
    ----------
    path : path
        An existing file is replaced.
    extensions : sequence of Extension
        In the order of the file; the primary HDU is empty.
    observation : Observation, optional
        Gives the bands, zero points and WCS of every image's header.
    tables : dict of Table, optional
        By EXTNAME; they follow the images.

    Returns
    -------
    Path
        The file.
    """
    from astropy.io import fits

    path = Path(path)
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for extension in extensions:
        header = fits.Header() if observation is None else observation_header(observation, extension.origin)
        header.update(extension.cards)
        hdus.append(fits.ImageHDU(np.asarray(extension.data, np.float32), header=header, name=extension.name))
    hdus.extend(hdu_of_table(table, name) for name, table in (tables or {}).items())
    with atomic_path(path) as temporary:
        hdus.writeto(temporary)
    return path


def observation_header(observation: Any, origin: tuple[int, int] = (0, 0)) -> Header:
    """Make a header that `jaxblend.io.fits.read_fits` understands: bands, zero points, pixel scale, WCS.

    Parameters
    ----------
    observation : Observation
        What the images belong to.
    origin : (int, int)
        Pixel (x, y) of the observation where the images begin.
    """
    from astropy.io import fits

    header: Header = fits.Header()
    if observation.wcs is not None and hasattr(observation.wcs, "to_header"):
        header.update(observation.wcs.to_header(relax=True))
        for axis, start in enumerate(origin, start=1):
            header[f"CRPIX{axis}"] = header.get(f"CRPIX{axis}", 0.0) - start
    for index, band in enumerate(observation.bands):
        header[f"BAND{index}"] = (str(band), f"band of slice {index}")
    zero_points = observation.zero_point
    if zero_points is not None:
        zero_points = np.broadcast_to(np.asarray(zero_points, float), (len(observation.bands),))
        for index, value in enumerate(zero_points):
            header[f"MAGZP{index}"] = (float(value), "AB magnitude of one unit of flux")
        if np.ptp(zero_points) == 0:
            header["MAGZP"] = (float(zero_points[0]), "AB magnitude of one unit of flux")
    header["PIXSCALE"] = (float(observation.frame.pixel_scale), "arcsec")
    header["X0"], header["Y0"] = origin
    return header
