"""The result for a whole image."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from jaxblend.forward.observation import Observation

if TYPE_CHECKING:
    from astropy.table import QTable, Table

__all__ = ["Scene"]


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """A deblended image.

    Attributes
    ----------
    observation
        What was given.
    catalog : QTable
        A row per source, with positions in pixels of the whole image and the number of its ``group``.
    model
        (C, H, W), the sum of all sources.
    images
        For each row of the catalogue the image (C, h, w) of that source alone, and the slices (y, x) of its stamp.
    groups
        (n,), number of the group with which each source was fitted.
    detections : Table
        What was detected before the first fit.
    """

    observation: Observation
    catalog: QTable
    model: Float[np.ndarray, "C H W"]
    images: list[tuple[Float[np.ndarray, "C _ _"], tuple[slice, slice]]]
    groups: Int[np.ndarray, " n"]
    detections: Table

    @property
    def residual(self) -> Float[np.ndarray, "C H W"]:
        """Data minus model."""
        return self.observation.image - self.model

    @property
    def segmentation(self) -> Int[np.ndarray, "H W"]:
        """Row of the catalogue plus 1 of the brightest source in each pixel; 0 where the model is below the noise.

        Brightness is in units of the noise, averaged over the bands.
        """
        root = np.sqrt(np.asarray(self.observation.weight))
        best = np.ones(self.observation.shape, np.float32)
        owner = np.zeros(self.observation.shape, int)
        for row, (image, (ys, xs)) in enumerate(self.images):
            brightness = (image * root[:, ys, xs]).sum(axis=0) / np.sqrt(len(image))
            wins = brightness > best[ys, xs]
            best[ys, xs] = np.where(wins, brightness, best[ys, xs])
            owner[ys, xs] = np.where(wins, row + 1, owner[ys, xs])
        return owner

    def __repr__(self) -> str:
        height, width = self.observation.shape
        n_groups = len(np.unique(self.groups))
        return f"Scene({len(self.catalog)} sources in {n_groups} groups, {width} x {height} pixels)"
