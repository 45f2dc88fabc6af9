"""Which sources are where in a blend, before anything observes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation import streams
from jaxblend.simulation.candidates import Candidates
from jaxblend.simulation.catsim import read_catsim
from jaxblend.simulation.geometry import shear_matrix
from jaxblend.simulation.layouts import AbstractLayout
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.shear import draw_shear
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.streams import Streams
from jaxblend.simulation.survey import Survey

if TYPE_CHECKING:
    from jaxblend.simulation.options import SimulationOptions

__all__ = ["Scene", "Stage"]


@dataclass(frozen=True, eq=False)
class Scene:
    """The sources of one blend and their places.

    Attributes
    ----------
    sources : SkySources
        The n sources.
    offsets : (n, 2) array
        Places along x and y from the stamp centre, arcsec.
    shear : (2,) array
        The reduced shear that both have been given.
    """

    sources: SkySources
    offsets: np.ndarray
    shear: np.ndarray


@dataclass(frozen=True, eq=False)
class Stage:
    """What all blends of a run have in common; made by `Stage.of`.

    Attributes
    ----------
    survey : Survey
        Which observes.
    options : SimulationOptions
        As given.
    layout : AbstractLayout
        Which sources go where.
    catalog : Candidates, optional
        The sources of the catalogue, cut once; None where each blend draws its own population.
    """

    survey: Survey
    options: SimulationOptions
    layout: AbstractLayout
    catalog: Candidates | None

    @classmethod
    def of(cls, survey: Survey, options: SimulationOptions) -> Stage:
        """Read and cut the catalogue, where there is one.

        Raises
        ------
        ValueError
            If none of its sources can pass the selection, or it lacks what the layout needs.
        """
        given, layout = options.catalog, options.effective_layout
        if given is None:
            return cls(survey, options, layout, None)
        sources = given if isinstance(given, SkySources) else read_catsim(given, survey)
        candidates = _candidates(sources, survey, options)
        return cls(survey, options, layout.for_catalog(candidates), candidates)

    def draw(self, random: Streams) -> Scene:
        """Draw the scene of the blend that has these streams."""
        rng = random.generator(streams.SCENE)
        candidates = self.catalog if self.catalog is not None else self._draw_candidates(rng)
        if self.options.rotate:
            angle = random.generator(streams.ROTATION).uniform(0.0, 2.0 * np.pi, len(candidates.sources))
            candidates = candidates.with_sources(candidates.sources.rotated(angle))
        return self._move(Scene(*self.layout.place(candidates, rng), shear=np.zeros(2)), random)

    def about(self, scene: Scene) -> dict[str, object]:
        """Say of a scene what its truth records: the layout and the shear."""
        shear = {"g1": float(scene.shear[0]), "g2": float(scene.shear[1])}
        return {"layout": repr(self.options.effective_layout), "shear": shear}

    def _draw_candidates(self, rng: np.random.Generator) -> Candidates:
        n = self.layout.pool_size(self.options.stamp_size * self.survey.pixel_scale)
        # The cut may be in another band than i, or in another survey's i.
        faintest = self.options.effective_selection.max_magnitude + 0.5
        return _candidates(draw_population(rng, n, self.survey, max_magnitude=faintest), self.survey, self.options)

    def _move(self, scene: Scene, random: Streams) -> Scene:
        """Shear a scene, and then shift it."""
        options, sources, offsets, shear = self.options, scene.sources, scene.offsets, scene.shear
        if options.shear is not None:
            shear = draw_shear(options.shear, random.generator(streams.SHEAR))
            sources = sources.sheared(shear)
            offsets = offsets @ shear_matrix(shear).T if options.shear_positions else offsets
        if options.dither:
            offsets = offsets + self.survey.pixel_scale * random.generator(streams.DITHER).uniform(-0.5, 0.5, 2)
        return Scene(sources, offsets, shear)


def _candidates(sources: SkySources, survey: Survey, options: SimulationOptions) -> Candidates:
    psfs = survey_psfs(survey, options.typical_psf)
    return Candidates.of(sources, survey, options.effective_selection, psfs=psfs, stamp_size=options.stamp_size)
