"""What a user brings: an image with its weights, its PSF and its place on the sky, checked at the door."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np

from jaxblend.errors import JaxblendWarning
from jaxblend.forward import checks, noise_checks
from jaxblend.forward.folding import choose_oversampling
from jaxblend.forward.frame import Frame
from jaxblend.forward.psf import AbstractPSF
from jaxblend.forward.wcs import local_frame

__all__ = ["Observation"]


@dataclasses.dataclass(frozen=True, init=False, eq=False)
class Observation:
    """A multi-band image and all that its likelihood needs.

    Parameters
    ----------
    image
        (C, H, W), or (H, W) for one band. NaN and infinite pixels get weight 0, with a warning that counts them.
    weight
        Inverse variance: (C, H, W), (H, W), one number per band (C,), or a scalar; 0 is a masked pixel.
        Give this or ``variance``.
    psf
        The effective PSF at the image's own scale: (C, h, w), (h, w), a list with one array per band, or
        (K, C, h, w) for one PSF per source; never renormalised. Or a PSF object such as ``MoffatPSF(fwhm, beta)``.
    pixel_scale
        Arcsec per pixel. Give this or ``wcs``.
    wcs
        A celestial WCS (astropy's, or anything with ``pixel_to_world_values`` and ``world_to_pixel_values``).
    bands
        A name per band: ``"grizy"`` or ``["F814W"]``. Default: ``band0``, ``band1`` ...
    zero_point
        AB magnitude of one unit of flux, a number or one per band.
    variance
        Variance of the noise, in the shapes of ``weight``; 0, infinite and NaN are masked pixels.
    mask
        (C, H, W) or (H, W), True (or non-zero) where a pixel is not to be used.
    psf_includes_pixel
        False if the array ``psf`` lacks the pixel.
    psf_oversampling
        Samples of the array ``psf`` per image pixel along each axis.
    survey
        A name to record in catalogues; bands of one name share a flux in a joint fit if their surveys are one, too.
    padding
        See ``Frame``: raise it for galaxies that are larger than the stamp.
    noise_correlation
        (h, w), or (C, h, w): correlation of the noise of two pixels that lie dy, dx apart, (0, 0) in the middle, such
        as ``estimate_noise_correlation`` gives. White noise by default. ``weight`` stays the inverse variance of
        each pixel.
    gain
        Photons per unit of flux, a number or one per band: ``weight`` is then that of the sky and the detector alone,
        and a fit adds the photon noise of its own model, max(model, 0) / gain, to the variance.

    Attributes
    ----------
    report : tuple of str
        What was found and handled at the door.

    Raises
    ------
    ValueError
        If shapes do not match, a weight is negative, no pixel is usable, the PSF is not one, or no noise has such a
        correlation.
    """

    image: np.ndarray
    weight: np.ndarray
    psf: AbstractPSF
    frame: Frame
    bands: tuple[str, ...]
    zero_point: np.ndarray | None
    wcs: Any
    survey: str | None
    report: tuple[str, ...]
    noise_correlation: np.ndarray | None
    gain: np.ndarray | None

    def __init__(
        self,
        image,
        weight=None,
        psf=None,
        *,
        pixel_scale=None,
        wcs=None,
        bands=None,
        zero_point=None,
        variance=None,
        mask=None,
        psf_includes_pixel=True,
        psf_oversampling=1,
        survey=None,
        padding=2.0,
        noise_correlation=None,
        gain=None,
    ):
        report: list[str] = []
        image = checks.image(image)
        weight = checks.weight(weight, variance, image.shape)
        image, weight = checks.usable(image, weight, checks.mask(mask, image.shape), report)
        psf = checks.psf(psf, image.shape[0], psf_includes_pixel, psf_oversampling, report)
        frame = _frame(image.shape[1:], pixel_scale, wcs, padding)
        values = {
            "image": image,
            "weight": weight,
            "psf": psf,
            "frame": frame.with_oversampling(choose_oversampling(psf, frame)),
            "bands": checks.bands(bands, image.shape[0]),
            "zero_point": checks.zero_point(zero_point, image.shape[0]),
            "wcs": wcs,
            "survey": survey,
            "report": tuple(report),
            "noise_correlation": noise_checks.noise_correlation(noise_correlation, image.shape[0]),
            "gain": noise_checks.gain(gain, image.shape[0]),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        for line in report:
            warnings.warn(line, JaxblendWarning, stacklevel=2)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.image.shape[1], self.image.shape[2]

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return self.image.shape[0]

    def __repr__(self) -> str:
        height, width = self.shape
        of = f" of {self.survey}" if self.survey else ""
        noise = "" if self.noise_correlation is None else ", correlated noise"
        scale = f'{float(self.frame.pixel_scale):.4g}"'
        return (
            f"Observation({', '.join(self.bands)}{of}; {width} x {height} pixels of {scale}, "
            f"{np.mean(self.weight > 0):.1%} usable, {type(self.psf).__name__}{noise})"
        )

    def replace(self, **changes) -> Observation:
        """A copy with some attributes changed, unchecked: for code that made them itself."""
        copy = object.__new__(Observation)
        for field in dataclasses.fields(self):
            object.__setattr__(copy, field.name, changes.pop(field.name, getattr(self, field.name)))
        if changes:
            raise ValueError(f"an Observation has no attribute {sorted(changes)}")
        return copy

    def cutout(self, y: slice, x: slice) -> Observation:
        """The part of the image in two slices that lie inside it; a WCS goes with it if it can be sliced [y, x]."""
        frame = self.frame
        shape = (y.stop - y.start, x.stop - x.start)
        ratio = max(frame.padded[0] / frame.shape[0], frame.padded[1] / frame.shape[1])
        origin = frame.origin - np.array([x.start, y.start])
        local = Frame(shape, jacobian=frame.jacobian, origin=origin, padding=min(ratio, 2.0))
        return self.replace(
            image=self.image[:, y, x],
            weight=self.weight[:, y, x],
            frame=local.with_oversampling(frame.oversampling),
            wcs=self.wcs[y, x] if hasattr(self.wcs, "__getitem__") else None,
        )


def _frame(shape, pixel_scale, wcs, padding):
    if (pixel_scale is None) == (wcs is None):
        given = "neither" if wcs is None else "both"
        raise ValueError(f"give either pixel_scale (arcsec per pixel) or wcs: {given} was given")
    if wcs is not None:
        return local_frame(wcs, shape, padding=padding)
    if not _is_number(pixel_scale) or not 1e-4 <= pixel_scale <= 1e4:
        raise ValueError(
            f"pixel_scale must be a positive number of arcsec per pixel, from 1e-4 to 1e4, got {pixel_scale!r}"
        )
    return Frame(shape, float(pixel_scale), padding=padding)


def _is_number(value):
    return isinstance(value, (int, float, np.integer, np.floating)) or (
        isinstance(value, np.ndarray) and value.ndim == 0
    )
