"""A second look: sources in what the first models have left."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from jaxblend.detection.combine import combine
from jaxblend.detection.peaks import excesses, matched_filter
from jaxblend.forward.observation import Observation
from jaxblend.frames.rounds import FitBatch, Group, fit_in_turns, in_turns
from jaxblend.frames.source import FrameSource, sources_at, total_model

__all__ = ["add_missed"]

_SIGNIFICANT = 3.0  # S/N of its model, below which what was added is nothing
_OUTLINE = 0.5  # of the reach of a model, which ends far below the noise


def add_missed(
    observation: Observation,
    sources: Sequence[FrameSource],
    fit_batch: FitBatch,
    *,
    fwhm: float,
    max_group: int,
    min_snr: float,
) -> list[FrameSource]:
    """Add the significant peaks of the residual, and fit the groups that they join or change, twice.

    A first model that was wrong leaves a residual in many pieces, which are nothing once a few of them are in the
    scene: these are taken out again. And two that lie beside each other have had the same light, as long as nobody
    knew how far they reach.
    """
    found = _missed(observation, sources, fwhm, min_snr)
    if not len(found):
        return list(sources)
    old, options = len(sources), {"fwhm": fwhm, "max_group": max_group}
    before = {group for groups in in_turns(sources, **options) for group in groups}
    both = [*sources, *sources_at(found, fwhm)]
    both, touched = _fitted(observation, both, fit_batch, lambda group: group not in before, **options)
    kept = [i for i, source in enumerate(both) if i < old or _snr(observation, source) >= _SIGNIFICANT]
    again = {row for row, i in enumerate(kept) if i in touched}
    both = [both[i] if i < old else _grown(both[i]) for i in kept]
    both, _ = _fitted(observation, both, fit_batch, lambda group: not again.isdisjoint(group), **options)
    return [source for i, source in enumerate(both) if i < old or _snr(observation, source) >= _SIGNIFICANT]


def _missed(observation: Observation, sources, fwhm: float, min_snr: float) -> Float[np.ndarray, "m 2"]:
    model = total_model(sources, observation.image.shape)
    residual = matched_filter(combine(observation, observation.image - model), fwhm)
    known = np.array([source.position for source in sources]).reshape(-1, 2)
    light = matched_filter(combine(observation, model), fwhm)
    return excesses(residual, light, known, fwhm=fwhm, min_snr=min_snr)


def _fitted(
    observation: Observation,
    sources: Sequence[FrameSource],
    fit_batch: FitBatch,
    wanted: Callable[[Group], bool],
    *,
    fwhm: float,
    max_group: int,
) -> tuple[list[FrameSource], set[int]]:
    """All sources, those of the groups that are wanted with new models, and the numbers of these."""
    turns = [[group for group in groups if wanted(group)] for groups in in_turns(sources, fwhm, max_group)]
    touched = {i for groups in turns for group in groups for i in group}
    return fit_in_turns(observation, sources, turns, fit_batch, fwhm=fwhm), touched


def _snr(observation: Observation, source: FrameSource) -> float:
    """Of the model, as a template that is known."""
    stamp = (slice(None), *source.part.stamp)
    return float(np.sqrt(np.sum(source.part.image.astype(float) ** 2 * observation.weight[stamp])))


def _grown(source: FrameSource) -> FrameSource:
    """With an outline from its model, in place of a point's."""
    a, b = np.maximum(_OUTLINE * source.reach, source.footprint[:2])
    return dataclasses.replace(source, footprint=np.array([a, b, 0.0]))
