"""The bands of several observations: exposures of one band share its flux, whatever their zero points."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from jaxblend.forward.observation import Observation

__all__ = ["Bands"]


@dataclasses.dataclass(frozen=True, eq=False)
class Bands:
    """The different bands of a group of observations.

    Attributes
    ----------
    names
        (C,), each once, in the order in which they come.
    of
        For each observation the indices of its bands in ``names``.
    zero_points
        (C,), of the first exposure of each band, NaN where none is given: the fluxes of a fit are in its unit.
    scales
        For each observation, (its bands,): one unit of flux of the fit in units of that image.
    """

    names: tuple[str, ...]
    of: tuple[tuple[int, ...], ...]
    zero_points: np.ndarray
    scales: tuple[np.ndarray, ...]

    @classmethod
    def among(cls, observations: Sequence[Observation]) -> Bands:
        """Bands of one name and one survey are one band; raises ``ValueError`` where that cannot be told."""
        first: dict[str, tuple[Observation, float]] = {}
        of, scales = [], []
        for observation in observations:
            given = observation.zero_point
            zero_points = np.full(observation.n_bands, np.nan) if given is None else np.asarray(given, float)
            for band, zero_point in zip(observation.bands, zero_points, strict=True):
                if band in first:
                    _check_same(band, observation, zero_point, *first[band])
                else:
                    first[band] = observation, zero_point
            names = list(first)
            of.append(tuple(names.index(band) for band in observation.bands))
            against = np.array([first[band][1] for band in observation.bands])
            scales.append(np.nan_to_num(10 ** (0.4 * (zero_points - against)), nan=1.0))
        return cls(tuple(first), tuple(of), np.array([z for _, z in first.values()]), tuple(scales))

    def first_of(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """(C,): of values per observation and band those of each band's first exposure."""
        found: dict[int, float] = {}
        for bands, some in zip(self.of, values, strict=True):
            for band, value in zip(bands, some, strict=True):
                found.setdefault(band, value)
        return np.array([found[band] for band in range(len(self.names))])


def _check_same(band, observation, zero_point, first, first_zero_point):
    if re.fullmatch(r"band\d+", band):
        raise ValueError(
            f"several observations have a band {band!r}, the name of a band that was given none: name them with "
            "bands=; exposures of one name share one flux"
        )
    if observation.survey != first.survey:
        raise ValueError(
            f"band {band!r} is in observations of survey {first.survey!r} and {observation.survey!r}: if it is one "
            "band, which has one flux, give them one survey; if not, name them apart with bands=, such as "
            f"{band}_lsst and {band}_hsc"
        )
    if np.isnan(zero_point) != np.isnan(first_zero_point):
        raise ValueError(
            f"band {band!r} is in several observations and shares its flux, but only some of them have a zero point: "
            "give zero_point to all of them, or to none if their units are the same"
        )
