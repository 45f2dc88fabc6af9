"""NumPy archives of blends: read, and written by the simulator."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AbstractPSF
from jaxblend.io.atomic import atomic_path
from jaxblend.io.stored import LAYOUT, StoredBlend, blend_from_arrays, blend_to_arrays

__all__ = ["read_npz", "write_npz"]


def read_npz(
    path: str | os.PathLike,
    *,
    psf: AbstractPSF | None = None,
    bands: str | Sequence[str] | None = None,
    zero_point: float | Sequence[float] | np.ndarray | None = None,
    pixel_scale: float | None = None,
    psf_oversampling: int | None = None,
    psf_includes_pixel: bool | None = None,
    mask_bits: int | None = None,
    survey: str | None = None,
    noise_correlation: str | os.PathLike | Sequence[str | os.PathLike] | np.ndarray | None = None,
    gain: float | Sequence[float] | np.ndarray | None = None,
) -> StoredBlend:
    """Read a blend from a NumPy archive.

    The arrays are image (or images), weight or variance, psf (or psfs), and optionally mask, bands (or filters),
    positions (n, 2) (or a structured catalog with x and y), pixel_scale, zero_point, wcs_header, noise_correlation and
    gain.

    Parameters
    ----------
    path : path
        An .npz file. Nothing pickled is loaded.
    psf : PSF, optional
        Instead of the file's.
    bands, zero_point, pixel_scale, psf_oversampling, psf_includes_pixel, survey, noise_correlation, gain : optional
        Instead of, or in the absence of, what the file says; as in `jaxblend.io.fits.read_fits`.
    mask_bits : int, optional
        The bits that make a pixel bad, added up; see `jaxblend.io.mask.bad_pixels`.

    Returns
    -------
    StoredBlend
        The observation, and the positions if there are any.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If arrays are missing, the pixel scale is not known, or wcs_header is no celestial WCS.
    """
    return blend_from_arrays(
        _load(Path(path)),
        path,
        psf=psf,
        bands=bands,
        zero_point=zero_point,
        pixel_scale=pixel_scale,
        psf_oversampling=psf_oversampling,
        psf_includes_pixel=psf_includes_pixel,
        mask_bits=mask_bits,
        survey=survey,
        noise_correlation=noise_correlation,
        gain=gain,
    )


def write_npz(
    observation: Observation,
    path: str | os.PathLike,
    *,
    positions: np.ndarray | None = None,
    isolated: np.ndarray | None = None,
) -> Path:
    """Write an observation so that `read_npz` gives it back.

    Parameters
    ----------
    observation : Observation
        Its image, weight, PSF, bands, zero points, pixel scale or WCS, and what is known of its noise are stored.
    path : path
        An existing file is replaced, in one step.
    positions : (n, 2) array, optional
        Pixel x, y of the sources.
    isolated : (n, C, H, W) array, optional
        Each source alone.

    Returns
    -------
    Path
        The file.
    """
    path = Path(path)
    arrays: dict[str, Any] = dict(blend_to_arrays(observation, positions=positions, isolated=isolated))
    with atomic_path(path.with_suffix(".npz")) as temporary:
        np.savez_compressed(temporary, **arrays)
    return path.with_suffix(".npz")


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: check the path.")
    try:
        # NumPy takes any other file for a pickle, and advises to load it unsafely.
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not a zip file")
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} could not be read as a NumPy archive ({error}): expected an .npz with {LAYOUT}."
        ) from error
