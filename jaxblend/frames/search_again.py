"""Second looks: sources in what the first models have left."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from jaxblend.detection.combine import combine
from jaxblend.detection.peaks import excesses, filtered_noise, gaussian_kernel, matched_filter
from jaxblend.fitting.photons import sky_share
from jaxblend.forward.observation import Observation
from jaxblend.frames.rounds import FitBatch, fit_in_turns, in_turns, pixel_noise
from jaxblend.frames.source import FrameSource, sources_at, total_model

__all__ = ["look_again"]

_LOOKS = 4  # each adds up to twice as many sources to a model as the one before
_SIGNIFICANT = 3.0  # S/N of its model, below which a source is nothing
_OUTLINE = 0.5  # of the reach of a model, which ends far below the noise
_LIGHT = 0.1  # of a pixel's noise: where no model has as much, the pixel is nobody's

Seed = tuple[float, ...]


def look_again(
    observation: Observation,
    sources: Sequence[FrameSource],
    fit_batch: FitBatch,
    *,
    fwhm: float,
    max_group: int,
    min_snr: float,
    given: bool = False,
) -> list[FrameSource]:
    """Add the significant peaks of the residual, and fit the groups that they join or change.

    A first model that was wrong leaves a residual in many pieces, of which most are nothing once the first of them is
    in the scene. So each model gets one new neighbour, then, if that was not enough, two, four and eight; where there
    is no model, all peaks are sources at once. Sources whose models are too faint to be anything are taken out again;
    what that changes in their neighbours after the last fit is below the noise. Those whose fit has failed stay, with
    its flag.

    Parameters
    ----------
    observation
        The whole image.
    sources
        All of its sources, fitted.
    fit_batch
        See ``fit_groups``.
    fwhm
        Of the PSF, in pixels.
    max_group
        Most sources that are fitted together.
    min_snr
        Least significance of a peak.
    given
        Whether the sources are the user's, which stay, however faint they are.
    """
    options = {"fwhm": fwhm, "max_group": max_group}
    old = {_seed(source) for source in sources}
    firm = old if given else set()
    least = _SIGNIFICANT * filtered_noise(gaussian_kernel(fwhm), combine(observation).correlation)
    sources, settled, tried = list(sources), _together(sources, **options), []
    for look in range(_LOOKS):
        found = _missed(observation, sources, tried, fwhm, min_snr, most=2**look)
        if not len(found):
            break
        tried += sources_at(found, fwhm)
        sources = _fitted(observation, [*sources, *tried[-len(found) :]], fit_batch, settled, **options)
        settled = _together(sources, **options)
        kept = _significant(observation, sources, old, firm, least)
        sources = [source if _seed(source) in old else _grown(source) for source in kept]
    sources = _significant(observation, sources, old, firm, least)
    # Two that are new and lie beside each other have had the same light, until it was known how far they reach.
    settled = {group for group in settled if group <= old}
    sources = _fitted(observation, sources, fit_batch, settled, **options)
    return _significant(observation, sources, old, firm, least)


def _missed(
    observation: Observation,
    sources: Sequence[FrameSource],
    tried: Sequence[FrameSource],
    fwhm: float,
    min_snr: float,
    *,
    most: int,
) -> Float[np.ndarray, "m 2"]:
    """Peaks of the residual: of those in the light of one model the ``most`` significant."""
    model = total_model(sources, observation.image.shape)
    residual = matched_filter(combine(observation, observation.image - model), fwhm)
    known = np.array([*(source.position for source in sources), *(source.seed for source in tried)]).reshape(-1, 2)
    light = matched_filter(combine(observation, model), fwhm)
    found = excesses(residual, light, known, fwhm=fwhm, min_snr=min_snr)
    columns, rows = np.rint(found).astype(int).T
    hosts = _brightest(observation, sources)[rows, columns]
    few = [host < 0 or np.sum(hosts[:i] == host) < most for i, host in enumerate(hosts)]
    return found[np.array(few, bool)]


def _brightest(observation: Observation, sources: Sequence[FrameSource]) -> Int[np.ndarray, "H W"]:
    """Whose model is the brightest in each pixel; -1 where there is none."""
    sigma = pixel_noise(observation)[:, None, None]
    light, host = np.full(observation.shape, _LIGHT), np.full(observation.shape, -1)
    for i, source in enumerate(sources):
        stamp = source.part.stamp
        own = np.sqrt(np.sum((source.part.image / sigma) ** 2, axis=0))
        wins = own > light[stamp]
        light[stamp], host[stamp] = np.where(wins, own, light[stamp]), np.where(wins, i, host[stamp])
    return host


def _fitted(
    observation: Observation,
    sources: Sequence[FrameSource],
    fit_batch: FitBatch,
    settled: set[frozenset[Seed]],
    *,
    fwhm: float,
    max_group: int,
) -> list[FrameSource]:
    """All sources, with new models of those that have not been fitted together yet."""
    turns = in_turns(sources, fwhm, max_group)

    def is_new(group):
        return _names(sources, group) not in settled or any(sources[i].fitted is None for i in group)

    turns = [[group for group in groups if is_new(group)] for groups in turns]
    return fit_in_turns(observation, sources, turns, fit_batch, fwhm=fwhm)


def _together(sources: Sequence[FrameSource], *, fwhm: float, max_group: int) -> set[frozenset[Seed]]:
    return {_names(sources, group) for groups in in_turns(sources, fwhm, max_group) for group in groups}


def _names(sources: Sequence[FrameSource], group: Sequence[int]) -> frozenset[Seed]:
    return frozenset(_seed(sources[i]) for i in group)


def _seed(source: FrameSource) -> Seed:
    """What stays of a source whatever else changes."""
    return tuple(source.seed.tolist())


def _significant(
    observation: Observation, sources: Sequence[FrameSource], old: set[Seed], firm: set[Seed], least: float
) -> list[FrameSource]:
    """Those whose models are bright enough, as templates that are known, and those that stay in any case."""
    weight = np.asarray(observation.weight)
    if observation.gain is not None:
        weight = weight * sky_share(weight, total_model(sources, observation.image.shape), observation.gain)

    def stays(source: FrameSource) -> bool:
        squares = source.part.image.astype(float) ** 2 * weight[(slice(None), *source.part.stamp)]
        failed = not np.any(source.part.image)
        return _seed(source) in firm or (failed and _seed(source) in old) or bool(np.sum(squares) >= least**2)

    return [source for source in sources if stays(source)]


def _grown(source: FrameSource) -> FrameSource:
    """With an outline from its model, in place of a point's."""
    a, b = np.maximum(_OUTLINE * source.reach, source.footprint[:2])
    return dataclasses.replace(source, footprint=np.array([a, b, 0.0]))
