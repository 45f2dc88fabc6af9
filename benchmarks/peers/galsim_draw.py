"""Draw a bulge and a disk with GalSim's Fourier renderer, and time it."""

from dataclasses import dataclass

import numpy as np

from .galaxy import Galaxy
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


def draw(source: Galaxy, *, repeats: int = 50) -> GalSimDraw:
    """Draw de Vaucouleurs plus exponential, convolved with a Kolmogorov PSF and the pixel.

    Every repeat moves the source by a fraction of a pixel and changes its size, so that no profile of an earlier draw
    can be used again; building the profiles is part of the time, as it is for every galaxy of a simulation.

    Parameters
    ----------
    source
        What to draw.
    repeats
        Draws to time.

    Raises
    ------
    ImportError
        If GalSim is missing.
    """
    galsim = require("galsim")
    psf = galsim.Kolmogorov(fwhm=source.fwhm)
    rng = np.random.default_rng(1)

    def one(stretch: float = 1.0, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
        radius, (g1, g2) = stretch * source.radius, source.shear
        disk = galsim.Exponential(half_light_radius=radius, flux=1 - source.bulge_fraction)
        bulge = galsim.DeVaucouleurs(half_light_radius=radius / 2, flux=source.bulge_fraction)
        galaxy = (disk + bulge).shear(g1=g1, g2=g2).shift(dx, dy)
        convolved = galsim.Convolve(galaxy, psf)
        return convolved.drawImage(nx=source.side, ny=source.side, scale=source.pixel_scale, method="auto").array

    def varied() -> np.ndarray:
        return one(rng.uniform(0.8, 1.25), *rng.uniform(-0.5, 0.5, 2) * source.pixel_scale)

    return GalSimDraw(image=one(), seconds=median_seconds(varied, repeats=repeats))
