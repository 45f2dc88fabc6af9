"""Draw a bulge and a disk with GalSim's Fourier renderer, and time it."""

from dataclasses import dataclass

import numpy as np

from .importing import require
from .timing import median_seconds


@dataclass(frozen=True)
class GalSimDraw:
    """One drawn source.

    Attributes
    ----------
    image
        Noiseless image, (side, side), flux 1 to infinity.
    seconds
        Median wall time per source and band.
    """

    image: np.ndarray
    seconds: float


def draw(
    *,
    radius: float = 0.6,
    bulge_fraction: float = 0.3,
    shear: tuple[float, float] = (0.1, -0.05),
    fwhm: float = 0.7,
    side: int = 64,
    pixel_scale: float = 0.2,
    repeats: int = 50,
) -> GalSimDraw:
    """Draw de Vaucouleurs plus exponential, convolved with a Kolmogorov PSF and the pixel.

    Every repeat moves the source by a fraction of a pixel and changes its size, so that no profile of an earlier draw
    can be used again; building the profiles is part of the time, as it is for every galaxy of a simulation.

    Parameters
    ----------
    radius
        Half-light radius of the disk in arcsec; the bulge has half of it.
    bulge_fraction
        Fraction of the flux in the bulge.
    shear
        Reduced shear g1, g2.
    fwhm
        FWHM of the PSF in arcsec.
    side, pixel_scale
        Side of the stamp in pixels, and arcsec per pixel.
    repeats
        Draws to time.

    Raises
    ------
    ImportError
        If GalSim is missing.
    """
    galsim = require("galsim")
    psf = galsim.Kolmogorov(fwhm=fwhm)
    rng = np.random.default_rng(1)

    def one(stretch: float = 1.0, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
        disk = galsim.Exponential(half_light_radius=stretch * radius, flux=1 - bulge_fraction)
        bulge = galsim.DeVaucouleurs(half_light_radius=stretch * radius / 2, flux=bulge_fraction)
        galaxy = (disk + bulge).shear(g1=shear[0], g2=shear[1]).shift(dx, dy)
        convolved = galsim.Convolve(galaxy, psf)
        return convolved.drawImage(nx=side, ny=side, scale=pixel_scale, method="auto").array

    def varied() -> np.ndarray:
        return one(rng.uniform(0.8, 1.25), *rng.uniform(-0.5, 0.5, 2) * pixel_scale)

    return GalSimDraw(image=one(), seconds=median_seconds(varied, repeats=repeats))
