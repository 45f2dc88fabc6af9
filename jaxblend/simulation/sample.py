"""What may enter a blend, and the random numbers that it is drawn with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey


@dataclass(frozen=True)
class Selection:
    """Which sources may enter a blend.

    Attributes
    ----------
    max_magnitude : float
        Faintest AB magnitude in `magnitude_band`.
    magnitude_band : str, optional
        By default i where the survey has it, else the survey's reference band.
    min_snr : float
        Lowest S/N of the isolated source in `snr_band`, against the noise of the sky
        alone; see `jaxblend.simulation.truth.signal_to_noise`.
    snr_band : str, optional
        By default the survey's reference band.
    min_separation : float
        Smallest distance between the centres of two sources, arcsec.

    Raises
    ------
    ValueError
        If a number is NaN, or an S/N or a distance is negative or infinite.
    """

    max_magnitude: float | int = 25.3
    magnitude_band: str | None = None
    min_snr: float | int = 10.0
    snr_band: str | None = None
    min_separation: float | int = 0.0

    def __post_init__(self) -> None:
        if np.isnan(self.max_magnitude):
            raise ValueError(f"Got max_magnitude={self.max_magnitude}, expected an AB magnitude.")
        for name in ("min_snr", "min_separation"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"Got {name}={getattr(self, name)}, expected a finite number, 0 or more.")

    def bands_in(self, survey: Survey) -> tuple[str, str]:
        """Name the magnitude and the S/N band for a survey."""
        default = "i" if "i" in survey.bands else survey.reference_band
        magnitude_band = default if self.magnitude_band is None else self.magnitude_band
        snr_band = survey.reference_band if self.snr_band is None else self.snr_band
        survey.band_index(magnitude_band)
        survey.band_index(snr_band)
        return magnitude_band, snr_band

    def bright_enough(self, sources: SkySources, survey: Survey) -> np.ndarray:
        """Say whether each source passes the cut in magnitude, (n,)."""
        band, _ = self.bands_in(survey)
        return sources.in_bands((band,)).magnitude[:, 0] < self.max_magnitude


def checked_key(key: Any) -> jax.Array:
    """Return a key as it is.

    Raises
    ------
    TypeError
        If it is not a single typed key.
    """
    is_key = hasattr(key, "dtype") and jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not is_key or key.shape != ():
        raise TypeError(f"Got key={key!r}, expected one typed key: make it with jax.random.key(seed).")
    return key


def numpy_generator(key: jax.Array) -> np.random.Generator:
    """Make a NumPy generator that depends on one typed JAX key and on nothing else.

    Raises
    ------
    TypeError
        If `key` is not a single typed key.
    """
    words = np.asarray(jax.random.key_data(checked_key(key))).ravel()
    return np.random.default_rng([int(word) for word in words])
