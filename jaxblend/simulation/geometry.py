"""Rotation and shear of shapes and places."""

from __future__ import annotations

import numpy as np

__all__ = ["rotate_shapes", "rotation_matrix", "shear_matrix", "shear_shapes"]


def rotate_shapes(g: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Turn ellipses of reduced shears (n, 2) by angles (n,), radians from x towards y."""
    return _pairs(_complex(g) * np.exp(2j * np.asarray(angle)))


def shear_shapes(g: np.ndarray, shear: np.ndarray) -> np.ndarray:
    """Shear ellipses of reduced shears (n, 2) by a reduced shear (2,).

    ``(e + g) / (1 + conj(g) e)`` for shapes e and a shear g: Seitz & Schneider 1997, A&A 318, 687.
    """
    e, gamma = _complex(g), complex(*shear)
    with np.errstate(invalid="ignore"):  # NaN, the shape of what has none, stays NaN
        return _pairs((e + gamma) / (1.0 + np.conj(gamma) * e))


def rotation_matrix(angle: np.ndarray) -> np.ndarray:
    """Compute the matrices (..., 2, 2) that turn by angles (...), radians from x towards y."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)


def shear_matrix(shear: np.ndarray) -> np.ndarray:
    """Compute the matrix (2, 2), of determinant 1, of a reduced shear (2,): GalSim's, which conserves area."""
    g1, g2 = np.asarray(shear, float)
    return np.array([[1.0 + g1, g2], [g2, 1.0 - g1]]) / np.sqrt(1.0 - g1**2 - g2**2)


def _complex(g: np.ndarray) -> np.ndarray:
    return g[..., 0] + 1j * g[..., 1]


def _pairs(g: np.ndarray) -> np.ndarray:
    return np.stack([np.real(g), np.imag(g)], axis=-1)
