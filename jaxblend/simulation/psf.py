"""Point-spread functions of simulated surveys, and any GalSim PSF as an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy.optimize import brentq
from scipy.special import j1

from jaxblend.forward.psf import AbstractPSF, AiryPSF, ConvolvedPSF, GaussianPSF, KolmogorovPSF, MoffatPSF
from jaxblend.forward.sampled_psf import ImagePSF

if TYPE_CHECKING:
    import galsim

    from jaxblend.simulation.survey import Survey

MOFFAT_BETA = 3.5
PSF_FLUX_TOLERANCE = 1e-3
ARCSEC_PER_RADIAN = 180.0 * 3600.0 / np.pi


def survey_psfs(
    survey: Survey, kind: str | galsim.GSObject | Sequence[galsim.GSObject] | None = None
) -> tuple[galsim.GSObject, ...]:
    """Make the GalSim PSF of each band, without the pixel.

    Parameters
    ----------
    survey : Survey
        Gives the full width at half maximum per band, and the telescope.
    kind : str, GalSim object or one per band, optional
        "kolmogorov"; "moffat" (beta 3.5); "airy", the obscured Airy pattern widened by a Gaussian (jitter
        and charge diffusion) to the survey's width; or GalSim objects, taken as they are. By default
        "airy" for a telescope in space and "kolmogorov" for one on the ground.

    Returns
    -------
    tuple of GalSim objects
        One per band, each of flux 1.

    Raises
    ------
    ValueError
        If the name is unknown, the number of objects is not the number of bands, or the flux of one is not 1.
    """
    import galsim

    if kind is None:
        kind = default_kind(survey)
    if isinstance(kind, galsim.GSObject):
        return _of_unit_flux((kind,) * len(survey.bands))
    if not isinstance(kind, str):
        return _of_unit_flux(_one_per_band(tuple(kind), survey))
    if kind == "kolmogorov":
        return tuple(galsim.Kolmogorov(fwhm=float(fwhm)) for fwhm in survey.psf_fwhm)
    if kind == "moffat":
        return tuple(galsim.Moffat(beta=MOFFAT_BETA, fwhm=float(fwhm)) for fwhm in survey.psf_fwhm)
    if kind == "airy":
        return _space_psfs(survey)
    raise ValueError(f'Got psf={kind!r}, expected "kolmogorov", "moffat", "airy", a GalSim object or one per band.')


def default_kind(survey: Survey) -> str:
    """Name the kind of PSF that `survey_psfs` makes for a survey by default."""
    return "airy" if survey.in_space else "kolmogorov"


def observation_psf(
    survey: Survey, kind: str | galsim.GSObject | Sequence[galsim.GSObject] | None = None
) -> AbstractPSF:
    """Make the PSF of `survey_psfs` for a model: analytic where there is such a profile, else an oversampled image."""
    if kind is None:
        kind = default_kind(survey)
    if isinstance(kind, str) and kind == "kolmogorov":
        return KolmogorovPSF(fwhm=survey.psf_fwhm)
    if isinstance(kind, str) and kind == "moffat":
        return MoffatPSF(fwhm=survey.psf_fwhm, beta=np.full_like(survey.psf_fwhm, MOFFAT_BETA))
    if isinstance(kind, str) and kind == "airy":
        lam_over_diam, obscuration, blur = _space_widths(survey)
        return ConvolvedPSF((AiryPSF(lam_over_diam, np.full_like(lam_over_diam, obscuration)), GaussianPSF(blur)))
    return psf_from_galsim(survey_psfs(survey, kind), pixel_scale=survey.pixel_scale)


def psf_from_galsim(
    psf: galsim.GSObject | Sequence[galsim.GSObject],
    *,
    pixel_scale: float,
    oversampling: int = 4,
    size: int | None = None,
) -> ImagePSF:
    """Turn GalSim PSFs (without the pixel) into an oversampled image PSF.

    The optical transfer function is sampled on a grid up to `oversampling` times the Nyquist frequency and
    transformed back, so that the flux is exact (the image sums to the object's flux) and the wings are folded
    into the image, periodic in `size` pixels, rather than cut.

    Parameters
    ----------
    psf : GalSim object, or a sequence of one per band
        The PSF before the pixel.
    pixel_scale : float
        Arcsec per pixel of the images to be modelled.
    oversampling : int
        Samples of the PSF image per image pixel, along each axis.
    size : int, optional
        Width of the PSF image in image pixels. By default wide enough for all but about 0.1 % of the light,
        within 64 to 128.

    Returns
    -------
    ImagePSF
        Image (C, n, n), float32, with n = size * oversampling, plus 1 where that is even; centred on index
        (n - 1) / 2. C is 1 for a single object.

    Raises
    ------
    ValueError
        If the oversampling or the size is below 1.
    """
    import galsim

    psfs = (psf,) if isinstance(psf, galsim.GSObject) else tuple(psf)
    size = _default_size(psfs, pixel_scale) if size is None else size
    if oversampling < 1 or size < 1:
        raise ValueError(f"Got oversampling={oversampling} and size={size}: both must be integers of at least 1.")
    n = size * oversampling
    n += 1 - n % 2
    images = np.stack([_image_from_transform(p, n, pixel_scale / oversampling) for p in psfs])
    return ImagePSF(images.astype(np.float32), oversampling=oversampling, includes_pixel=False)


def effective_psf_images(
    psfs: Sequence[galsim.GSObject], *, pixel_scale: float, size: int, gsparams: galsim.GSParams | None = None
) -> np.ndarray:
    """Draw point sources of flux 1: PSF and pixel together, at the pixel scale.

    Never renormalised: each sums to the fraction of the light that falls on the stamp.

    Parameters
    ----------
    psfs : sequence of GalSim objects
        One per band, without the pixel.
    pixel_scale : float
        Arcsec per pixel.
    size : int
        Width of the stamp in pixels; the star is centred on index (size - 1) / 2.
    gsparams : galsim.GSParams, optional
        Accuracy of the drawing.

    Returns
    -------
    (C, size, size) array
        float64.
    """
    images = [
        (psf if gsparams is None else psf.withGSParams(gsparams))
        .drawImage(nx=size, ny=size, scale=pixel_scale, dtype=float)
        .array
        for psf in psfs
    ]
    return np.stack(images)


def _one_per_band(psfs: tuple[galsim.GSObject, ...], survey: Survey) -> tuple[galsim.GSObject, ...]:
    if len(psfs) != len(survey.bands):
        raise ValueError(
            f"Got {len(psfs)} PSFs for the {len(survey.bands)} bands {list(survey.bands)}: "
            "give one GalSim object, or one per band."
        )
    return psfs


def _of_unit_flux(psfs: tuple[galsim.GSObject, ...]) -> tuple[galsim.GSObject, ...]:
    """Refuse PSFs whose flux would change that of what is seen through them."""
    wrong = [float(psf.flux) for psf in psfs if abs(psf.flux - 1.0) > PSF_FLUX_TOLERANCE]
    if wrong:
        raise ValueError(f"Got a PSF of flux {wrong[0]:.6g}, expected 1: give psf.withFlux(1).")
    return psfs


def _space_widths(survey: Survey) -> tuple[np.ndarray, float, np.ndarray]:
    """Compute wavelength / diameter (C,), linear obscuration and the full width (C,) of a Gaussian, in arcsec.

    The widths of diffraction and Gaussian add in quadrature, which leaves the sum within 4 % of the survey's width.
    Where diffraction alone is as wide as that, the Gaussian is too narrow to matter.
    """
    unknown = [band for band, value in zip(survey.bands, survey.effective_wavelength, strict=True) if np.isnan(value)]
    if unknown:
        raise ValueError(
            f"Bands {unknown} of {survey.name} have no effective wavelength in surveycodex, which an Airy pattern "
            "needs: pass GalSim PSFs."
        )
    obscuration = float(np.sqrt(survey.obscuration))
    lam_over_diam = survey.effective_wavelength * 1e-9 / survey.mirror_diameter * ARCSEC_PER_RADIAN
    diffraction = _airy_fwhm(obscuration) * lam_over_diam
    excess = np.maximum(survey.psf_fwhm**2 - diffraction**2, (1e-2 * diffraction) ** 2)
    return lam_over_diam, obscuration, np.sqrt(excess)


def _space_psfs(survey: Survey) -> tuple[galsim.GSObject, ...]:
    import galsim

    lam_over_diam, obscuration, blur = _space_widths(survey)
    return tuple(
        galsim.Convolution(
            galsim.Airy(lam_over_diam=float(scale), obscuration=obscuration), galsim.Gaussian(fwhm=float(width))
        )
        for scale, width in zip(lam_over_diam, blur, strict=True)
    )


def _airy_fwhm(obscuration: float) -> float:
    """Compute the full width at half maximum of an Airy pattern in units of wavelength / diameter."""

    def amplitude(x: float) -> float:
        return 2.0 * j1(x) / x

    def above_half(x: float) -> float:
        inner = obscuration**2 * amplitude(obscuration * x) if obscuration > 0 else 0.0
        return ((amplitude(x) - inner) / (1.0 - obscuration**2)) ** 2 - 0.5

    root = cast(float, brentq(above_half, 1e-6, 2.0))
    return 2.0 * root / np.pi


def _default_size(psfs: Sequence[galsim.GSObject], pixel_scale: float) -> int:
    import galsim

    wide = galsim.GSParams(folding_threshold=1e-3)
    extent = max(2.0 * np.pi / psf.withGSParams(wide).stepk for psf in psfs)
    return int(np.clip(np.ceil(extent / pixel_scale), 64, 128))


def _image_from_transform(psf: galsim.GSObject, n: int, spacing: float) -> np.ndarray:
    step = 2.0 * np.pi / (n * spacing)
    transform = psf.drawKImage(nx=n, ny=n, scale=step).array
    centred = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(transform)))
    return centred.real
