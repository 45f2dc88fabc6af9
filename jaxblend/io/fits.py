"""FITS files to an Observation."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AbstractPSF
from jaxblend.forward.sampled_psf import ImagePSF
from jaxblend.io.header import celestial_wcs, largest_wcs_offset, pixel_scale_from_header, zero_point_from_header
from jaxblend.io.mask import bad_pixels, mask_planes
from jaxblend.io.noise import noise_planes
from jaxblend.io.planes import ROLES, Plane, padded, read_planes

__all__ = ["read_fits", "read_psf"]

Paths = str | os.PathLike | Sequence[str | os.PathLike]
MAX_WCS_OFFSET = 0.1  # pixels


def read_fits(
    images: Paths,
    *,
    weight: Paths | None = None,
    variance: Paths | None = None,
    mask: Paths | None = None,
    psf: Paths | AbstractPSF | None = None,
    bands: str | Sequence[str] | None = None,
    zero_point: float | Sequence[float] | np.ndarray | None = None,
    pixel_scale: float | None = None,
    psf_oversampling: int = 1,
    psf_includes_pixel: bool = True,
    mask_bits: int | None = None,
    survey: str | None = None,
    noise_correlation: Paths | np.ndarray | None = None,
    gain: float | Sequence[float] | np.ndarray | None = None,
) -> Observation:
    """Read images of one patch of sky, one per band on the same pixels, with their noise and PSF.

    Understood are a cube (C, H, W), a file with one extension per band, a file with images and their inverse
    variances, variances, masks, PSFs or noise correlations side by side (told apart by EXTNAME or IMAGETYP), and one
    file per band. Any path may name an extension in brackets: ``coadd.fits[2]`` or ``coadd.fits[VARIANCE]``.

    Parameters
    ----------
    images : path or sequence of paths
        Where the images are, and whatever else the files hold.
    weight, variance : path or sequence of paths, optional
        Inverse variances or variances, instead of those beside the images; give one of the two.
    mask : path or sequence of paths, optional
        Bit masks, instead of those beside the images.
    psf : path, sequence of paths or PSF, optional
        PSF images, one per band or one for all, instead of those beside the images; or a PSF made in Python.
    bands : str or sequence of str, optional
        Names of the bands: those to keep, in this order, where the headers name them (BAND, FILTER), else one
        per image.
    zero_point : float or sequence of floats, optional
        AB magnitude of one unit of flux (22.5 for nanomaggies), for all bands or one each. By default the headers'.
    pixel_scale : float, optional
        Arcsec per pixel, where the headers have no WCS; if given, the WCS is left aside.
    psf_oversampling : int
        PSF samples per image pixel.
    psf_includes_pixel : bool
        Whether the PSF images contain the pixel response, as those measured from stars do.
    mask_bits : int, optional
        The bits that make a pixel bad, added up; -1 for any. By default those that the header names as bad, and
        for a mask of zeros and ones the ones.
    survey : str, optional
        Its name, for the catalogue and for the defaults that go with it.
    noise_correlation : path, sequence of paths or array, optional
        Correlation of the noise between pixels, (0, 0) in the middle, one per band or one for all, instead of those
        beside the images: .npy or FITS files, or an array such as ``jaxblend.estimate_noise_correlation`` gives.
    gain : float or sequence of floats, optional
        Photons per unit of flux, for all bands or one each, where the weights are those of the sky alone. Headers are
        not asked: theirs is mostly that of a single exposure, and most weights hold the photons of the sources.

    Returns
    -------
    Observation

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If the files do not fit together; the message says what to change.
    """
    if weight is not None and variance is not None:
        raise ValueError("Got both weight and variance files, expected one of them: leave one out.")
    given = {"weight": weight, "variance": variance, "mask": mask, "psf": psf, "noise_correlation": noise_correlation}
    planes = _collect(images, **given)
    chosen = _select_bands(planes["image"], bands)
    names = _band_names(chosen, bands)
    image = _stack(chosen)
    beside = {role: found for role, found in planes.items() if role not in ("image", "isolated")}
    matched = {role: _match(found, chosen, planes["image"]) for role, found in beside.items()}
    masks, psfs, correlations = matched["mask"], matched["psf"], matched["noise_correlation"]
    if psfs:
        psf = _image_psf(psfs, psf_oversampling, psf_includes_pixel)
    wcs = _common_wcs(chosen) if pixel_scale is None else None
    if wcs is None and pixel_scale is None:
        pixel_scale = _known_pixel_scale(chosen[0])
    noise = _noise(matched)
    return Observation(
        image,
        weight=noise.get("weight"),
        variance=noise.get("variance"),
        psf=psf,
        pixel_scale=pixel_scale,
        wcs=wcs,
        bands=names,
        zero_point=_zero_points(chosen, zero_point),
        mask=bad_pixels(_stack(masks), mask_bits, named=mask_planes(masks[0].header)) if masks else None,
        survey=survey,
        noise_correlation=padded(correlations) if correlations else noise_correlation,
        gain=gain,
    )


def read_psf(paths: Paths, *, oversampling: int = 1, includes_pixel: bool = True) -> ImagePSF:
    """Read PSF images, one per band: a cube, one extension per band, or one file per band.

    Parameters
    ----------
    paths : path or sequence of paths
        FITS files.
    oversampling : int
        Samples per image pixel.
    includes_pixel : bool
        Whether the samples contain the pixel response.

    Returns
    -------
    ImagePSF
        Its images are not renormalised.
    """
    planes = [plane for path in _listed(paths) for plane in read_planes(path, role="psf")]
    return _image_psf(planes, oversampling, includes_pixel)


def _collect(images: Paths, **given: Any) -> dict[str, list[Plane]]:
    """Sort all planes by role; a file given for a role replaces what lies beside the images."""
    planes: dict[str, list[Plane]] = {role: [] for role in ROLES}
    for path in _listed(images):
        for plane in read_planes(path):
            planes[plane.role].append(plane)
    if not planes["image"]:
        raise ValueError(
            f"{', '.join(map(str, _listed(images)))} holds {_summary(planes)} but no image: "
            "name the extension of the image, as in file.fits[1]."
        )
    for role, paths in given.items():
        if paths is None:
            continue
        if isinstance(paths, AbstractPSF | np.ndarray):
            planes[role] = []
            continue
        if role in ("weight", "variance"):
            planes |= {"weight": [], "variance": [], "sigma": []}
        planes[role] = (
            noise_planes(paths)
            if role == "noise_correlation"
            else [plane for path in _listed(paths) for plane in read_planes(path, role=role)]
        )
    return planes


def _listed(paths: Paths) -> list[str | os.PathLike]:
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)


def _summary(planes: dict[str, list[Plane]]) -> str:
    return ", ".join(f"{len(found)} x {role}" for role, found in planes.items() if found) or "nothing"


def _select_bands(images: list[Plane], bands: str | Sequence[str] | None) -> list[Plane]:
    """Pick the images of the bands asked for: by name where the headers name them, else in order."""
    if bands is None:
        return images
    by_name = {plane.band: plane for plane in images}
    if len(by_name) == len(images) and None not in by_name:
        names = _split_bands(bands, by_name, len(images))
        if set(names) <= set(by_name):
            return [by_name[name] for name in names]
    names = _split_bands(bands, by_name, len(images))
    if len(names) != len(images):
        headers = f", which their headers name {list(by_name)}" if any(by_name) else ""
        raise ValueError(
            f"Got bands {list(names)} for {len(images)} images{headers}: "
            "name one band per image, or a selection of the names in the headers."
        )
    return images


def _split_bands(bands: str | Sequence[str], known: Collection[str | None], count: int) -> tuple[str, ...]:
    """Split "grz" into letters, but keep the name of a single band whole."""
    if isinstance(bands, str):
        return (bands,) if bands in known or count == 1 else tuple(bands)
    return tuple(bands)


def _band_names(chosen: list[Plane], bands: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if bands is not None:
        return _split_bands(bands, {plane.band for plane in chosen}, len(chosen))
    names = tuple(plane.band for plane in chosen if plane.band is not None)
    return names if len(names) == len(chosen) and len(set(names)) == len(names) else None


def _match(planes: list[Plane], chosen: list[Plane], images: list[Plane]) -> list[Plane]:
    """Give each chosen image its plane: by band where all planes name one, else in order; one plane serves all."""
    if not planes:
        return []
    by_name = {plane.band: plane for plane in planes}
    if None not in by_name and len(by_name) == len(planes) and {image.band for image in chosen} <= set(by_name):
        return [by_name[image.band] for image in chosen]
    if len(planes) == 1:
        return planes * len(chosen)
    if len(planes) == len(images):
        return [planes[next(i for i, image in enumerate(images) if image is one)] for one in chosen]
    if len(planes) != len(chosen):
        raise ValueError(
            f"Got {len(planes)} planes of {planes[0].role} ({', '.join(plane.source for plane in planes)}) for "
            f"{len(images)} images ({', '.join(image.source for image in images)}): give one per image or one for "
            "all, or name the bands in the headers (BAND)."
        )
    return planes


def _stack(planes: list[Plane]) -> np.ndarray:
    shapes = {plane.source: plane.data.shape for plane in planes}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"The planes have different shapes, {shapes}: bring them to the same pixels, "
            "or read them as several observations and fit those together."
        )
    return np.stack([plane.data for plane in planes])


def _noise(planes: dict[str, list[Plane]]) -> dict[str, np.ndarray]:
    if planes["weight"]:
        return {"weight": _stack(planes["weight"])}
    if planes["variance"]:
        return {"variance": _stack(planes["variance"])}
    if planes["sigma"]:
        return {"variance": np.square(_stack(planes["sigma"]).astype(np.float64))}
    return {}


def _image_psf(planes: list[Plane], oversampling: int, includes_pixel: bool) -> ImagePSF:
    return ImagePSF(padded(planes).astype(np.float32), oversampling=oversampling, includes_pixel=includes_pixel)


def _common_wcs(images: list[Plane]) -> Any:
    wcs = celestial_wcs(images[0].header)
    if wcs is None:
        return None
    for other in images[1:]:
        second = celestial_wcs(other.header) if other.header is not images[0].header else None
        offset = 0.0 if second is None else largest_wcs_offset(wcs, second, images[0].data.shape)
        if offset > MAX_WCS_OFFSET:
            raise ValueError(
                f"The WCS of {images[0].source} and {other.source} differ by up to {offset:.2f} pixels, expected "
                f"at most {MAX_WCS_OFFSET}: bring them to the same pixels, or fit them as several observations."
            )
    return wcs


def _known_pixel_scale(plane: Plane) -> float:
    scale = pixel_scale_from_header(plane.header)
    if scale is None:
        raise ValueError(
            f"{plane.source} has no celestial WCS and no PIXSCALE, so the size of a pixel is not known: "
            "give pixel_scale in arcsec (--pixel-scale)."
        )
    return scale


def _zero_points(images: list[Plane], given: float | Sequence[float] | np.ndarray | None) -> Any:
    if given is not None:
        return given
    found = [zero_point_from_header(plane.header, plane.index) for plane in images]
    return None if None in found else np.array(found, float)
