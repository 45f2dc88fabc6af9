"""Each galaxy, PSF and survey twice: as jaxblend's objects and as GalSim's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import galsim
import numpy as np

from jaxblend.forward.galaxies import AbstractGalaxy, BulgeDisk, DeVaucouleurs, Exponential, Sersic, Star
from jaxblend.forward.psf import AiryPSF, GaussianPSF, KolmogorovPSF, MoffatPSF
from jaxblend.forward.sampled_psf import ImagePSF

BULGE_FRACTION, BULGE_RATIO = 0.4, 0.5
# Largest allowed threshold first: the most accurate whose FFT is not larger than MAX_FFT is used.
FOLDING = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 5e-3)
MAX_FFT = 4096


@dataclass(frozen=True)
class Profile:
    """A galaxy of half-light radius r (arcsec), round in GalSim's version."""

    name: str
    model: AbstractGalaxy
    extra: tuple[float, ...]
    fluxes: tuple[float, ...]
    galsim_of: Callable[[float], galsim.GSObject | None]

    def shape(self, radius: float, g: tuple[float, float]) -> list[float]:
        """Shape parameters in the order of the model."""
        return [np.log(radius), *g, *self.extra] if self.model.shape_names else []


@dataclass(frozen=True)
class Survey:
    """Scale, width of the PSF, Airy's wavelength over diameter, two radii (arcsec); oversampling of the image PSF."""

    name: str
    pixel_scale: float
    fwhm: float
    lam_over_diam: float
    radii: tuple[float, float]
    image_oversampling: int


SURVEYS = (
    Survey("LSST", 0.2, 0.7, 0.3, (0.3, 1.0), 1),
    Survey("HSC", 0.168, 0.6, 0.25, (0.3, 1.0), 1),
    Survey("Euclid VIS", 0.1, 0.16, 0.12, (0.15, 0.5), 3),
)


def profiles() -> list[Profile]:
    """Star, exponential, de Vaucouleurs, bulge+disk and Sersic profiles."""

    def bulge_disk(r):
        bulge = galsim.DeVaucouleurs(half_light_radius=r * BULGE_RATIO, flux=BULGE_FRACTION)
        return bulge + galsim.Exponential(half_light_radius=r, flux=1 - BULGE_FRACTION)

    sersic = [
        Profile(f"sersic {n:g}", Sersic(), (n,), (1.0,), lambda r, n=n: galsim.Sersic(n, half_light_radius=r))
        for n in (0.5, 0.7, 1.0, 1.5, 2.5, 4.0, 6.0)
    ]
    return [
        Profile("star", Star(), (), (1.0,), lambda r: None),
        Profile("exponential", Exponential(), (), (1.0,), lambda r: galsim.Exponential(half_light_radius=r)),
        Profile("de Vaucouleurs", DeVaucouleurs(), (), (1.0,), lambda r: galsim.DeVaucouleurs(half_light_radius=r)),
        Profile(
            "bulge+disk", BulgeDisk(), (np.log(BULGE_RATIO), 1.0), (BULGE_FRACTION, 1 - BULGE_FRACTION), bulge_disk
        ),
        *sersic,
    ]


def psfs(survey: Survey) -> dict[str, tuple[Any, galsim.GSObject]]:
    """(jaxblend, GalSim) PSFs by name."""
    fwhm, lam = survey.fwhm, survey.lam_over_diam
    double = galsim.Gaussian(fwhm=fwhm, flux=0.8) + galsim.Gaussian(fwhm=1.6 * fwhm, flux=0.2)
    double = double.shear(g1=0.04, g2=-0.03)
    return {
        "Gaussian": (GaussianPSF(fwhm), galsim.Gaussian(fwhm=fwhm)),
        "Moffat": (MoffatPSF(fwhm, 3.0), galsim.Moffat(beta=3.0, fwhm=fwhm)),
        "Kolmogorov": (KolmogorovPSF(fwhm), galsim.Kolmogorov(fwhm=fwhm)),
        "Airy": (AiryPSF(lam, 0.3), galsim.Airy(lam_over_diam=lam, obscuration=0.3)),
        "image": (_sampled(double, survey), double),
    }


def _sampled(psf, survey):
    """The PSF with the pixel, on samples that reach to where it is 1e-10 of its peak."""
    step = survey.pixel_scale / survey.image_oversampling
    size = 2 * int(4.2 * survey.fwhm / step) + 1
    params = accurate(1e-5)
    effective = galsim.Convolve(psf, galsim.Pixel(survey.pixel_scale), gsparams=params)
    image = effective.drawImage(nx=size, ny=size, scale=step, method="no_pixel", dtype=float).array
    return ImagePSF(image[None], oversampling=survey.image_oversampling)


def accurate(folding_threshold: float) -> galsim.GSParams:
    """GalSim's accuracy; an FFT above 8192 is refused."""
    return galsim.GSParams(
        folding_threshold=folding_threshold,
        maxk_threshold=1e-5,
        kvalue_accuracy=1e-7,
        stepk_minimum_hlr=40,
        maximum_fft_size=8192,
    )


def galsim_image(profile, radius, g, psf, position, survey, shape) -> tuple[np.ndarray, float, int]:
    """Image by GalSim (float64), the folding threshold it was drawn with and the size of its FFT."""
    galaxy = profile.galsim_of(radius)
    galaxy = None if galaxy is None else galaxy.shear(g1=g[0], g2=g[1])
    for threshold in FOLDING:
        params = accurate(threshold)
        whole = galsim.Convolve([psf] if galaxy is None else [galaxy, psf], gsparams=params).shift(*position)
        size = int(2 * whole.maxk / whole.stepk)
        if size <= MAX_FFT:
            break
    else:
        raise ValueError(f"{profile.name}: GalSim wants an FFT of {size} even at folding_threshold {threshold}")
    drawn = whole.drawImage(nx=shape[1], ny=shape[0], scale=survey.pixel_scale, method="auto", dtype=float)
    return drawn.array, threshold, size
