"""Pareto-smoothed importance sampling: k-hat says whether weights can be trusted.

Vehtari, Simpson, Gelman, Yao & Gabry (2024), J. Mach. Learn. Res. 25, 72; the Pareto fit after Zhang & Stephens (2009),
Technometrics 51, 316.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = ["effective_number", "k_hat", "smoothed"]

_PRIOR_K, _PRIOR_WEIGHT = 0.5, 10  # weakly towards 0.5, as the authors do


def k_hat(log_weights: Float[np.ndarray, " S"]) -> float:
    """Shape of the Pareto tail of the weights; above 0.7 their means cannot be trusted.

    Infinite where no draw has weight, minus infinity of even weights, and NaN for 20 draws or fewer, too few to tell.
    """
    return smoothed(log_weights)[1]


def smoothed(log_weights: Float[np.ndarray, " S"]) -> tuple[Float[np.ndarray, " S"], float]:
    """Log weights, normalised, with the largest replaced by quantiles of their Pareto tail; and k-hat.

    Draws of weight 0 (minus infinity) stay so; NaN counts as 0.
    """
    given = np.where(np.isnan(log_weights), -np.inf, np.asarray(log_weights, float))
    top = given.max(initial=-np.inf)
    if not np.isfinite(top):
        return np.full(given.shape, np.nan), np.inf
    shifted = given - top
    n_tail = int(np.ceil(min(0.2 * shifted.size, 3 * np.sqrt(shifted.size))))
    order = np.argsort(shifted)
    tail = order[-n_tail:]
    cut = max(shifted[order[-n_tail - 1]], np.log(np.finfo(float).tiny)) if n_tail < shifted.size else -np.inf
    excess = np.exp(shifted[tail]) - np.exp(cut)
    k = np.nan  # of fewer than 5
    if n_tail >= 5 and excess[-1] > 1e-12:
        k, sigma = _pareto(np.maximum(excess, 1e-12 * excess[-1]))  # ties with the cut have none
        quantiles = (np.arange(n_tail) + 0.5) / n_tail
        with np.errstate(over="ignore"):  # of a tail so heavy that all of it comes to the largest weight
            steps = -np.log1p(-quantiles) if abs(k) < 1e-9 else np.expm1(-k * np.log1p(-quantiles)) / k
        shifted[tail] = np.minimum(np.log(sigma * steps + np.exp(cut)), 0.0)
    elif n_tail >= 5:
        k = -np.inf  # even weights have no tail
    return shifted - np.logaddexp.reduce(shifted), float(k)


def effective_number(log_weights: Float[np.ndarray, " S"]) -> float:
    """Kish's effective number of draws, ``1 / sum(w^2)`` of normalised weights."""
    weights = np.exp(log_weights - np.logaddexp.reduce(log_weights))
    return float(1 / np.sum(weights**2))


def _pareto(excess: Float[np.ndarray, " m"]) -> tuple[float, float]:
    """Shape and scale of the generalised Pareto distribution of sorted excesses."""
    m = excess.size
    grid = 30 + int(np.sqrt(m))
    quarter = excess[int(m / 4 + 0.5) - 1]
    theta = 1 / excess[-1] + (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3 * max(quarter, 1e-300))
    shape = np.log1p(-theta[:, None] * excess).mean(1)
    profile = m * (np.log(-theta / shape) - shape - 1)
    weight = 1 / np.exp(np.clip(profile - profile[:, None], -700, 700)).sum(1)
    mean = np.sum(theta * weight) / np.sum(weight)
    k = np.log1p(-mean * excess).mean()
    return float((m * k + _PRIOR_K * _PRIOR_WEIGHT) / (m + _PRIOR_WEIGHT)), float(-k / mean)
