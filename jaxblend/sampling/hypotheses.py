"""What may be in an image: hypotheses to compare."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from jaxblend.detection.combine import psf_fwhm
from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.forward.observation import Observation
from jaxblend.priors import Population, Prior

__all__ = ["Hypothesis", "one_or_two"]

# Of a pair, in units of the PSF's full width: it covers separations from nothing to about two widths.
_ARM = 0.4
_SCATTER = 0.35
_DIRECTIONS = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Hypothesis:
    """A name, and the sources that it says there are; all but the first two attributes are options of ``jb.fit``.

    Hypotheses of one name are its alternatives, such as directions in which a pair may lie: they share its prior
    odds equally.

    Attributes
    ----------
    name : str
        "one galaxy", say.
    positions : (n, 2) array
        As for ``jb.fit``. The prior of each source's position is about its own, ``position_scatter`` wide: positions
        and scatter are part of what the hypothesis says, and a vague one is penalised for it.
    odds : float
        Prior odds of the name, relative to the others'; the same for all of its alternatives.
    """

    name: str
    positions: Any
    model: AbstractGalaxy | None = None
    stars: Any = None
    prior: Prior | None = None
    population: Population | None = None
    position_scatter: float | int | None = None
    odds: float | int = 1.0


def one_or_two(
    observation: Any,
    position: Any,
    *,
    model: AbstractGalaxy | None = None,
    population: Population | None = None,
    odds: float | int = 1.0,
) -> list[Hypothesis]:
    """Say that there is one galaxy at a position, or two that were detected as one.

    The prior of the pair knows nothing of the data. It is a mixture of four: the two lie on either side of the
    position in one of four directions, each 0.4 of the PSF's full width away with a scatter of 0.35 along each axis.
    They may so be up to about two widths apart. The single galaxy has the same scatter.

    Parameters
    ----------
    observation : Observation
        The image.
    position : (2,) array
        Where one source was detected: x, y in pixels.
    model, population
        As for ``jb.fit``.
    odds
        Prior odds of two galaxies against one.

    Returns
    -------
    list of Hypothesis
        "one" and the four of "two", for `compare_models`.
    """
    if not isinstance(observation, Observation):
        raise ValueError(
            f"one_or_two takes one Observation, got {type(observation).__name__}: list hypotheses yourself"
        )
    place = np.asarray(position, float)
    if place.shape != (2,) or not np.isfinite(place).all():
        raise ValueError(f"position must be x, y in pixels, got {place.tolist()}")
    fwhm = psf_fwhm(observation)
    common = {
        "model": model,
        "population": population,
        "position_scatter": _SCATTER * fwhm * float(observation.frame.pixel_scale),
    }
    angles = np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    arms = _ARM * fwhm * np.stack([np.cos(angles), np.sin(angles)], -1)
    one = Hypothesis("one", place[None], **common)
    return [one, *(Hypothesis("two", np.stack([place + arm, place - arm]), odds=odds, **common) for arm in arms)]
