"""The sources that may enter a blend, and the test that each has to pass where it is placed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.psf import effective_psf_images
from jaxblend.simulation.quick_snr import QuickSNR
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.truth import signal_to_noise

if TYPE_CHECKING:
    import galsim

__all__ = ["Candidates"]

QUICK_MARGIN = 0.05  # of the S/N: an image is drawn of what is nearer to the limit


@dataclass(frozen=True, eq=False)
class Candidates:
    """n sources that are bright enough, on a stamp of one survey; made by `Candidates.of`.

    Attributes
    ----------
    sources : SkySources
        Those that pass the selection's cut in magnitude.
    magnitude : (n,) array
        AB magnitude in the selection's magnitude band.
    reachable : (m,) array of int
        Rows of the sources that would have the S/N, were they points: no shape has more.
    selection : Selection
        What a source has to pass.
    survey : Survey
        What observes.
    psf : GalSim object
        In the selection's S/N band, without the pixel.
    stamp_size : int
        Width and height of the stamp, pixels.
    """

    sources: SkySources
    magnitude: np.ndarray
    reachable: np.ndarray
    selection: Selection
    survey: Survey
    psf: galsim.GSObject
    stamp_size: int

    @classmethod
    def of(
        cls,
        sources: SkySources,
        survey: Survey,
        selection: Selection,
        *,
        psfs: Sequence[galsim.GSObject],
        stamp_size: int,
    ) -> Candidates:
        """Cut a catalogue to what can pass a selection.

        Raises
        ------
        ValueError
            If nothing can.
        """
        bright = sources.take(selection.bright_enough(sources, survey))
        magnitude_band, snr_band = selection.bands_in(survey)
        if not len(bright):
            raise ValueError(
                f"None of the {len(sources)} sources is brighter than {selection.max_magnitude} in {magnitude_band}: "
                "raise `max_magnitude` of the selection, or give another catalogue."
            )
        psf = psfs[survey.band_index(snr_band)]
        reachable = np.flatnonzero(_largest_snr(bright, survey.only(snr_band), psf) >= selection.min_snr)
        if not len(reachable):
            raise ValueError(
                f"None of the {len(bright)} sources reaches S/N {selection.min_snr} in {snr_band}, even if it were a "
                "point: lower `min_snr` of the selection, or give a brighter catalogue."
            )
        magnitude = bright.in_bands((magnitude_band,)).magnitude[:, 0]
        return cls(bright, magnitude, reachable, selection, survey, psf, stamp_size)

    @property
    def magnitude_band(self) -> str:
        """The selection's magnitude band."""
        return self.selection.bands_in(self.survey)[0]

    def among(self, kept: np.ndarray) -> Candidates:
        """Keep as reachable only those of the sources (n,) that are marked."""
        return replace(self, reachable=self.reachable[kept[self.reachable]])

    def with_sources(self, sources: SkySources) -> Candidates:
        """Put changed sources in the place of the same n, of the same magnitudes in the selection's band."""
        single = self.survey.only(self.selection.bands_in(self.survey)[1])
        reachable = np.flatnonzero(_largest_snr(sources, single, self.psf) >= self.selection.min_snr)
        return replace(self, sources=sources, reachable=reachable)

    @property
    def side(self) -> float:
        """Width and height of the stamp, arcsec."""
        return self.stamp_size * self.survey.pixel_scale

    def shuffled(self, rng: np.random.Generator) -> Iterator[int]:
        """Yield reachable rows at random without end, each once before any comes again.

        Raises
        ------
        ValueError
            If there are none.
        """
        if not len(self.reachable):
            raise ValueError(
                f"No source is left that can pass {self.selection} and the layout: relax the selection, or give a "
                "larger catalogue."
            )
        while True:
            yield from map(int, rng.permutation(self.reachable))

    def accept(self, source: SkySources, offset: np.ndarray, others: Sequence[np.ndarray] | np.ndarray) -> bool:
        """Say whether one source passes at a place, (2,) arcsec, beside others that have theirs."""
        if not source.magnitude[0, source.bands.index(self.magnitude_band)] < self.selection.max_magnitude:
            return False
        if not all(np.hypot(*(offset - other)) >= self.selection.min_separation for other in others):
            return False
        expected, least = self._quick_snr.estimate(source, offset), self.selection.min_snr
        if expected is not None and abs(expected - least) > QUICK_MARGIN * least:
            return bool(expected > least)
        position = offset / self.survey.pixel_scale + 0.5 * (self.stamp_size - 1)
        single = self._quick_snr.survey
        shape = (self.stamp_size, self.stamp_size)
        image = draw_isolated(source, [position], single, psfs=[self.psf], shape=shape)[0, 0]
        return bool(signal_to_noise(image, single.sky_level[0]) >= least)

    @cached_property
    def _quick_snr(self) -> QuickSNR:
        single = self.survey.only(self.selection.bands_in(self.survey)[1])
        return QuickSNR(single, self.stamp_size, self.psf)


def _largest_snr(pool: SkySources, survey: Survey, psf: galsim.GSObject) -> np.ndarray:
    """Compute the S/N (n,) that each source would have as a point in the only band of a survey: no shape has more."""
    (point,) = effective_psf_images([psf], pixel_scale=survey.pixel_scale, size=65)
    return pool.flux(survey)[:, 0] * signal_to_noise(point, survey.sky_level[0])
