"""Numbers of whole blends: how pure detection is, what was not recognised, how much of the light was recovered."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblend.evaluation.blends import Blends
from jaxblend.evaluation.statistics import ALL, Number, Resampling
from jaxblend.metrics.bootstrap import in_bins
from jaxblend.metrics.catalog import recovered_flux
from jaxblend.metrics.confusion import efficiency_matrix, star_galaxy_confusion
from jaxblend.metrics.detection import count_matches, f1_score, precision
from jaxblend.metrics.matching import Match, take_partners
from jaxblend.metrics.photometry import flux_conservation, residual_summary
from jaxblend.metrics.unrecognised import fragmentation, unrecognised_blend_fraction

__all__ = ["MEANINGS", "confusion", "efficiency", "numbers_of_blends"]

DETECTIONS, BLENDS, FOUND = "detections", "blends", "found"
STARS, GALAXIES, AS_STARS, AS_GALAXIES = "stars", "galaxies", "as stars", "as galaxies"
MEANINGS = {
    "precision": ("share of detections that have a true source", DETECTIONS),
    "f1": ("harmonic mean of precision and recall", DETECTIONS),
    "unrecognised_blends": ("share of detections that stand for two or more true sources", DETECTIONS),
    "extra_detections": ("detections beyond the first per found source", FOUND),
    "failed_blends": ("share of blends without a result; their sources count as missed", BLENDS),
    "star_completeness": ("share of found stars that are taken for stars", STARS),
    "galaxy_completeness": ("share of found galaxies that are taken for galaxies", GALAXIES),
    "star_purity": ("share of matched detections taken for stars that are stars", AS_STARS),
    "galaxy_purity": ("share of matched detections taken for galaxies that are galaxies", AS_GALAXIES),
    "flux_of_all": ("flux of all detections over that of all true sources, {band}", DETECTIONS),
    "flux_of_pairs": ("flux of detections with a true source over the flux of those, {band}", FOUND),
    "flux_found": ("true flux of found sources over that of all, {band}", FOUND),
    "blend_flux_median": ("median of (sum F - sum F_true) / sum F_true, blend by blend, {band}", BLENDS),
    "blend_flux_nmad": ("1.4826 median(|r - median r|) of the same", BLENDS),
}


def efficiency(blends: Blends) -> Float[np.ndarray, "T T"]:
    """Count blends by their number of true sources (column) and how many of them were found (row)."""
    counts = _counts(blends)
    return np.asarray(efficiency_matrix(counts.found, counts.true))


def confusion(blends: Blends) -> Float[np.ndarray, "2 2"]:
    """Count pairs by what the source is (row: galaxy, star) and is taken for (column), where both are known."""
    found, truth = blends.found, blends.truth
    return np.asarray(_confusion(found.star, truth.star, blends.match.true_index, found.present))


def numbers_of_blends(blends: Blends, band: int, resampling: Resampling) -> dict[str, Number]:
    """Compute all of `MEANINGS`, in the given band; what has no value is left out."""
    truth, found = blends.truth, blends.found
    columns = (
        *blends.match,
        found.present,
        truth.present,
        found.flux[..., band],
        truth.flux[..., band],
        found.star,
        truth.star,
        _surplus(blends, band),
        blends.failed,
    )
    n = len(blends.failed)
    binned = in_bins(_of_blends, columns, values=np.zeros(n), edges=ALL, **resampling._asdict())
    number = _counts(blends)
    kinds = confusion(blends)
    count = {DETECTIONS: number.detected, FOUND: number.found, BLENDS: np.ones(n, int)}
    count |= dict(zip((GALAXIES, STARS), kinds.sum(axis=1), strict=True))
    count |= dict(zip((AS_GALAXIES, AS_STARS), kinds.sum(axis=0), strict=True))
    numbers = {}
    for name, (_, of) in MEANINGS.items():
        value, error = binned.value[name], binned.error[name]
        if not np.isnan(value).all():
            error = error if n > 1 else np.full_like(value, np.nan)
            numbers[name] = Number(value, error, np.array([int(count[of].sum())]))
    return numbers


def _counts(blends: Blends):
    return count_matches(
        blends.match.true_index, blends.match.index, where=blends.found.present, true_where=blends.truth.present
    )


def _confusion(star: Any, true_star: Any, true_index: Any, where: Any) -> Float[Array, "2 2"]:
    star, true_star = jnp.asarray(star), jnp.asarray(true_star)
    known = where & ~jnp.isnan(star) & ~jnp.isnan(take_partners(true_star, true_index))
    return star_galaxy_confusion(star == 1, true_star == 1, true_index, where=known)


def _surplus(blends: Blends, band: int) -> Float[np.ndarray, " B"]:
    """Relative error of the flux of each blend, whoever has it; NaN of nothing."""
    size = max(blends.found.present.shape[1], blends.truth.present.shape[1])

    def slots(sources):
        flux = np.where(sources.present, sources.flux[..., band], 0.0)
        return np.pad(flux, ((0, 0), (0, size - flux.shape[1])))

    flux, true_flux = slots(blends.found), slots(blends.truth)
    somebody = (blends.found.present.any(axis=1) | blends.truth.present.any(axis=1))[:, None]
    return np.asarray(flux_conservation(flux, true_flux, where=np.broadcast_to(somebody, flux.shape))) - 1.0


def _of_blends(
    true_index: Array,
    index: Array,
    separation: Array,
    nearest_true: Array,
    nearest: Array,
    detected: Array,
    there: Array,
    flux: Array,
    true_flux: Array,
    star: Array,
    true_star: Array,
    surplus: Array,
    failed: Array,
    *,
    where: Any,
) -> dict[str, Array]:
    match = Match(true_index, index, separation, nearest_true, nearest)
    detected, there = detected & where[:, None], there & where[:, None]
    counts = count_matches(true_index, index, where=detected, true_where=there)
    kinds = _confusion(star, true_star, true_index, detected)
    completeness, purity = (jnp.diag(kinds) / kinds.sum(axis=axis) for axis in (1, 0))
    light = recovered_flux(flux, true_flux, true_index, where=detected, true_where=there)
    blend = residual_summary(surplus, where=where & ~jnp.isnan(surplus), limit=jnp.inf)
    return {
        "precision": precision(counts.matched, counts.detected),
        "f1": f1_score(*counts),
        "unrecognised_blends": unrecognised_blend_fraction(match, where=detected, true_where=there),
        "extra_detections": fragmentation(match, where=detected, true_where=there).extra,
        "failed_blends": (failed & where).sum() / where.sum(),
        "star_completeness": completeness[1],
        "galaxy_completeness": completeness[0],
        "star_purity": purity[1],
        "galaxy_purity": purity[0],
        "flux_of_all": light.total,
        "flux_of_pairs": light.matched,
        "flux_found": light.found,
        "blend_flux_median": blend.median,
        "blend_flux_nmad": blend.nmad,
    }
