"""One round: every group is fitted on its stamp, with the models of all other sources taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jaxblend.fitting.photons import sky_share
from jaxblend.forward.observation import Observation
from jaxblend.frames.group import apart, group_overlapping
from jaxblend.frames.source import Fitted, FrameSource, elliptical_radius, total_model
from jaxblend.frames.stamps import overlap, stamp_around

__all__ = ["FitBatch", "Group", "fit_groups", "fit_in_turns", "in_turns", "members_of", "pixel_noise", "updated"]

FitBatch = Callable[..., Sequence[Any]]
Group = tuple[int, ...]


def members_of(labels: Int[np.ndarray, " n"]) -> list[Group]:
    """The sources of each group, by number."""
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    return [tuple(int(i) for i in part) for part in np.split(order, cuts) if len(part)]


def in_turns(sources: Sequence[FrameSource], fwhm: float, max_group: int) -> list[list[Group]]:
    """All groups: lists of those that can be fitted at once."""
    positions = np.array([source.seed for source in sources]).reshape(-1, 2)
    footprints = np.array([source.footprint for source in sources]).reshape(-1, 3)
    labels = group_overlapping(positions, footprints, fwhm, max_size=max_group)
    groups, turns = members_of(labels), apart(labels, positions, footprints, fwhm)
    return [[groups[g] for g in np.flatnonzero(turns == turn)] for turn in range(np.max(turns, initial=-1) + 1)]


def fit_in_turns(
    observation: Observation,
    sources: Sequence[FrameSource],
    turns: Sequence[Sequence[Group]],
    fit_batch: FitBatch,
    *,
    fwhm: float,
) -> list[FrameSource]:
    """All sources, after the groups of each turn have been fitted against what the turns before have left."""
    for groups in filter(None, turns):
        fits, stamps = fit_groups(observation, sources, groups, fit_batch)
        sources = updated(observation, sources, groups, fits, stamps, fwhm=fwhm)
    return list(sources)


def fit_groups(
    observation: Observation,
    sources: Sequence[FrameSource],
    groups: Sequence[Group],
    fit_batch: FitBatch,
    *,
    stars: Sequence[np.ndarray] | None = None,
    stamps: Sequence[tuple[slice, slice]] | None = None,
) -> tuple[list[Any], list[tuple[slice, slice]]]:
    """Fit some groups; pixels of sources that have no model yet, of other groups, are masked.

    Parameters
    ----------
    observation
        The whole image.
    sources
        All of its sources.
    groups
        Those to fit.
    fit_batch
        Called with observations, positions, and ``stars``.
    stars
        For each group and member, whether it is fitted as a point; by default what the source says.
    stamps
        By default from the members' reach.

    Returns
    -------
    fits, stamps
        One of each per group.
    """
    if not groups:
        return [], []
    if stamps is None:
        stamps = [_stamp(observation, sources, group) for group in groups]
    if stars is None:
        stars = [np.array([sources[i].star for i in group]) for group in groups]
    residual = np.asarray(observation.image) - total_model(sources, observation.image.shape)
    owner = _owners(sources, observation.shape)
    cutouts, positions = [], []
    for group, stamp in zip(groups, stamps, strict=True):
        cutouts.append(_without_others(observation, sources, group, stamp, residual, owner))
        positions.append(np.stack([sources[i].position for i in group]) - _corner(stamp))
    return list(fit_batch(cutouts, positions, stars=list(stars))), list(stamps)


def updated(
    observation: Observation,
    sources: Sequence[FrameSource],
    groups: Sequence[Group],
    fits: Sequence[Any],
    stamps: Sequence[tuple[slice, slice]],
    *,
    fwhm: float,
    stars: Sequence[np.ndarray] | None = None,
) -> list[FrameSource]:
    """All sources, those of the fitted groups with their new models; a source whose model is not finite keeps none."""
    sigma = pixel_noise(observation)
    result = list(sources)
    for number, (group, fit, stamp) in enumerate(zip(groups, fits, stamps, strict=True)):
        images = np.nan_to_num(np.asarray(fit.images, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        positions = np.asarray(fit.positions, float) + _corner(stamp)
        for row, i in enumerate(group):
            star = sources[i].star if stars is None else bool(stars[number][row])
            fitted = Fitted(fit, row, images[row], stamp)
            result[i] = sources[i].after(
                fitted, positions[row], sigma=sigma, shape=observation.shape, fwhm=fwhm, star=star
            )
    return result


def pixel_noise(observation: Observation) -> Float[np.ndarray, " C"]:
    """Typical standard deviation of a pixel in each band; infinite where a band is all masked."""
    weights = np.asarray(observation.weight)
    return np.array([np.median(w[w > 0]) ** -0.5 if np.any(w > 0) else np.inf for w in weights])


def _stamp(observation, sources, group):
    positions = np.stack([sources[i].position for i in group])
    return stamp_around(positions, np.stack([sources[i].reach for i in group]), observation.shape, margin=2.0)


def _corner(stamp) -> Float[np.ndarray, "2"]:
    return np.array([stamp[1].start, stamp[0].start], float)


def _without_others(observation, sources, group, stamp, residual, owner) -> Observation:
    """The stamp's data with only the group's light in it."""
    cutout = observation.cutout(*stamp)
    image = residual[(slice(None), *stamp)].copy()
    for i in group:
        fitted = sources[i].fitted
        if fitted is None:
            continue
        shared = overlap(stamp, fitted.stamp)
        if shared is not None:
            image[(slice(None), *shared[0])] += fitted.image[(slice(None), *shared[1])]
    foreign = (owner[stamp] >= 0) & ~np.isin(owner[stamp], group)
    weight = np.asarray(cutout.weight)
    if cutout.gain is not None:  # light that is taken away leaves its photon noise behind
        weight = weight * sky_share(weight, cutout.image - image, cutout.gain)
    return cutout.replace(image=image, weight=np.where(foreign, 0.0, weight).astype(np.float32))


def _owners(sources: Sequence[FrameSource], shape: tuple[int, int]) -> Int[np.ndarray, "H W"]:
    """The source in whose widened footprint a pixel lies, if that source has no model yet; -1 elsewhere.

    Where footprints overlap a pixel goes to the source to which it is nearest in units of the footprint.
    """
    owner = np.full(shape, -1)
    unfitted = np.array([source.fitted is None for source in sources])
    if not unfitted.any():
        return owner
    nearest = np.full(shape, 1.3)
    for i, source in enumerate(sources):
        a = source.footprint[0]
        rows, columns = (
            slice(max(int(c - 1.3 * a), 0), max(int(c + 1.3 * a) + 2, 0))
            for c in (source.position[1], source.position[0])
        )
        y, x = np.ogrid[rows.start : min(rows.stop, shape[0]), columns.start : min(columns.stop, shape[1])]
        radius = elliptical_radius(x - source.position[0], y - source.position[1], source.footprint)
        wins = radius < nearest[rows, columns]
        nearest[rows, columns] = np.where(wins, radius, nearest[rows, columns])
        owner[rows, columns] = np.where(wins, i, owner[rows, columns])
    return np.where((owner >= 0) & unfitted[np.maximum(owner, 0)], owner, -1)
