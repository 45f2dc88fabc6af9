"""How many independent draws a set of draws is worth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

__all__ = ["effective_from_ancestors", "evidence_error", "of_chains"]


def effective_from_ancestors(values: Float[np.ndarray, "S n Q"], ancestor: Int[np.ndarray, " S"]) -> float:
    """Effective number of draws of the worst quantity of resampled draws, from what descends from one and the same.

    The variance of a mean is that of the sums over families (Lee & Whiteley 2018, Biometrika 105, 609): draws that
    have not moved away from their siblings count once.
    """
    flat = np.asarray(values, float).reshape(len(values), -1)
    if not np.isfinite(flat).all():
        return 0.0
    apart = flat - flat.mean(0)
    families = np.zeros_like(apart)
    np.add.at(families, ancestor, apart)
    with np.errstate(invalid="ignore", divide="ignore"):
        numbers = len(flat) * (apart**2).sum(0) / (families**2).sum(0)
    # Sums are about the mean of the few families themselves, which takes one of them away.
    left = len(np.unique(ancestor))
    if left == 1:
        return 1.0
    numbers = numbers * (left - 1) / left
    varies = apart.std(0) > 1e-6 * np.maximum(np.abs(flat).max(0), 1e-30)
    return float(min(np.min(numbers, where=varies & np.isfinite(numbers), initial=np.inf), len(flat)))


def evidence_error(ancestor: Int[np.ndarray, " S"], resamplings: int) -> float:
    """Standard error of ln Z of draws that were resampled so many times, from how they descend from the first.

    Eq. 10 of Lee & Whiteley (2018), for resampling without a pattern: that in a pattern, as ours, scatters less.
    Infinite if all descend from one.
    """
    n = len(ancestor)
    shares = np.bincount(ancestor, minlength=n) / n
    if shares.max() == 1:
        return np.inf
    relative_variance = 1 - (n / (n - 1)) ** (resamplings + 1) * (1 - np.sum(shares**2))
    return float(np.sqrt(max(relative_variance, 1 / n)))


def of_chains(values: Float[np.ndarray, "chains S n Q"]) -> dict[str, float]:
    """Effective draws and split R-hat of the worst quantity (Gelman et al. 2013, Bayesian Data Analysis, 11.4)."""
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    flat = np.asarray(values, float).reshape(*values.shape[:2], -1)
    if not np.isfinite(flat).all():
        return {"effective_draws": 0.0, "r_hat": np.inf}
    flat = flat[..., flat.std((0, 1)) > 1e-6 * np.maximum(np.abs(flat).max((0, 1)), 1e-30)]
    if flat.shape[1] < 4 or flat.shape[-1] == 0:
        return {"effective_draws": np.nan, "r_hat": np.nan}
    number = np.array([effective_sample_size(flat[..., i]) for i in range(flat.shape[-1])])
    scatter = np.array([split_gelman_rubin(flat[..., i]) for i in range(flat.shape[-1])])
    return {"effective_draws": float(np.min(number)), "r_hat": float(np.max(scatter))}
