"""Sources uniform in a square about the stamp centre: the default layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation.layouts.fill import fill, in_square
from jaxblend.simulation.layouts.layout import POOL_SIZE, AbstractLayout

if TYPE_CHECKING:
    from jaxblend.simulation.candidates import Candidates
    from jaxblend.simulation.sources import SkySources

__all__ = ["Uniform"]


@dataclass(frozen=True, kw_only=True)
class Uniform(AbstractLayout):
    """A few sources, uniform in a square about the stamp centre.

    Attributes
    ----------
    n_sources : int, optional
        Number of sources; by default uniform between 1 and `max_sources`.
    max_sources : int
        Largest number of sources where `n_sources` is not given.
    max_offset : float
        Largest distance of a source from the stamp centre along x and along y, arcsec.
    """

    n_sources: int | None = None
    max_sources: int = 5
    max_offset: float | int = 2.4

    def __post_init__(self) -> None:
        fewest = self.max_sources if self.n_sources is None else self.n_sources
        if fewest < 1:
            raise ValueError(
                f"Got n_sources={self.n_sources}, max_sources={self.max_sources}: a blend has at least one source."
            )
        if not (np.isfinite(self.max_offset) and self.max_offset >= 0):
            raise ValueError(f"Got max_offset={self.max_offset}, expected a finite number of arcsec, 0 or more.")

    def pool_size(self, side: float) -> int:
        """Choose from as many whatever the stamp."""
        return POOL_SIZE

    def place(self, candidates: Candidates, rng: np.random.Generator) -> tuple[SkySources, np.ndarray]:
        """See `AbstractLayout`."""
        count = int(rng.integers(1, self.max_sources + 1)) if self.n_sources is None else self.n_sources
        where = f"within +-{self.max_offset} arcsec"
        advice = "enlarge `max_offset`, or ask for fewer sources"
        return fill(candidates, rng, count, in_square(self.max_offset), where=where, advice=advice)
