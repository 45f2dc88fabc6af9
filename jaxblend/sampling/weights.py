"""Draws of chains in proportion to weights."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Float

from jaxblend.sampling.compute import Drawn

__all__ = ["finite_or_none", "resampled"]


def finite_or_none(log_weights: Float[np.ndarray, "*S"]) -> Float[np.ndarray, " n"]:
    """In one row; what is no number weighs nothing, and where all weigh nothing they are equal."""
    flat = np.where(np.isfinite(log_weights), np.asarray(log_weights, float), -np.inf).reshape(-1)
    return flat if np.isfinite(flat).any() else np.zeros(flat.size)


def resampled(drawn: Drawn, log_weights: Float[np.ndarray, "chains S"]) -> Drawn:
    """As many draws as there were, each as often as it weighs, in one chain: they are those of none any more.

    Systematic resampling from the middle of the first share; draws of equal weights stay what they were.
    """
    flat = finite_or_none(log_weights)
    if np.ptp(flat) == 0:
        return drawn
    upto = np.cumsum(np.exp(flat - flat.max()))
    places = (np.arange(flat.size) + 0.5) / flat.size * upto[-1]
    chosen = np.minimum(np.searchsorted(upto, places), flat.size - 1)

    def taken(values):
        return values.reshape(-1, *values.shape[2:])[chosen][None]

    def kept(d):
        return d.u, d.quantities, d.run[0].diverging

    return eqx.tree_at(kept, drawn, tuple(map(taken, kept(drawn))))
