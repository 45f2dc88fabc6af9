"""What a whole catalogue tells: how many of its sources are blended, and how much of the light it holds."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float
from scipy.spatial import KDTree

from jaxblend.metrics.checks import alike, mask, real
from jaxblend.metrics.detection import with_partner
from jaxblend.metrics.matching import planar, take_partners

__all__ = ["RecoveredFlux", "blend_fraction", "neighbour_separation", "recovered_flux"]


class RecoveredFlux(NamedTuple):
    """Sums of flux over a catalogue, as ratios; one number per band where fluxes have bands, NaN over nothing.

    Attributes
    ----------
    total
        Flux of all detections over that of all true sources: light that false detections hold makes up for light
        that missed sources lack.
    matched
        Flux of detections with a partner over the true flux of their partners.
    found
        True flux of the partners over that of all true sources: completeness, weighted by flux.
    """

    total: Float[Any, "*C"]
    matched: Float[Any, "*C"]
    found: Float[Any, "*C"]


def blend_fraction(
    values: Any, *, above: float | None = None, below: float | None = None, where: Any = None
) -> Float[Array, ""]:
    """Share of sources whose blendedness is above a limit, or whose nearest neighbour is nearer than one.

    There are as many blend fractions as there are ways to call a source blended: state the measure and the limit. In
    LSST's full depth, for example, about 62 % of the galaxies likely to be detected have 1 % or more of the flux in
    their pixels from others: the measure is that work's purity (`jaxblend.metrics.blendedness.purity`), the limit
    0.01 of one minus it.

    Parameters
    ----------
    values : array
        Blendedness of each source, or separation of its nearest neighbour (`neighbour_separation`; infinite is
        allowed).
    above, below : float
        The limit, one of the two; itself not blended.
    where : booleans, optional
        Sources that count.

    Returns
    -------
    scalar
        Between 0 and 1; NaN without sources.

    Raises
    ------
    ValueError
        If there is not one limit, or outside ``jax.jit`` if a value that counts is NaN.

    References
    ----------
    Sanchez, Mendoza, Kirkby & Burchat 2021, arXiv:2103.02078 (the 62 %).
    """
    if (above is None) == (below is None):
        raise ValueError(f"give one limit, above= for blendedness or below= for separations; got {above} and {below}")
    values = real("values", values)
    where = mask(where, values.shape)
    missing = where & jnp.isnan(values)
    if not isinstance(missing, Tracer) and missing.any():
        raise ValueError(
            f"values is NaN for {int(missing.sum())} of {int(where.sum())} sources that count: leave them out with "
            "where=, and report how many those were"
        )
    blended = values > above if below is None else values < below
    return (where & blended).sum() / where.sum()


def neighbour_separation(positions: Any, *, where: Any = None) -> Float[np.ndarray, "*B N"]:
    """Measure how far the nearest other source of the same blend is.

    Parameters
    ----------
    positions : (..., N, 2) array
        x and y, in any unit in which distances are Euclidean. NumPy: not inside ``jax.jit``.
    where : (..., N) booleans, optional
        Sources that count; the others are nobody's neighbours.

    Returns
    -------
    (..., N) array
        In that unit. Infinite for a source alone; NaN where a source does not count.

    Raises
    ------
    ValueError
        If the shape is wrong, or a position that counts is not finite.
    TypeError
        Inside ``jax.jit``.
    """
    positions, where = planar("positions", positions, where)
    separation = np.full(where.shape, np.nan)
    for blend in np.ndindex(where.shape[:-1]):
        here = positions[blend][where[blend]]
        separation[blend][where[blend]] = np.asarray(KDTree(here).query(here, k=2)[0])[:, 1]
    return separation


def recovered_flux(
    flux: Any, true_flux: Any, true_index: Any, *, where: Any = None, true_where: Any = None
) -> RecoveredFlux:
    """Compare sums of flux: of all detections and true sources, and of those with a partner.

    The definitions are our own.

    Parameters
    ----------
    flux : (..., N) or (..., N, C) array
        Of the detections, in one band or several.
    true_flux : (..., M) or (..., M, C) array
        Of the true sources, in the same unit.
    true_index : (..., N) integers
        Partner of each detection, -1 for none (`Match.true_index`).
    where, true_where : (..., N) and (..., M) booleans, optional
        Detections and true sources that count; a pair counts if both do.

    Returns
    -------
    RecoveredFlux
        Three ratios, of all blends together.

    Raises
    ------
    ValueError
        If shapes do not match, or outside ``jax.jit`` if a flux that counts is not finite.
    """
    detected, paired = with_partner("true_index", true_index, where)
    axis = detected.ndim - 1
    if np.shape(flux)[: axis + 1] != detected.shape:
        raise ValueError(f"flux must have one row for each of true_index, {detected.shape}, got shape {np.shape(flux)}")
    flux, _ = _fluxes("flux", flux, detected, axis)
    true_flux, true = _fluxes("true_flux", true_flux, true_where, axis)
    partner_flux = take_partners(true_flux, true_index, fill_value=0.0)
    paired = paired & take_partners(true, true_index, fill_value=False)
    if flux.shape != partner_flux.shape:
        raise ValueError(
            f"flux and true_flux must have the same blends and bands; got shapes {flux.shape} and {true_flux.shape}"
        )
    pair = _in_bands(paired, flux)
    everyone = tuple(range(axis + 1))
    all_flux, all_true, pair_flux, pair_true = (
        values.sum(axis=everyone)
        for values in (flux, true_flux, jnp.where(pair, flux, 0.0), jnp.where(pair, partner_flux, 0.0))
    )
    return RecoveredFlux(total=all_flux / all_true, matched=pair_flux / pair_true, found=pair_true / all_true)


def _fluxes(name: str, flux: Any, where: Any, axis: int) -> tuple[Float[Array, "..."], Bool[Array, "..."]]:
    """Fluxes, 0 where they do not count, and what counts."""
    flux = real(name, flux)
    where = mask(where, flux.shape[: axis + 1])
    return alike(_in_bands(where, flux), **{name: flux})[0], where


def _in_bands(where: Array, flux: Array) -> Array:
    return where.reshape(where.shape + (1,) * (flux.ndim - where.ndim))
