"""Correlated noise on the device: a stencil that turns residuals in units of their noise into white noise."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxblend.forward.vecchia import neighbourhood, whitening_coefficients

__all__ = ["Whitening", "power_at", "whiten"]


class Whitening(eqx.Module):
    """Noise that is correlated between pixels.

    ``coefficients`` are those of ``whiten``, which leave masked pixels out; ``correlation`` is 1 in the middle.
    """

    coefficients: Float[Any, "C J H W"]
    correlation: Float[Any, "C h w"]

    @classmethod
    def of(cls, correlation: Float[np.ndarray, "C h w"] | None, used: Bool[np.ndarray, "C H W"]) -> Whitening | None:
        """For the used pixels of an image; None, which costs nothing, for white noise."""
        if correlation is None:
            return None
        dtype = jnp.asarray(0.0, dtype=float).dtype
        return cls(whitening_coefficients(correlation, used, dtype), correlation.astype(dtype))


def whiten(z: Float[Array, "*n H W"], coefficients: Float[Any, "*C J H W"] | None) -> Float[Array, "*n H W"]:
    """White noise of variance 1 from residuals times the root of their weight; linear, so also columns of a Jacobian.

    The sum of its squares is the chi2 of ``z`` in Vecchia's approximation. White noise, None, passes as it is.

    Parameters
    ----------
    z
        (..., C, H, W), or (..., H, W) with the coefficients of one band; 0 at masked pixels.
    coefficients
        (C, J, H, W), or (J, H, W) of one band: see ``whitening_coefficients``.
    """
    if coefficients is None:
        return z
    radius = _radius(coefficients.shape[-3])
    height, width = z.shape[-2:]
    padded = jnp.pad(z, [(0, 0)] * (z.ndim - 2) + [(radius, 0), (radius, radius)])
    total = jnp.zeros((), z.dtype)
    for j, (y, x) in enumerate((neighbourhood(radius) + radius).tolist()):
        total = total + coefficients[..., j, :, :] * padded[..., y : y + height, x : x + width]
    return total


def power_at(correlation: Float[Array, "C h w"], ky: Float[np.ndarray, " M"], kx: Float[np.ndarray, " M"]):
    """(C, M): power spectrum of unit-variance noise, 1 if it is white, at wavenumbers in radians per pixel."""
    height, width = correlation.shape[-2:]
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    waves = np.cos(ky[:, None] * (y - height // 2) + kx[:, None] * (x - width // 2))
    return correlation.reshape(len(correlation), -1) @ jnp.asarray(waves.T, correlation.dtype)


def _radius(n_offsets: int) -> int:
    """Of a neighbourhood with 2 r (r + 1) + 1 offsets."""
    return round((np.sqrt(2 * n_offsets - 1) - 1) / 2)
