"""Star or galaxy: compact sources are fitted as points too, and the evidence decides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxblend.forward.observation import Observation
from jaxblend.frames.rounds import FitBatch, Group, fit_groups, updated
from jaxblend.frames.source import FrameSource

__all__ = ["tell_stars"]


def tell_stars(
    observation: Observation,
    sources: Sequence[FrameSource],
    fit_batch: FitBatch,
    *,
    fwhm: float,
    largest: float = 0.3,
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
