"""One source in the middle of the stamp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation.layouts.fill import fill
from jaxblend.simulation.layouts.layout import POOL_SIZE, AbstractLayout

if TYPE_CHECKING:
    from jaxblend.simulation.candidates import Candidates
    from jaxblend.simulation.sources import SkySources

__all__ = ["Isolated"]


@dataclass(frozen=True)
class Isolated(AbstractLayout):
    """One source at the stamp centre."""

    def pool_size(self, side: float) -> int:
        """Choose from as many whatever the stamp."""
        return POOL_SIZE

    def place(self, candidates: Candidates, rng: np.random.Generator) -> tuple[SkySources, np.ndarray]:
        """See `AbstractLayout`."""
        centre = np.zeros(2)
        advice = "or give a brighter catalogue"
        return fill(candidates, rng, 1, lambda _: centre, where="at the stamp centre", advice=advice)
