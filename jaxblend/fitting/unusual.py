"""Sources that the galaxy model or its prior does not describe."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import chi2

from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.forward.mix import latent_vectors

__all__ = ["latent_columns", "unusual"]

_CHI2 = 1.5  # per pixel under the source, if that is ...
_SIGMAS = 5.0  # ... so many standard deviations of noise above 1
_CHANCE = 1e-3  # that a galaxy of the prior has a latent vector so far out


def latent_columns(model: AbstractGalaxy, n_bands: int) -> list[np.ndarray]:
    """Which entries of ``u`` make up each latent vector of a model."""
    place = {name: 2 + n_bands + i for i, name in enumerate(model.shape_names)}
    return [np.array([place[name] for name in names]) for names, _ in latent_vectors(model)]


def unusual(
    chi2_per_pixel: Float[np.ndarray, " n"],
    pixels: Float[np.ndarray, " n"],
    u: Float[np.ndarray, "n D"],
    latents: list[np.ndarray],
) -> Bool[np.ndarray, " n"]:
    """Whether the light of a source is not that of its model, or its latent vector one that its prior hardly has.

    A flow carries N(0, 1) to the distribution of latent vectors: that density is high where ``u`` is short.
    """
    far = chi2_per_pixel > np.maximum(_CHI2, 1 + _SIGMAS * np.sqrt(2 / np.maximum(pixels, 1)))
    for columns in latents:
        far |= (u[:, columns] ** 2).sum(1) > chi2.isf(_CHANCE, len(columns))
    return far
