"""What a layout is: which of the candidate sources go where on a stamp."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxblend.simulation.candidates import Candidates
    from jaxblend.simulation.sources import SkySources
    from jaxblend.simulation.survey import Survey

__all__ = ["POOL_SIZE", "AbstractLayout"]

POOL_SIZE = 256  # of the built-in population, where a few sources are wanted


class AbstractLayout(ABC):
    """An immutable rule that chooses sources and their places; the option `layout` of `jaxblend.simulate`."""

    @abstractmethod
    def pool_size(self, side: float) -> int:
        """Say how many sources of the built-in population to choose from on a stamp of this side, arcsec."""

    def for_catalog(self, candidates: Candidates) -> AbstractLayout:
        """Do, once, what is the same for all blends that are drawn from a catalogue; nothing for most layouts.

        Raises
        ------
        ValueError
            If the catalogue lacks what the layout needs.
        """
        return self

    def for_surveys(self, surveys: Sequence[Survey]) -> AbstractLayout:
        """Learn which surveys see the sky, where it matters; the first chooses the sources."""
        return self

    @abstractmethod
    def place(self, candidates: Candidates, rng: np.random.Generator) -> tuple[SkySources, np.ndarray]:
        """Choose n sources that pass the selection, and their places (n, 2) from the stamp centre, arcsec.

        Parameters
        ----------
        candidates : Candidates
            What to choose from; knows the stamp and the selection.
        rng : numpy.random.Generator
            The blend's own.

        Returns
        -------
        SkySources, (n, 2) array
            The sources, and where they are along x and y.

        Raises
        ------
        ValueError
            If too few sources pass, or the layout does not fit on the stamp.
        """
