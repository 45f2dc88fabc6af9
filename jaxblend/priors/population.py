"""What is known of galaxies before a pixel is seen: magnitudes, colours, sizes, ellipticities, bulge fractions."""

from __future__ import annotations

import dataclasses

import numpy as np

from jaxblend.priors.coupling import Coupling
from jaxblend.priors.wavelengths import band_wavelength

__all__ = ["Population"]

# Mean colour (magnitude minus r) of field galaxies of r = 22 to 26, and the wavelengths that it is given at.
_COLOUR_AT = np.log([370, 480, 622, 755, 870, 975, 1250, 1650, 2150])
_COLOUR = np.array([0.95, 0.45, 0.0, -0.3, -0.5, -0.6, -0.8, -1.0, -1.1])


@dataclasses.dataclass(frozen=True)
class Population:
    """Parameters of the default prior; override any with ``dataclasses.replace`` or by keyword.

    Sizes and magnitudes follow deep field counts (r = 24 galaxies have half-light radii near 0.4", shrinking by about
    a sixth per magnitude; e.g. Miller et al. 2013); the widths are kept generous, since a prior that is too narrow
    biases and one that is too wide only loosens.
    """

    magnitude: float = 24.0
    magnitude_scatter: float = 2.0
    colour_scatter: float = 0.7
    """Standard deviation of the colour of two bands whose wavelengths differ by a factor e."""
    unknown_colour_scatter: float = 0.8
    """For bands whose name says nothing of the wavelength."""
    log_radius: float = float(np.log(0.38))
    """Mean log half-light radius (arcsec) at r = 24."""
    log_radius_slope: float = -0.16
    """Per magnitude."""
    log_radius_scatter: float = 0.55
    ellipticity_scatter: float = 0.25
    """Of each component of g, before the disk |g| < 0.95 is imposed."""
    bulge_logit: float = -2.2
    bulge_logit_scatter: float = 1.8
    bulge_colour_scatter: float = 0.4
    """Scatter of the bulge fraction's logit from band to band."""
    log_ratio: float = float(np.log(0.5))
    """Mean log ratio of the bulge's half-light radius to the disk's."""
    log_ratio_scatter: float = 0.5
    shear_ratio_logit: float = 0.0
    """Mean logit of the bulge's reduced shear over the disk's."""
    shear_ratio_logit_scatter: float = 1.5
    sersic_index_logit: float = -1.3
    sersic_index_logit_scatter: float = 1.2
    """Of the logit of n between 0.5 and 6."""
    coupling: Coupling | None = None
    """What is learned beyond these relations, as `NeuralGalaxy.population` has it."""

    def mean_colours(self, bands) -> np.ndarray:
        """Mean magnitude minus r (C,)."""
        waves = [band_wavelength(b) for b in bands]
        return np.array([0.0 if w is None else np.interp(np.log(w), _COLOUR_AT, _COLOUR) for w in waves])

    def magnitude_covariance(self, bands) -> np.ndarray:
        """Covariance (C, C) of magnitudes: a common term, and colours that wander with log wavelength from r."""
        waves = [band_wavelength(b) for b in bands]
        known = np.array([w is not None for w in waves])
        log_wave = np.log([622.0 if w is None else w for w in waves]) - np.log(622.0)
        same_side = np.sign(log_wave)[:, None] == np.sign(log_wave)[None, :]
        shared = np.where(same_side, np.minimum.outer(np.abs(log_wave), np.abs(log_wave)), 0.0)
        covariance = self.magnitude_scatter**2 + self.colour_scatter**2 * shared * np.outer(known, known)
        nugget = np.where(known, 0.07, self.unknown_colour_scatter)
        return covariance + np.diag(nugget**2)

    def logit_covariance(self, n_bands: int) -> np.ndarray:
        """Covariance (C, C) of the logits of a component's share."""
        return self.bulge_logit_scatter**2 + self.bulge_colour_scatter**2 * np.eye(n_bands)
