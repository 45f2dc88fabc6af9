"""jaxblend's own methods behind the interface of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from jaxblend.compare.deblender import Deblended, Deblender
from jaxblend.fitting import fit
from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.frames import deblend
from jaxblend.priors import Population, Prior

__all__ = ["Jaxblend"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Jaxblend(Deblender):
    """`jaxblend.fit` where positions are given, else `jaxblend.deblend`; the catalogue is theirs, flags included.

    Attributes
    ----------
    model, prior, population
        As for `jaxblend.fit`.
    """

    name: ClassVar[str] = "jaxblend"
    uses_positions: ClassVar[bool] = True
    model: AbstractGalaxy | None = None
    prior: Prior | None = None
    population: Population | None = None

    def separate(self, observation, positions):
        """Fit all sources together, or detect, group and fit."""
        options = {"model": self.model, "prior": self.prior, "population": self.population}
        catalog: Any
        if positions is not None:
            result = fit(observation, positions, **options)
            catalog, images = result.catalog, result.images
        else:
            scene = deblend(observation, **options)
            catalog, images = scene.catalog, _on_the_image(scene)
        catalog.meta["deblender"] = self.name
        return Deblended(self.name, images, catalog)


def _on_the_image(scene) -> np.ndarray:
    """Images (n, C, H, W) of a scene's sources from those of their stamps."""
    images = np.zeros((len(scene.images), *scene.observation.image.shape), np.float32)
    for i, (image, (ys, xs)) in enumerate(scene.images):
        images[i, :, ys, xs] = image
    return images
