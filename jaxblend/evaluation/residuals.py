"""Errors of the catalogue: a number or several for every true source, NaN where there is nothing to compare."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxblend.evaluation.blends import Blends
from jaxblend.metrics.catalog import neighbour_separation
from jaxblend.metrics.matching import take_partners
from jaxblend.metrics.photometry import colour_residual, flux_residual, magnitude_residual
from jaxblend.metrics.shape import ellipticity_residual, size_residual
from jaxblend.metrics.unrecognised import detections_per_source

__all__ = ["catalog_residuals", "found_by", "neighbours"]


def neighbours(blends: Blends, pixel_scales: np.ndarray) -> np.ndarray:
    """Arcsec from each true source (B, M) to the nearest other one; infinite for a source alone."""
    truth = blends.truth
    return neighbour_separation(truth.position * pixel_scales[:, None, None], where=truth.present)


def found_by(blends: Blends) -> dict[str, np.ndarray]:
    """Who found each true source (B, M), how far away, and how many say that they did."""
    found, index = blends.match.index >= 0, blends.match.index
    return {
        "found": found,
        "detection": index,
        "offset": _of_partner(blends.match.separation, index),
        "n_detections": np.asarray(detections_per_source(blends.match, where=blends.found.present)),
        "flagged": np.asarray(take_partners(blends.found.flagged, index, fill_value=False)),
        "found_star": _of_partner(blends.found.star, index),
        "found_snr": _of_partner(blends.found.snr, index),
    }


def catalog_residuals(blends: Blends, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Errors of fluxes, magnitudes, colours, ellipticities and sizes of found sources, (B, M) each.

    Shapes are compared where both sides have a galaxy; a source of unknown kind is taken for one.
    """
    return _photometry(blends, names) | _shapes(blends)


def _photometry(blends: Blends, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    flux, true_flux = _of_partner(blends.found.flux, blends.match.index), blends.truth.flux
    found = (blends.match.index >= 0)[..., None] & np.ones(len(names), bool)
    columns = {}
    for kind, values in (("true_flux", true_flux), ("found_flux", flux)):
        columns |= {f"{kind}_{name}": values[..., c] for c, name in enumerate(names)}
    for kind, residual in (("flux", flux_residual), ("magnitude", magnitude_residual)):
        errors = np.asarray(residual(flux, true_flux, where=found))
        columns |= {f"{kind}_residual_{name}": errors[..., c] for c, name in enumerate(names)}
    if len(names) > 1:
        errors = np.asarray(colour_residual(flux, true_flux, where=found))
        columns |= {f"colour_residual_{a}_{b}": errors[..., c] for c, (a, b) in enumerate(pairwise(names))}
    return columns


def _shapes(blends: Blends) -> dict[str, np.ndarray]:
    truth, index = blends.truth, blends.match.index
    g, radius = (_of_partner(values, index) for values in (blends.found.g, blends.found.radius))
    star = (truth.star == 1) | (_of_partner(blends.found.star, index) == 1)
    shaped = ~star & np.isfinite(g).all(axis=-1) & np.isfinite(truth.g).all(axis=-1)
    sized = ~star & np.isfinite(radius) & np.isfinite(truth.radius)
    error = np.asarray(ellipticity_residual(g, truth.g, where=shaped))
    columns = {}
    for kind, values in (("true", truth.g), ("found", np.where(star[..., None], np.nan, g)), ("residual", error)):
        for i in range(2):
            columns[f"g{i + 1}_residual" if kind == "residual" else f"{kind}_g{i + 1}"] = values[..., i]
    return columns | {"size_residual": np.asarray(size_residual(radius, truth.radius, where=sized))}


def _of_partner(values: Any, index: np.ndarray) -> np.ndarray:
    return np.asarray(take_partners(jnp.asarray(values), index))
