"""The galaxy that every renderer draws."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Galaxy:
    """A bulge and a disk in one band, of flux 1, and how it is seen.

    Attributes
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
    """

    radius: float = 0.6
    bulge_fraction: float = 0.3
    shear: tuple[float, float] = (0.1, -0.05)
    fwhm: float = 0.7
    side: int = 64
    pixel_scale: float = 0.2
