"""A blend as named arrays, whatever the file that holds them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AbstractPSF
from jaxblend.io.header import celestial_wcs
from jaxblend.io.mask import bad_pixels
from jaxblend.io.noise import read_noise_correlation
from jaxblend.io.psf_arrays import psf_from_arrays, psf_to_arrays

if TYPE_CHECKING:
    import astropy.table
    from astropy.wcs import WCS

__all__ = ["LAYOUT", "StoredBlend", "blend_from_arrays", "blend_to_arrays"]

SYNONYMS = {
    "image": ("image", "images"),
    "weight": ("weight", "weights", "ivar", "invvar"),
    "variance": ("variance", "variances", "var"),
    "psf": ("psf", "psfs"),
    "bands": ("bands", "filters"),
    "positions": ("positions", "catalog", "centers"),
}
LAYOUT = (
    "image (C, H, W); weight (inverse variance) or variance; psf (C, h, w); and, where known, mask, bands (C,), "
    "positions (n, 2) or catalog with x and y, pixel_scale, zero_point"
)


@dataclass(frozen=True, eq=False)
class StoredBlend:
    """What a file holds.

    Attributes
    ----------
    observation : Observation
        Image, noise and PSF.
    positions : (n, 2) array or None
        Pixel x, y of the sources.
    isolated : (n, C, H, W) array or None
        Each source alone without noise, where the blend was simulated.
    truth : QTable or None
        What is true about each source, from a file that holds it.
    """

    observation: Observation
    positions: np.ndarray | None = None
    isolated: np.ndarray | None = None
    truth: astropy.table.QTable | None = None


def blend_from_arrays(
    arrays: Mapping[str, np.ndarray],
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
    """Make a blend of the arrays of a file; `path` is named in messages, the rest goes before what the file says."""
    image = _one(arrays, "image", path)
    weight, variance = _find(arrays, "weight"), _find(arrays, "variance")
    scale = _scalar(arrays, "pixel_scale") if pixel_scale is None else pixel_scale
    wcs = _wcs(arrays, path) if pixel_scale is None else None
    if scale is None and wcs is None:
        raise ValueError(
            f"{path} does not say how large a pixel is: give pixel_scale in arcsec "
            "(--pixel-scale; 0.168 for HSC, 0.2 for LSST)."
        )
    stored_psf = psf if psf is not None else _psf(arrays, psf_oversampling, psf_includes_pixel)
    stored_bands = _find(arrays, "bands")
    names = bands if bands is not None else None if stored_bands is None else tuple(map(str, stored_bands))
    observation = Observation(
        image,
        weight,
        stored_psf,
        variance=None if weight is not None else variance,
        pixel_scale=None if wcs is not None else scale,
        wcs=wcs,
        bands=names,
        zero_point=arrays.get("zero_point") if zero_point is None else zero_point,
        mask=bad_pixels(arrays["mask"], mask_bits) if "mask" in arrays else None,
        survey=survey if survey is not None else _text(arrays, "survey"),
        noise_correlation=_noise_correlation(arrays, noise_correlation, names),
        gain=arrays.get("gain") if gain is None else gain,
    )
    return StoredBlend(observation, _positions(_find(arrays, "positions"), path), arrays.get("isolated"))


def blend_to_arrays(
    observation: Observation, *, positions: np.ndarray | None = None, isolated: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Take an observation, and what is true about it, apart into arrays that `blend_from_arrays` puts together."""
    optional = {
        "zero_point": observation.zero_point,
        "survey": observation.survey,
        "noise_correlation": observation.noise_correlation,
        "gain": observation.gain,
        "wcs_header": None if observation.wcs is None else observation.wcs.to_header_string(relax=True),
        "positions": positions,
        "isolated": isolated,
    }
    return {
        "image": np.asarray(observation.image),
        "weight": np.asarray(observation.weight),
        "bands": np.array(observation.bands, dtype=str),
        "pixel_scale": np.asarray(float(observation.frame.pixel_scale)),
        **psf_to_arrays(observation.psf),
        **{name: np.asarray(value) for name, value in optional.items() if value is not None},
    }


def _find(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray | None:
    return next((arrays[synonym] for synonym in SYNONYMS[name] if synonym in arrays), None)


def _one(arrays: Mapping[str, np.ndarray], name: str, path: Any) -> np.ndarray:
    found = _find(arrays, name)
    if found is None:
        raise ValueError(f"{path} has the arrays {sorted(arrays)} but no {name}: expected {LAYOUT}.")
    return found


def _scalar(arrays: Mapping[str, np.ndarray], name: str) -> float | None:
    return float(arrays[name]) if name in arrays else None


def _text(arrays: Mapping[str, np.ndarray], name: str) -> str | None:
    return str(arrays[name]) if name in arrays else None


def _wcs(arrays: Mapping[str, np.ndarray], path: Any) -> WCS | None:
    if "wcs_header" not in arrays:
        return None
    from astropy.io.fits import Header
    from astropy.utils.exceptions import AstropyWarning

    stored = arrays["wcs_header"]
    try:
        if stored.size != 1 or stored.dtype.kind not in "SU":
            raise ValueError(f"it is an array of {stored.dtype} with shape {stored.shape}")
        text = str(stored.astype(str).item())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # of cards that the error below names, or that do no harm
            wcs = celestial_wcs(Header.fromstring(text, sep="\n" if "\n" in text else ""))
            if wcs is None:
                raise ValueError(f"no celestial axes are in {text[:40]!r}")
            wcs.wcs.set()  # else it fails where it is first used
    except ValueError as error:
        reason = str(error).strip().splitlines()[-1].rstrip(".")
        raise ValueError(
            f"wcs_header in {path} is not a celestial WCS ({reason}): expected a FITS header as one string, such as "
            "astropy's wcs.to_header_string(); put it right, or give pixel_scale (--pixel-scale) to do without."
        ) from error
    return wcs


def _psf(arrays: Mapping[str, np.ndarray], oversampling: int | None, includes_pixel: bool | None) -> AbstractPSF | None:
    image = _find(arrays, "psf")
    given = {"oversampling": oversampling, "includes_pixel": includes_pixel}
    overrides = {name: value for name, value in given.items() if value is not None}
    return psf_from_arrays({**arrays, **({} if image is None else {"psf_image": image})}, overrides=overrides)


def _noise_correlation(arrays: Mapping[str, np.ndarray], given: Any, bands: Sequence[str] | None) -> np.ndarray | None:
    if given is None:
        return arrays.get("noise_correlation")
    return given if isinstance(given, np.ndarray) else read_noise_correlation(given, bands=bands)


def _positions(stored: np.ndarray | None, path: Any) -> np.ndarray | None:
    if stored is None:
        return None
    if stored.dtype.names is not None:
        missing = [name for name in ("x", "y") if name not in stored.dtype.names]
        if missing:
            raise ValueError(f"The catalog in {path} has columns {stored.dtype.names}, expected x and y: rename them.")
        return np.stack([stored["x"], stored["y"]], axis=1).astype(float)
    if stored.ndim != 2 or stored.shape[1] != 2:
        raise ValueError(f"The positions in {path} have shape {stored.shape}, expected (n, 2): pixel x, y.")
    return stored.astype(float)
