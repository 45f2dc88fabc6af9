"""Two sources at a given distance, with a given ratio of fluxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation.layouts.fill import MAX_TRIES
from jaxblend.simulation.layouts.layout import POOL_SIZE, AbstractLayout
from jaxblend.simulation.layouts.ranges import Range, ends, positive_range

if TYPE_CHECKING:
    from jaxblend.simulation.candidates import Candidates
    from jaxblend.simulation.sources import SkySources

__all__ = ["Pair"]


@dataclass(frozen=True)
class Pair(AbstractLayout):
    """Two sources, at a random position angle.

    Fluxes are compared in the selection's magnitude band. Both sources pass the selection as they are drawn, so a
    faint second source needs a faint limit.

    Attributes
    ----------
    separation : float or (float, float)
        Distance of the centres, arcsec; a pair is drawn from uniformly.
    flux_ratio : float or (float, float), optional
        Flux of the second over that of the first; a pair is drawn from uniformly in the logarithm. The second's
        magnitudes are shifted by the same amount in all bands, its colours and its size stay. By default the
        magnitudes are the catalogue's.
    magnitude_difference : (float, float), optional
        Least and largest magnitude of the second less that of the first: the second is drawn from the sources in
        this range, and nothing is shifted. Not together with `flux_ratio`.
    centre : {"first", "middle"}
        What is at the stamp centre: the first source, or the middle between the two.
    """

    separation: Range
    flux_ratio: Range | None = None
    magnitude_difference: tuple[float | int, float | int] | None = None
    centre: str = "first"

    def __post_init__(self) -> None:
        positive_range("separation", self.separation)
        if self.flux_ratio is not None:
            positive_range("flux_ratio", self.flux_ratio)
        if self.magnitude_difference is not None:
            self._check_difference(self.magnitude_difference)
        if self.centre not in ("first", "middle"):
            raise ValueError(f'Got centre={self.centre!r}, expected "first" or "middle".')

    def _check_difference(self, difference: tuple[float | int, float | int]) -> None:
        if self.flux_ratio is not None:
            raise ValueError(
                f"Got flux_ratio={self.flux_ratio} and magnitude_difference={difference}: give one of them, "
                "a ratio to which the second source is scaled or a range from which it is chosen."
            )
        if not difference[0] <= difference[1]:
            raise ValueError(f"Got magnitude_difference={difference}, expected (least, largest).")

    def pool_size(self, side: float) -> int:
        """Choose from as many whatever the stamp."""
        return POOL_SIZE

    def place(self, candidates: Candidates, rng: np.random.Generator) -> tuple[SkySources, np.ndarray]:
        """See `AbstractLayout`."""
        self._check_fit(candidates)
        rows = candidates.shuffled(rng)
        for _ in range(MAX_TRIES):
            offsets = self._offsets(rng)
            pair = self._draw_pair(candidates, rows, rng)
            # A magnitude is quicker to look at than an S/N.
            if pair is None or not candidates.selection.bright_enough(pair, candidates.survey).all():
                continue
            if all(candidates.accept(pair.take([i]), offsets[i], offsets[:i]) for i in (0, 1)):
                return pair, offsets
        raise ValueError(
            f"In {MAX_TRIES} tries no two sources passed {candidates.selection} as {self}: relax the selection, or "
            "change the pair."
        )

    def _check_fit(self, candidates: Candidates) -> None:
        least, most = ends(self.separation)
        if least < candidates.selection.min_separation:
            raise ValueError(
                f"Got separation={self.separation} arcsec below the selection's min_separation of "
                f"{candidates.selection.min_separation}: raise the one or lower the other."
            )
        reach = most if self.centre == "first" else most / 2
        if reach > candidates.side / 2:
            raise ValueError(
                f"Got separation={self.separation} arcsec on a stamp of {candidates.side:.4g}: a source would lie "
                "beyond it; enlarge `stamp_size`, or lower the separation."
            )

    def _offsets(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the two places, (2, 2) arcsec."""
        angle = rng.uniform(0.0, 2.0 * np.pi)
        step = rng.uniform(*ends(self.separation)) * np.array([np.cos(angle), np.sin(angle)])
        first = np.zeros(2) if self.centre == "first" else -0.5 * step
        return np.stack([first, first + step])

    def _draw_pair(self, candidates: Candidates, rows: Iterator[int], rng: np.random.Generator) -> SkySources | None:
        """Draw two sources; None where the first has no partner."""
        first = next(rows)
        if self.magnitude_difference is not None:
            difference = candidates.magnitude - candidates.magnitude[first]
            low, high = self.magnitude_difference
            partners = candidates.reachable[((difference >= low) & (difference <= high))[candidates.reachable]]
            partners = partners[partners != first]
            return candidates.sources.take([first, int(rng.choice(partners))]) if len(partners) else None
        second = next(rows)
        pair = candidates.sources.take([first, second])
        if self.flux_ratio is None:
            return pair
        fainter = -2.5 * np.log10(np.exp(rng.uniform(*np.log(ends(self.flux_ratio)))))
        shift = candidates.magnitude[first] + fainter - candidates.magnitude[second]
        return replace(pair, magnitude=pair.magnitude + np.array([[0.0], [shift]]))
