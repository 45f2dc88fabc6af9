"""Star or galaxy: compact sources are fitted as points too, and the evidence decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxblend.detection.combine import psf_fwhm
from jaxblend.forward.observation import Observation
from jaxblend.frames.rounds import FitBatch, Group, fit_groups, updated
from jaxblend.frames.source import FrameSource

__all__ = ["stars_by_evidence", "tell_stars"]

LARGEST = 0.3  # half-light radius of a compact source, in units of the PSF's full width


def tell_stars(
    observation: Observation,
    sources: Sequence[FrameSource],
    fit_batch: FitBatch,
    *,
    fwhm: float,
    largest: float = LARGEST,
) -> list[FrameSource]:
    """Refit compact galaxies as points, one at a time in each group, and keep what has the larger evidence.

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
    largest
        Half-light radius of a compact source, in units of the PSF's full width.
    """
    sources = list(sources)
    tried: set[int] = set()
    limit = largest * fwhm * float(observation.frame.pixel_scale)
    while True:
        candidates = _next_candidates(sources, tried, limit)
        if not candidates:
            return sources
        tried |= set(candidates)
        sources = _try(observation, sources, candidates, fit_batch, fwhm)


def stars_by_evidence(
    observation: Observation, refit: Callable[[np.ndarray | None], Any], *, largest: float = LARGEST
) -> tuple[Any, dict[int, float]]:
    """One blend: fit all sources as galaxies, then compact ones as points, one at a time; the evidence decides.

    Parameters
    ----------
    observation
        The image of the blend.
    refit
        Fits the blend, given which sources are stars ((n,) booleans, or None for none).
    largest
        Half-light radius of a compact source, in units of the PSF's full width.

    Returns
    -------
    fit
        The one with the largest evidence; its ``stars`` say which sources are points.
    gains
        By how much ln evidence grew for each source that was tried as a point: a star if above 0.
    """
    best, gains = refit(None), {}
    limit = largest * psf_fwhm(observation) * float(observation.frame.pixel_scale)
    while True:
        radii = _radii(best)
        compact = [int(i) for i in np.argsort(radii) if radii[i] < limit and not best.stars[i] and int(i) not in gains]
        if not compact:
            return best, gains
        points = best.stars | (np.arange(len(radii)) == compact[0])
        as_star = refit(points)
        gains[compact[0]] = float(as_star.log_evidence - best.log_evidence)
        if gains[compact[0]] > 0:
            best = as_star


def _next_candidates(sources, tried, limit) -> list[int]:
    """In each group the most compact source that is not a star and was not tried."""
    best: dict[int, tuple[float, int]] = {}
    radii: dict[int, np.ndarray] = {}
    for i, source in enumerate(sources):
        if i in tried or source.star or source.fitted is None:
            continue
        key = id(source.fitted.fit)
        if key not in radii:
            radii[key] = _radii(source.fitted.fit)
        radius = float(radii[key][source.fitted.row])
        if radius < limit and (radius, i) < best.get(key, (np.inf, -1)):
            best[key] = (radius, i)
    return [i for _, i in best.values()]


def _radii(fit) -> np.ndarray:
    """Half-light radii in arcsec; infinite where the model has none."""
    catalog = fit.catalog
    if "radius" not in catalog.colnames:
        return np.full(len(catalog), np.inf)
    radius = np.asarray(getattr(catalog["radius"], "value", catalog["radius"]), float)
    return np.where(np.isfinite(radius), radius, np.inf)


def _try(observation, sources, candidates, fit_batch, fwhm) -> list[FrameSource]:
    """Fit the candidates' groups again. The galaxy fit is repeated too: neighbours' models may have moved since."""
    groups = [_group_of(sources, i) for i in candidates]
    stamps = [sources[i].fitted.stamp for i in candidates]
    galaxy = [np.array([sources[j].star for j in group]) for group in groups]
    star = [old | (np.array(group) == i) for old, group, i in zip(galaxy, groups, candidates, strict=True)]
    fits, _ = fit_groups(observation, sources, groups + groups, fit_batch, stars=galaxy + star, stamps=stamps + stamps)
    chosen, kinds = [], []
    for k in range(len(groups)):
        as_star = fits[k + len(groups)].log_evidence > fits[k].log_evidence
        chosen.append(fits[k + len(groups)] if as_star else fits[k])
        kinds.append(star[k] if as_star else galaxy[k])
    return updated(observation, sources, groups, chosen, stamps, fwhm=fwhm, stars=kinds)


def _group_of(sources, i) -> Group:
    """The sources of i's fit, in its order."""
    fit = sources[i].fitted.fit
    members = [(s.fitted.row, j) for j, s in enumerate(sources) if s.fitted is not None and s.fitted.fit is fit]
    return tuple(j for _, j in sorted(members))
