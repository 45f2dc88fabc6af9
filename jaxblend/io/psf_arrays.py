"""PSFs as named arrays and back, so that an analytic PSF keeps its wings in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxblend.forward.psf import AbstractPSF, AiryPSF, ConvolvedPSF, GaussianPSF, KolmogorovPSF, MoffatPSF
from jaxblend.forward.sampled_psf import ImagePSF

__all__ = ["psf_from_arrays", "psf_to_arrays"]

ANALYTIC = {
    GaussianPSF: ("fwhm",),
    MoffatPSF: ("fwhm", "beta"),
    KolmogorovPSF: ("fwhm",),
    AiryPSF: ("lam_over_diam", "obscuration"),
}


def psf_to_arrays(psf: AbstractPSF, *, prefix: str = "psf") -> dict[str, np.ndarray]:
    """Take a PSF apart into arrays whose names begin with a prefix.

    Raises
    ------
    ValueError
        If the PSF is of a class that has no such form.
    """
    if isinstance(psf, ImagePSF):
        fields: dict[str, Any] = {
            "image": psf.image,
            "centre": psf.centre,
            "oversampling": psf.oversampling,
            "includes_pixel": psf.includes_pixel,
        }
    elif isinstance(psf, ConvolvedPSF):
        parts = [psf_to_arrays(part, prefix=f"{prefix}_{index}") for index, part in enumerate(psf.parts)]
        own = {f"{prefix}_type": np.asarray("ConvolvedPSF"), f"{prefix}_parts": np.asarray(len(parts))}
        return own | {name: array for part in parts for name, array in part.items()}
    elif type(psf) in ANALYTIC:
        fields = {name: getattr(psf, name) for name in ANALYTIC[type(psf)]}
    else:
        raise ValueError(f"Got a PSF of class {type(psf).__name__}, which has no form on disk: give it as an ImagePSF.")
    return {f"{prefix}_{name}": np.asarray(value) for name, value in {"type": type(psf).__name__, **fields}.items()}


def psf_from_arrays(
    arrays: Mapping[str, np.ndarray], *, prefix: str = "psf", overrides: Mapping[str, Any] | None = None
) -> AbstractPSF | None:
    """Put a PSF together from arrays; one of unknown type is an image, and without an image there is none.

    Parameters
    ----------
    arrays : mapping of str to array
        As `psf_to_arrays` makes; others are ignored.
    prefix : str
        What the names begin with.
    overrides : mapping, optional
        Values of ``oversampling`` and ``includes_pixel`` that go before the stored ones.
    """
    kind = str(arrays.get(f"{prefix}_type", "ImagePSF"))
    if kind == "ConvolvedPSF":
        count = int(arrays[f"{prefix}_parts"])
        parts: Any = tuple(psf_from_arrays(arrays, prefix=f"{prefix}_{index}") for index in range(count))
        return ConvolvedPSF(parts)
    for psf_class, names in ANALYTIC.items():
        if kind == psf_class.__name__:
            return psf_class(**{name: arrays[f"{prefix}_{name}"] for name in names})
    if f"{prefix}_image" not in arrays:
        return None
    stored = {name: arrays.get(f"{prefix}_{name}") for name in ("oversampling", "includes_pixel", "centre")}
    options: dict[str, Any] = {name: value for name, value in stored.items() if value is not None} | dict(
        overrides or {}
    )
    image = arrays[f"{prefix}_image"]
    return ImagePSF(image[None] if image.ndim == 2 else image, **options)
