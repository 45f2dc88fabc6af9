"""The galaxies of a cluster, with or without a field in front of and behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation.layouts.density import Density
from jaxblend.simulation.layouts.fill import fill, in_square
from jaxblend.simulation.layouts.layout import POOL_SIZE, AbstractLayout
from jaxblend.simulation.layouts.radial import beta_radius, nfw_radius
from jaxblend.simulation.layouts.red_sequence import RedSequence
from jaxblend.simulation.sources import SkySources

if TYPE_CHECKING:
    from jaxblend.simulation.candidates import Candidates
    from jaxblend.simulation.survey import Survey

__all__ = ["Cluster"]

POOL_PER_SOURCE = 4


@dataclass(frozen=True)
class Cluster(AbstractLayout):
    """Galaxies about the stamp centre, as dense as the galaxies of a cluster, the brightest in the middle.

    The members are galaxies of the catalogue, with its counts in magnitude, sizes and shapes.

    Attributes
    ----------
    richness : int
        Number of members that pass the selection within `max_radius`.
    radius : float
        Core radius of the beta model or scale radius of the NFW model, arcsec.
    profile : {"beta", "nfw"}
        How the number of members falls with the distance from the centre; see `beta_radius` and `nfw_radius`.
    beta : float
        Of the beta model; 1 is King's.
    max_radius : float, optional
        Projected radius beyond which there are no members, arcsec; by default half of the stamp's side. Where it is
        larger than that, members that fall beyond the stamp are not drawn.
    central : bool
        Whether the brightest member is at the centre.
    red_sequence : RedSequence, optional
        Gives the members its colours; by default they keep the catalogue's.
    field_per_arcmin2 : float
        Mean number, per square arcminute, of other sources that pass the selection, anywhere on the stamp, with
        their colours of the catalogue.
    """

    richness: int
    radius: float | int
    profile: str = "beta"
    beta: float | int = 1.0
    max_radius: float | int | None = None
    central: bool = True
    red_sequence: RedSequence | None = None
    field_per_arcmin2: float | int = 0.0

    def __post_init__(self) -> None:
        if self.richness < 1:
            raise ValueError(f"Got richness={self.richness}, expected at least one member.")
        if self.profile not in ("beta", "nfw"):
            raise ValueError(f'Got profile={self.profile!r}, expected "beta" or "nfw".')
        radii = [self.radius] if self.max_radius is None else [self.radius, self.max_radius]
        if not all(np.isfinite(value) and value > 0 for value in radii):
            raise ValueError(f"Got radius={self.radius} and max_radius={self.max_radius}, expected positive arcsec.")
        if not (np.isfinite(self.beta) and self.beta > 1 / 3):
            raise ValueError(f"Got beta={self.beta}, expected more than 1/3: else the numbers do not fall outwards.")
        if not (np.isfinite(self.field_per_arcmin2) and self.field_per_arcmin2 >= 0):
            raise ValueError(f"Got field_per_arcmin2={self.field_per_arcmin2}, expected 0 or more.")

    def pool_size(self, side: float) -> int:
        """Choose from several times as many as are wanted."""
        field = self._field.mean(side) if self.field_per_arcmin2 else 0.0
        return max(POOL_SIZE, int(POOL_PER_SOURCE * (self.richness + field)))

    def for_surveys(self, surveys: Sequence[Survey]) -> AbstractLayout:
        """Colour the members in the bands of all."""
        if self.red_sequence is None:
            return self
        return replace(self, red_sequence=replace(self.red_sequence, others=tuple(surveys[1:])))

    def place(self, candidates: Candidates, rng: np.random.Generator) -> tuple[SkySources, np.ndarray]:
        """See `AbstractLayout`."""
        members, offsets = self._place_members(self._members(candidates, rng), rng)
        if not self.field_per_arcmin2:
            return members, offsets
        count = self._field.draw_count(rng, candidates.side)
        where, advice = "on the stamp beside the cluster", "or lower `field_per_arcmin2`"
        draw = in_square(candidates.side / 2)
        others, places = fill(candidates, rng, count, draw, where=where, advice=advice, beside=list(offsets))
        bands = tuple(band for band in members.bands if band in others.bands)
        return SkySources.concatenate(members.in_bands(bands), others.in_bands(bands)), np.vstack([offsets, places])

    @property
    def _field(self) -> Density:
        return Density(self.field_per_arcmin2, allow_empty=True)

    def _members(self, candidates: Candidates, rng: np.random.Generator) -> Candidates:
        """Galaxies only, in the colours of the cluster."""
        galaxies = candidates.among(~candidates.sources.is_star)
        if self.red_sequence is not None:
            band = candidates.magnitude_band
            coloured = self.red_sequence.coloured(galaxies.sources, galaxies.survey, band, rng)
            galaxies = galaxies.with_sources(coloured).among(~coloured.is_star)
        if not len(galaxies.reachable):
            raise ValueError(f"None of the sources that can pass {candidates.selection} is a galaxy: relax it.")
        return galaxies

    def _place_members(self, members: Candidates, rng: np.random.Generator) -> tuple[SkySources, np.ndarray]:
        half = members.side / 2
        limit = half if self.max_radius is None else float(self.max_radius)
        places = [self._draw_offset(rng, limit) for _ in range(self.richness - int(self.central))]
        count = sum(bool(np.abs(place).max() <= half) for place in places)
        where, advice = f"within {limit:.4g} arcsec of the centre of {self}", "or lower the richness"

        def draw(rng: np.random.Generator) -> np.ndarray:
            while True:
                offset = self._draw_offset(rng, limit)
                if np.abs(offset).max() <= half:
                    return offset

        if not self.central:
            return fill(members, rng, count, draw, where=where, advice=advice)
        brightest = self._brightest(members, rng)
        centre = members.sources.take([brightest])
        fainter = members.among(members.magnitude > members.magnitude[brightest])
        others, offsets = fill(fainter, rng, count, draw, where=where, advice=advice, beside=[np.zeros(2)])
        return SkySources.concatenate(centre, others), np.vstack([np.zeros((1, 2)), offsets])

    def _brightest(self, members: Candidates, rng: np.random.Generator) -> int:
        """Draw as many members as there are, and name the brightest that passes in the middle."""
        drawn = rng.permutation(members.reachable)[: self.richness]
        for row in map(int, drawn[np.argsort(members.magnitude[drawn])]):
            if members.accept(members.sources.take([row]), np.zeros(2), []):
                return row
        raise ValueError(f"None of {len(drawn)} galaxies passed {members.selection} at the stamp centre: relax it.")

    def _draw_offset(self, rng: np.random.Generator, limit: float) -> np.ndarray:
        """Draw a place about the centre, (2,) arcsec."""
        quantile, angle = rng.random(), rng.uniform(0.0, 2.0 * np.pi)
        radius, beta = float(self.radius), float(self.beta)
        if self.profile == "beta":
            distance = beta_radius(quantile, core_radius=radius, beta=beta, max_radius=limit)
        else:
            distance = nfw_radius(quantile, scale_radius=radius, max_radius=limit)
        return distance * np.array([np.cos(angle), np.sin(angle)])
