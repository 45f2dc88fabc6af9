"""Groups of neighbours, as they stand in a catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation.layouts.fill import MAX_TRIES
from jaxblend.simulation.layouts.friends import friends_of_friends
from jaxblend.simulation.layouts.layout import POOL_SIZE, AbstractLayout

if TYPE_CHECKING:
    from jaxblend.simulation.candidates import Candidates
    from jaxblend.simulation.sources import SkySources

__all__ = ["Groups"]


@dataclass(frozen=True)
class Groups(AbstractLayout):
    """A group of friends of friends from a catalogue with positions, its sources where the catalogue has them.

    The sources that are bright enough are linked. Of a group drawn at random, each as likely, the mean of the
    positions is put at the stamp centre; members that lie beyond the stamp or do not pass the selection are left out,
    and where two are closer than the minimum separation, the fainter.

    Attributes
    ----------
    linking_length : float
        Largest distance of two neighbours in a group, arcsec.
    min_members, max_members : int
        Fewest and most members that pass; any number above by default.
    """

    linking_length: float | int
    min_members: int = 2
    max_members: int | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.linking_length) and self.linking_length > 0):
            raise ValueError(f"Got linking_length={self.linking_length}, expected a positive number of arcsec.")
        if self.min_members < 1 or (self.max_members is not None and self.max_members < self.min_members):
            raise ValueError(
                f"Got min_members={self.min_members} and max_members={self.max_members}, expected 1 <= min <= max."
            )

    def pool_size(self, side: float) -> int:
        """Choose from as many whatever the stamp; the built-in population has no positions, and is refused."""
        return POOL_SIZE

    def for_catalog(self, candidates: Candidates) -> AbstractLayout:
        """Find the groups of the catalogue."""
        place = candidates.sources.place
        if place is None:
            raise ValueError(
                "Groups needs the positions of a catalogue, and these sources have none: give a table with columns "
                "ra and dec, in degrees and within 10 of their middle."
            )
        linked = friends_of_friends(place, float(self.linking_length))
        groups = tuple(group for group in linked if len(group) >= self.min_members)
        if not groups:
            raise ValueError(
                f"The {len(place)} sources that are bright enough make {len(linked)} groups, none of them of "
                f"{self.min_members} members or more: raise `linking_length`, or lower `min_members`."
            )
        return _FoundGroups(self, groups)

    def place(self, candidates: Candidates, rng: np.random.Generator) -> tuple[SkySources, np.ndarray]:
        """See `AbstractLayout`."""
        return self.for_catalog(candidates).place(candidates, rng)


@dataclass(frozen=True, eq=False)
class _FoundGroups(AbstractLayout):
    """The groups of one catalogue, as rows of the candidates."""

    layout: Groups
    groups: tuple[np.ndarray, ...]

    def pool_size(self, side: float) -> int:
        return self.layout.pool_size(side)

    def place(self, candidates: Candidates, rng: np.random.Generator) -> tuple[SkySources, np.ndarray]:
        most = np.inf if self.layout.max_members is None else self.layout.max_members
        for number in islice(rng.permutation(len(self.groups)), MAX_TRIES):
            rows, offsets = _passing(candidates, self.groups[number])
            if self.layout.min_members <= len(rows) <= most:
                return candidates.sources.take(rows), offsets
        raise ValueError(
            f"None of {min(len(self.groups), MAX_TRIES)} groups of {self.layout} has as many members that pass "
            f"{candidates.selection} on a stamp of {candidates.side:.4g} arcsec: relax the selection, or enlarge "
            "`stamp_size`."
        )


def _passing(candidates: Candidates, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the members of a group that pass, (m,) rows from bright to faint, and their places (m, 2), arcsec."""
    place = np.asarray(candidates.sources.place)[group]
    offsets = place - place.mean(axis=0)
    kept: list[int] = []
    for member in np.argsort(candidates.magnitude[group], kind="stable"):
        inside = np.abs(offsets[member]).max() <= candidates.side / 2
        if inside and candidates.accept(candidates.sources.take(group[[member]]), offsets[member], offsets[kept]):
            kept.append(int(member))
    return group[kept], offsets[kept]
