"""Sources that the galaxy model or its prior does not describe."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import chi2

from jaxblend.forward.galaxies import AbstractGalaxy, AbstractLatentGalaxy
from jaxblend.forward.mix import Mix

__all__ = ["latent_columns", "unusual"]

_CHI2 = 1.5  # per pixel under the source: five standard deviations for 200 pixels in all bands
_CHANCE = 1e-3  # that a galaxy of the prior has a latent vector so far out


def latent_columns(model: AbstractGalaxy, names: tuple[str, ...]) -> list[np.ndarray]:
    """Which entries of ``u`` make up each latent vector of a model."""
    if isinstance(model, Mix):
        vectors = [own for own, _ in model.latents]
    else:
        vectors = [model.latent_names] if isinstance(model, AbstractLatentGalaxy) else []
    return [np.array([names.index(name) for name in vector]) for vector in vectors]


def unusual(
    source_chi2: Float[np.ndarray, " n"], u: Float[np.ndarray, "n D"], latents: list[np.ndarray]
) -> Bool[np.ndarray, " n"]:
    """Whether the light of a source is not that of its model, or its latent vector one that its prior hardly has.

    A flow carries N(0, 1) to the distribution of latent vectors: that density is high where ``u`` is short.
    """
    far = source_chi2 > _CHI2
    for columns in latents:
        far |= (u[:, columns] ** 2).sum(1) > chi2.isf(_CHANCE, len(columns))
    return far
