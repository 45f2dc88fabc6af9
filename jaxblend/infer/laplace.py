"""The Laplace approximation: covariance and evidence from the curvature at the optimum. In float64, on the host."""

from __future__ import annotations

import numpy as np

__all__ = ["covariance", "log_evidence", "root", "root_and_log_evidence"]

_SMALLEST = 1e-7  # eigenvalue of a scaled Hessian that float32 sums can tell from 0


def covariance(hessian: np.ndarray) -> np.ndarray:
    """Inverse (n, n) of J^T J; the prior's rows in J make it positive definite."""
    half = root(hessian)
    return half @ half.T


def root(hessian: np.ndarray) -> np.ndarray:
    """A matrix (n, n) that carries N(0, 1) to the Laplace approximation about its centre."""
    return root_and_log_evidence(0.0, hessian)[0]


def log_evidence(objective: float, hessian: np.ndarray) -> float:
    """``ln Z`` of a blend up to the noise's normalisation: ``-F - ln det(H) / 2`` (the prior is N(0, 1))."""
    return root_and_log_evidence(objective, hessian)[1]


def root_and_log_evidence(objective: float, hessian: np.ndarray) -> tuple[np.ndarray, float]:
    """Both, at the price of one."""
    scale, values, vectors = _spectrum(np.asarray(hessian, np.float64))
    evidence = -float(objective) + float(np.log(scale).sum() - 0.5 * np.log(values).sum())
    return scale[:, None] * vectors / np.sqrt(values), evidence if np.isfinite(evidence) else -np.inf


def _spectrum(h):
    """Scale of the axes, and eigenvalues and vectors of the scaled matrix, as they are without rounding errors."""
    if not np.isfinite(h).all():
        return np.full(len(h), np.nan), np.full(len(h), np.nan), np.full_like(h, np.nan)
    # The prior puts 1 on the diagonal; sums in float32 may have taken more than that away.
    scale = 1 / np.sqrt(np.maximum(np.diagonal(h), 1.0))
    values, vectors = np.linalg.eigh(h * scale[:, None] * scale)
    return scale, np.maximum(values, _SMALLEST), vectors
