"""The result for a whole image."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from jaxblend.fitting.photons import sky_share
from jaxblend.forward.observation import Observation
from jaxblend.infer.summary import quantity_names

if TYPE_CHECKING:
    from astropy.table import QTable, Table

    from jaxblend.fitting import Fit

__all__ = ["Scene"]


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """A deblended image.

    Attributes
    ----------
    observation
        What was given.
    catalog : QTable
        A row per source, with positions in pixels of the whole image, the number of its ``group`` and the ``outcome``
        of that group's fit.
    model
        (C, H, W), the sum of all sources.
    images
        For each row of the catalogue the image (C, h, w) of that source alone, and the slices (y, x) of its stamp.
    groups
        (n,), number of the group with which each source was fitted.
    detections : Table
        What was detected before the first fit.
    fits : list of Fit
        The fit of each group: the source in row i of the catalogue is row ``rows[i]`` of ``fits[groups[i]]``.
        A fit is that of a cutout, from which the light of other groups was taken away; its positions are the cutout's.
    rows
        (n,), row of each source in the fit of its group.

    Notes
    -----
    A fit keeps its cutout and the padded copy that was fitted: 16 bytes per pixel and band, which is 0.1 MB for 32 x 32
    pixels in six bands and 0.4 MB for 64 x 64. ``dataclasses.replace(scene, fits=[])`` lets them go, and ``covariance``
    with them.
    """

    observation: Observation
    catalog: QTable
    model: Float[np.ndarray, "C H W"]
    images: list[tuple[Float[np.ndarray, "C _ _"], tuple[slice, slice]]]
    groups: Int[np.ndarray, " n"]
    detections: Table
    fits: list[Fit]
    rows: Int[np.ndarray, " n"]

    @property
    def quantity_names(self) -> tuple[str, ...]:
        """What ``covariance`` is of: u, v (arcsec), log_flux per band, radius (arcsec), g1, g2, bulge_fraction."""
        return quantity_names(self.observation.bands)

    def covariance(self, row: int | np.integer) -> Float[np.ndarray, "Q Q"]:
        """Laplace covariance of one source's quantities; other groups' models are taken as they are.

        Parameters
        ----------
        row
            Of the catalogue.

        Returns
        -------
        array
            (Q, Q), in the order of ``quantity_names``; NaN if the fit failed. How the source covaries with others of
            its group is in ``fits[groups[row]].covariance``.
        """
        fit, size = self.fits[self.groups[row]], len(self.quantity_names)
        block = slice(self.rows[row] * size, (self.rows[row] + 1) * size)
        return fit.covariance[block, block]

    @property
    def chi2(self) -> Float[np.ndarray, " C"]:
        """chi2 per usable pixel of the whole frame, in each band; NaN where a band is all masked."""
        weight = np.asarray(self.observation.weight, float)
        usable = weight > 0
        if self.observation.gain is not None:  # the weight is that of the sky alone
            weight = weight * sky_share(weight, self.model, self.observation.gain)
        chi2 = (np.where(usable, self.residual, 0.0) ** 2 * weight).sum(axis=(1, 2))
        pixels = usable.sum(axis=(1, 2))
        return np.where(pixels > 0, chi2 / np.maximum(pixels, 1), np.nan)

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
