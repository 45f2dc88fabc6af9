"""Colours of the galaxies of a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from jaxblend.simulation.population import elliptical_spectrum
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey, lsst_wavelengths

__all__ = ["RedSequence"]


@dataclass(frozen=True, kw_only=True)
class RedSequence:
    """Galaxies of a cluster by magnitude and colour: old, at one redshift, the brighter the redder.

    A galaxy keeps its magnitude in the selection's band, its size and its shape. Its colours become those of
    `elliptical_spectrum` at the cluster's redshift, made redder by an amount that is given in LSST's g-r and is
    larger or smaller in other pairs of bands as they are further apart or closer in the logarithm of wavelength.

    Attributes
    ----------
    redshift : float
        Of the cluster.
    slope : float
        Change of g-r with magnitude; below 0, as the brighter are the redder. The default is a choice of the order
        of what is seen at redshifts below 0.5 (Hao et al. 2009, ApJ 702, 745).
    scatter : float
        Standard deviation of g-r about the sequence, mag. The default is near the 0.04 that Andreon et al. (2006,
        MNRAS 372, 60) find.
    pivot : float
        Magnitude, in the selection's band, of the galaxies that have the colour of the spectrum.
    others : tuple of Survey
        Which see the galaxies beside the survey that chooses them; `simulate_surveys` fills it in.
    """

    redshift: float | int
    slope: float | int = -0.025
    scatter: float | int = 0.05
    pivot: float | int = 20.0
    others: tuple[Survey, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        finite = np.isfinite([self.redshift, self.slope, self.scatter, self.pivot]).all()
        if not finite or self.redshift < 0 or self.scatter < 0:
            raise ValueError(f"Got {self}, expected finite numbers, and a redshift and a scatter of 0 or more.")

    def coloured(self, sources: SkySources, survey: Survey, band: str, rng: np.random.Generator) -> SkySources:
        """Give n galaxies the colours of the sequence.

        Parameters
        ----------
        sources : SkySources
            With magnitudes in the bands of the surveys; stars stay as they are.
        survey : Survey
            In its bands and those of `others`, and in no more, the result has magnitudes.
        band : str
            In which they keep theirs.
        rng : numpy.random.Generator
            Draws the scatter.

        Returns
        -------
        SkySources
            The same n.

        Raises
        ------
        ValueError
            If a band has no effective wavelength.
        """
        bands, wavelength = self._bands_and_wavelengths(survey)
        chosen = sources.in_bands(bands)
        index = bands.index(band)
        fixed = chosen.magnitude[:, index]
        colour = -2.5 * np.log10(elliptical_spectrum(wavelength, float(self.redshift)))
        redder = self.slope * (fixed - self.pivot) + self.scatter * rng.standard_normal(len(chosen))
        lsst = lsst_wavelengths()
        apart = np.log(wavelength[index] / wavelength) / np.log(lsst["r"] / lsst["g"])
        magnitude = fixed[:, None] + (colour - colour[index]) + redder[:, None] * apart
        star = chosen.is_star
        return replace(
            chosen,
            magnitude=np.where(star[:, None], chosen.magnitude, magnitude),
            redshift=np.where(star, chosen.redshift, self.redshift),
        )

    def _bands_and_wavelengths(self, survey: Survey) -> tuple[tuple[str, ...], np.ndarray]:
        """The bands of all surveys, and where they are; of one name, as the first has it."""
        wavelength: dict[str, float] = {}
        for each in (survey, *self.others):
            own = dict(zip(each.bands, each.effective_wavelength, strict=True))
            unknown = [name for name, value in own.items() if not np.isfinite(value)]
            if unknown:
                raise ValueError(
                    f"Bands {unknown} of {each.name} have no effective wavelength in surveycodex, which the red "
                    "sequence needs: load the survey without them."
                )
            wavelength = wavelength | own | wavelength
        return tuple(wavelength), np.array(list(wavelength.values()))
