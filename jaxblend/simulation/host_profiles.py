"""The transforms of `jaxblend.forward.profiles` for NumPy arrays: what a few numbers on the host are computed with."""

from __future__ import annotations

from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxblend.forward import profiles

__all__ = ["blurred_peak", "de_vaucouleurs", "exponential"]


def exponential(k2: Float[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
    """See `jaxblend.forward.profiles.exponential`."""
    square = 1.0 + k2 * profiles.EXPONENTIAL_SCALE**2
    return 1.0 / (square * np.sqrt(square))


def de_vaucouleurs(k2: Float[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
    """`jaxblend.forward.profiles.de_vaucouleurs`, to 1e-5, from a table."""
    return np.interp(np.sqrt(k2), *_de_vaucouleurs_table())


def blurred_peak(
    profile, radius: Float[np.ndarray, "..."], width: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Compute the highest surface brightness of a round profile of flux 1 that is blurred by a Gaussian.

    Parameters
    ----------
    profile : callable
        Its transform: `exponential` or `de_vaucouleurs`.
    radius : (...) array
        Half-light radius, arcsec.
    width : (...) array
        Standard deviation of the Gaussian, arcsec.

    Returns
    -------
    (...) array
        Flux per square arcsec.
    """
    log_ratio, share = _peak_table(profile)
    of_point = np.interp(np.log(np.maximum(radius, 1e-9) / width), log_ratio, share)
    return of_point / (2.0 * np.pi * width**2)


@cache
def _peak_table(profile) -> tuple[np.ndarray, np.ndarray]:
    """Peak over that of a point, for logarithms of the half-light radius over the width of the Gaussian."""
    log_ratio, k = np.linspace(-7.0, 7.0, 141), np.linspace(0.0, 7.0, 1401)
    waves = profile((k * np.exp(log_ratio)[:, None]) ** 2) * np.exp(-0.5 * k**2) * k
    return log_ratio, waves.sum(axis=1) * (k[1] - k[0])


@cache
def _de_vaucouleurs_table() -> tuple[np.ndarray, np.ndarray]:
    k = np.concatenate([[0.0], np.geomspace(1e-3, 1e4, 2000)])
    return k, np.asarray(profiles.de_vaucouleurs(jnp.asarray(k) ** 2), float)
