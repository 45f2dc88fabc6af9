"""A Poisson number of sources at a given density on the sky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation.layouts.fill import fill, in_square
from jaxblend.simulation.layouts.layout import POOL_SIZE, AbstractLayout

if TYPE_CHECKING:
    from jaxblend.simulation.candidates import Candidates
    from jaxblend.simulation.sources import SkySources

__all__ = ["Density"]

ARCSEC2_PER_ARCMIN2 = 3600.0
POOL_PER_SOURCE = 4


@dataclass(frozen=True)
class Density(AbstractLayout):
    """Sources scattered at random over a square, as many as a field of this density has.

    Attributes
    ----------
    per_arcmin2 : float
        Mean number, per square arcminute, of sources that pass the selection.
    side : float, optional
        Side of the square about the stamp centre, arcsec, no more than the stamp's; by default the stamp's.
    allow_empty : bool
        Whether a stamp may be empty sky, as a field's may. By default the numbers are those of the stamps that are
        not, and the mean is higher.
    """

    per_arcmin2: float | int
    side: float | int | None = None
    allow_empty: bool = False

    def __post_init__(self) -> None:
        sides = () if self.side is None else (self.side,)
        if not all(np.isfinite(value) and value > 0 for value in (self.per_arcmin2, *sides)):
            raise ValueError(
                f"Got per_arcmin2={self.per_arcmin2} and side={self.side}, expected a positive number of sources per "
                "square arcminute, and of arcsec."
            )

    def mean(self, side: float) -> float:
        """Compute the mean number of sources on a stamp of this side, arcsec, empty ones included."""
        return self.per_arcmin2 * (side if self.side is None else self.side) ** 2 / ARCSEC2_PER_ARCMIN2

    def pool_size(self, side: float) -> int:
        """Choose from several times as many as are wanted."""
        return max(POOL_SIZE, int(POOL_PER_SOURCE * self.mean(side)))

    def place(self, candidates: Candidates, rng: np.random.Generator) -> tuple[SkySources, np.ndarray]:
        """See `AbstractLayout`."""
        side = candidates.side if self.side is None else self.side
        if side > candidates.side:
            raise ValueError(
                f"Got side={self.side} arcsec on a stamp of {candidates.side:.4g}: sources would lie beyond it; "
                "enlarge `stamp_size`, or lower `side`."
            )
        count = self.draw_count(rng, candidates.side)
        where = f"in a square of {side:.4g} arcsec"
        return fill(candidates, rng, count, in_square(side / 2), where=where, advice="or lower the density")

    def draw_count(self, rng: np.random.Generator, side: float) -> int:
        """Draw the number of sources on a stamp of this side, arcsec."""
        mean = self.mean(side)
        if self.allow_empty:
            return int(rng.poisson(mean))
        # The first event of a Poisson process, given that there is one; the others come after it.
        first = -np.log1p(rng.random() * np.expm1(-mean))
        return 1 + int(rng.poisson(max(mean - first, 0.0)))
