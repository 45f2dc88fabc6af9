"""What a deblender is: an observation, and perhaps positions, in; an image and a row of a catalogue per source out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float

from jaxblend.detection import detect
from jaxblend.forward import checks
from jaxblend.forward.observation import Observation

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["Deblended", "Deblender", "detected_positions"]


@dataclass(frozen=True, eq=False)
class Deblended:
    """What a deblender made of an observation.

    Attributes
    ----------
    name
        Of the deblender.
    images
        (n, C, H, W), each source alone as it is observed, PSF included, in the unit of the observation: a model, or the
        pixels that were assigned to it, noise and all. On the whole image, which is meant for stamps.
    catalog : QTable
        One row per image, in the columns of a fitted catalogue as far as the deblender knows them: always ``id, x, y``
        and ``flux_<band>``. ``flags`` are bits of the deblender's own.
    """

    name: str
    images: Float[np.ndarray, "n C H W"]
    catalog: QTable

    @property
    def positions(self) -> Float[np.ndarray, "n 2"]:
        """Pixel x, y of each source."""
        return self._numbers("x", "y")

    @property
    def fluxes(self) -> Float[np.ndarray, "n C"]:
        """Flux of each source in each band, in the unit of the observation."""
        table: Any = self.catalog  # astropy's types do not know what meta is
        return self._numbers(*(f"flux_{band}" for band in table.meta["bands"]))

    def _numbers(self, *columns):
        values: list[Any] = [self.catalog[name] for name in columns]
        return np.stack([np.asarray(getattr(v, "value", v), float) for v in values], axis=1)


class Deblender(ABC):
    """A way of separating sources; its options are the fields of a frozen dataclass.

    To add one, subclass it, name it and write ``separate``.

    Attributes
    ----------
    name : str
        Short, lower case.
    uses_positions : bool
        Whether it takes centres that are given. One that does not finds its own, and leaves those given unread.
    """

    name: ClassVar[str]
    uses_positions: ClassVar[bool]

    @abstractmethod
    def separate(self, observation: Observation, positions: Float[np.ndarray, "n 2"] | None) -> Deblended:
        """Separate the sources of an observation; `positions` are pixels x, y, checked, and None if not given."""

    def __call__(self, observation: Any, positions: Any = None) -> Deblended:
        """Separate the sources of an observation.

        Parameters
        ----------
        observation : Observation
            The image with its weights and PSF, sky subtracted.
        positions : (n, 2) array, optional
            Pixels x, y. If they are given and ``uses_positions``, there is one row for each, in this order;
            else the deblender finds its own.

        Raises
        ------
        ValueError
            If the observation is not one, or positions are not (n, 2) numbers inside the image.
        ImportError, FileNotFoundError
            If the package or the program that it runs is missing; the message says what to install.
        """
        if not isinstance(observation, Observation):
            raise ValueError(f"a deblender takes one Observation, got {type(observation).__name__}")
        given = None if positions is None else _inside(checks.positions(positions), observation.shape)
        return self.separate(observation, given if self.uses_positions else None)


def detected_positions(observation: Observation) -> Float[np.ndarray, "n 2"]:
    """Pixel x, y of what `jaxblend.detect` finds, for deblenders that do not look for sources."""
    found = detect(observation)
    return np.stack([np.asarray(found["x"]), np.asarray(found["y"])], axis=1)


def _inside(positions, shape):
    height, width = shape
    outside = ~((positions > -1) & (positions < (width, height))).all(1)
    if outside.any():
        raise ValueError(
            f"positions {np.flatnonzero(outside)[:10].tolist()} are not in the image of {width} x {height} pixels: "
            "x and y count from 0 at the centre of the first pixel"
        )
    return positions
