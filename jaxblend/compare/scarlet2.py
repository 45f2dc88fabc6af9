"""scarlet2 in the way its quick-start guide runs it: free-form images times spectra, fitted with Adam."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

import numpy as np

from jaxblend.compare.catalog import make_catalog
from jaxblend.compare.deblender import Deblended, Deblender, detected_positions
from jaxblend.compare.optional import require
from jaxblend.compare.scarlet2_scene import INSTALL, MIN_CORRELATION, declare, match, quiet, source_images, start
from jaxblend.forward.psf_images import effective_psf

__all__ = ["Scarlet2"]


@dataclass(frozen=True, kw_only=True)
class Scarlet2(Deblender):
    """scarlet2 with the steps, constraints and stopping rule of its quick-start guide.

    Sources whose positions are not given are those that `jaxblend.detect` finds. Centres stay where they are, fluxes
    are those of the model in its box, and there are no errors. A source beyond the centres of the outermost pixels
    cannot be modelled and has no light. Every call compiles anew, which is most of its time.

    Attributes
    ----------
    max_steps, tolerance
        Largest number of steps, and the relative change of all parameters at which to stop.
    min_correlation
        A source's box grows while its edge has the colours of its centre to this correlation.
    psf_size
        Most pixels along a side of the image of the PSF.

    References
    ----------
    Melchior et al., https://github.com/pmelchior/scarlet2; Sampson et al. 2024, Astronomy and Computing 49, 100875.
    """

    name: ClassVar[str] = "scarlet2"
    uses_positions: ClassVar[bool] = True
    max_steps: int = 1000
    tolerance: float = 1e-4
    min_correlation: float = MIN_CORRELATION
    psf_size: int = 63

    def separate(self, observation, positions):
        """Fit all sources together."""
        scarlet2 = require("scarlet2", install=INSTALL)
        if positions is None:
            positions = detected_positions(observation)
        positions = np.asarray(positions, float)
        images = np.zeros((len(positions), *observation.image.shape), np.float32)
        fluxes, centers = np.zeros((len(positions), observation.n_bands)), positions.copy()
        height, width = observation.shape
        inside = ((positions >= 0) & (positions <= (width - 1, height - 1))).all(1)
        if inside.any():
            images[inside], fluxes[inside], centers[inside] = self._fit(scarlet2, observation, positions[inside])
        catalog = make_catalog(observation, centers, fluxes, name=self.name, version=version("scarlet2"))
        return Deblended(self.name, images, catalog)

    def _fit(self, scarlet2, observation, positions):
        """Images (n, C, H, W), fluxes (n, C) and centres (n, 2)."""
        psfs = effective_psf(observation, self.psf_size)
        with quiet(scarlet2):
            seen, frame = match(scarlet2, observation.image, observation.weight, psfs, observation.bands)
            scene = start(scarlet2, frame, seen, positions, min_correlation=self.min_correlation)
            declare(scarlet2, scene)
            scene = scene.fit(seen, max_iter=self.max_steps, e_rel=self.tolerance, progress_bar=False)
            fluxes = np.stack([np.asarray(scarlet2.measure.flux(source)) for source in scene.sources])
            centers = np.stack([np.asarray(source.center, float)[::-1] for source in scene.sources])
            return source_images(seen, scene), fluxes, centers
