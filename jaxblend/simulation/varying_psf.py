"""PSFs that differ from blend to blend, as seeing and optics do from exposure to exposure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxblend.simulation.psf import survey_psfs

if TYPE_CHECKING:
    import galsim

    from jaxblend.simulation.survey import Survey

__all__ = ["VaryingPSF"]

_MOST_SHEAR = 0.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class VaryingPSF:
    """A distribution of PSFs about a survey's own.

    Attributes
    ----------
    kind : str, optional
        As in `jaxblend.simulation.psf.survey_psfs`: "kolmogorov", "moffat" or "airy".
    width_scatter : float
        Standard deviation of the logarithm of the width, common to all bands of a blend: seeing.
    band_scatter : float
        The same, of each band's own.
    ellipticity_scatter : float
        Standard deviation of g1 and of g2, common to all bands.
    """

    kind: str | None = None
    width_scatter: float | int = 0.1
    band_scatter: float | int = 0.03
    ellipticity_scatter: float | int = 0.02

    def __post_init__(self) -> None:
        for name, most in (("width_scatter", 1.0), ("band_scatter", 1.0), ("ellipticity_scatter", _MOST_SHEAR)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"Got {name}={getattr(self, name)}, expected a number from 0 to {most}.")

    def draw(self, rng: np.random.Generator, survey: Survey) -> tuple[galsim.GSObject, ...]:
        """Draw the GalSim PSF of each band, without the pixel."""
        common, own = rng.normal(), rng.normal(size=len(survey.bands))
        width = np.exp(self.width_scatter * common + self.band_scatter * own)
        g = self.ellipticity_scatter * rng.normal(size=2)
        g *= min(1.0, _MOST_SHEAR / max(float(np.hypot(*g)), 1e-12))
        base: Any = survey_psfs(survey, self.kind)  # GalSim's types take a sheared profile for a chromatic one
        return tuple(
            psf.dilate(float(w)).shear(g1=float(g[0]), g2=float(g[1])) for psf, w in zip(base, width, strict=True)
        )
