"""A simulated blend as one FITS file, for programs that read nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxblend.forward.psf_images import effective_psf
from jaxblend.io.fits import read_fits
from jaxblend.io.images import Extension, write_images
from jaxblend.io.stored import StoredBlend
from jaxblend.io.tables import table_of_hdu
from jaxblend.simulation.truth import places_of, seeds_of, truth_to_store

if TYPE_CHECKING:
    from astropy.table import QTable

    from jaxblend.simulation.blend import Blend

__all__ = ["read_fits_blend", "read_fits_seeds", "write_fits"]

_PSF_SIDE = 63  # pixels
_TRUTH, _ISOLATED = "TRUTH", "ISOLATED"


def write_fits(blend: Blend, path: str | os.PathLike, *, isolated: bool = True) -> Path:
    """Write a blend as IMAGE, WEIGHT, PSF, for each source its image without noise, and TRUTH, a table.

    `read_fits_blend` gives all of it back, `jaxblend.io.read_fits` the observation alone, as of any images. The PSF
    becomes an image on the pixels of the blend, pixel included, which loses what lies beyond it: to keep an analytic
    PSF as it is, write NumPy archives or HDF5. Correlated noise is written as NOISE_CORRELATION.

    Parameters
    ----------
    blend : Blend
        From `jaxblend.simulate`.
    path : path
        An existing file is replaced, in one step.
    isolated : bool
        Whether to write the images of each source: extensions ISOLATED_0, ISOLATED_1 ..., with its pixel and its row in
        the truth in the header.

    Returns
    -------
    Path
        The file. Its truth has the seeds as ``seed_x, seed_y`` where they are not the true positions.
    """
    observation = blend.observation
    extensions = [
        Extension("IMAGE", observation.image, {_ISOLATED: (isolated, "images of all sources are here")}),
        Extension("WEIGHT", observation.weight),
        Extension("PSF", effective_psf(observation, _PSF_SIDE)),
    ]
    if observation.noise_correlation is not None:
        extensions.append(Extension("NOISE_CORRELATION", observation.noise_correlation))
    if isolated:
        for row, (image, (x, y)) in enumerate(zip(blend.isolated, blend.positions, strict=True)):
            cards = {"SOURCEID": row, "SOURCEX": (float(x), "pixel, from 0"), "SOURCEY": (float(y), "pixel, from 0")}
            extensions.append(Extension(f"{_ISOLATED}_{row}", np.asarray(image), cards))
    return write_images(path, extensions, observation=observation, tables={_TRUTH: truth_to_store(blend)})


def read_fits_blend(path: str | os.PathLike) -> StoredBlend:
    """Read a blend that `write_fits` wrote, as `BlendFile` gives those of an HDF5 file.

    Parameters
    ----------
    path : path
        A FITS file. One that any other program wrote is a blend without positions, isolated images and truth.

    Returns
    -------
    StoredBlend
        Positions are the true ones; isolated images are there if they were written.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read, has no image, or has lost its truth or the image of a source.
    """
    observation = read_fits(path)
    try:
        truth, isolated = _truth_in(path, observation.image.shape)
    except (OSError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"The truth in {path} could not be read ({error}): is the file whole?") from error
    if truth is None:
        return StoredBlend(observation, isolated=isolated)
    about: Any = truth.meta  # astropy's types do not know it
    named = observation.replace(survey=about.get("survey"))
    return StoredBlend(named, places_of(truth), isolated, truth)


def read_fits_seeds(path: str | os.PathLike) -> np.ndarray | None:
    """Positions (n, 2), pixel x, y, that go with a blend that `write_fits` wrote; None for files that others wrote."""
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        every: list[Any] = list(hdus)
        ours = any(_ISOLATED in hdu.header for hdu in every)
        truth = next((table_of_hdu(hdu) for hdu in every if ours and hdu.name == _TRUTH), None)
    return None if truth is None else seeds_of(truth)


def _truth_in(path: str | os.PathLike, shape: tuple[int, ...]) -> tuple[QTable | None, np.ndarray | None]:
    """The table, and the images of its sources in its order; None for what was not written."""
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        every: list[Any] = list(hdus)
        truth = next((table_of_hdu(hdu) for hdu in every if hdu.name == _TRUTH), None)
        images = {hdu.header["SOURCEID"]: hdu.data for hdu in every if hdu.name.startswith(f"{_ISOLATED}_")}
        said = [hdu.header[_ISOLATED] for hdu in every if _ISOLATED in hdu.header]
    if said and truth is None:
        raise ValueError(f"its table {_TRUTH} is not there")
    written = any(said) or bool(images)
    if written and truth is not None and sorted(images) != list(range(len(truth))):
        raise ValueError(f"it has {len(truth)} sources, and there are images of {sorted(images)}")
    isolated = np.array([images[row] for row in sorted(images)], np.float32).reshape(-1, *shape)
    return truth, isolated if written else None
