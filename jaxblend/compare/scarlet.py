"""scarlet, the first, by the calls that the Blending ToolKit 1.0.9 makes of it.

It has to be built from source, which the tests do not: they run a stand-in with the interface that these calls need.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import ClassVar

import numpy as np

from jaxblend.compare.catalog import make_catalog
from jaxblend.compare.deblender import Deblended, Deblender, detected_positions
from jaxblend.forward.psf_images import effective_psf

__all__ = ["Scarlet"]

_NEEDED = ("Blend", "Frame", "GaussianPSF", "ImagePSF", "Observation", "initialization", "measure")
_INSTALL = (
    "build it from source with a C++ compiler, pip install git+https://github.com/pmelchior/scarlet "
    "(the package of that name on PyPI is another)"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Scarlet(Deblender):
    """scarlet: free-form images, monotonic about their centres, times spectra; one or two of them a source.

    The settings are the Blending ToolKit's. Sources whose positions are not given are those that `jaxblend.detect`
    finds. Fluxes are those of the model in its box, without errors. ``flags`` is 1 where scarlet could not start a
    source, or where two sources in one pixel left it without a solution: image and flux are then 0.

    Attributes
    ----------
    max_components, min_snr
        Most components in a source, and the S/N that each needs.
    threshold
        Noise of the background at which a source ends at the start.
    model_sigma
        Of the Gaussian to which the model is deconvolved, in pixels.
    max_steps, tolerance
        Largest number of steps, and the relative change of the likelihood at which to stop.
    psf_size
        Most pixels along a side of the image of the PSF.

    References
    ----------
    Melchior et al. 2018, Astronomy and Computing 24, 129. Mendoza et al. 2025, Open J. Astrophys. 8,
    doi:10.33232/001c.129699 (the Blending ToolKit).
    """

    name: ClassVar[str] = "scarlet"
    uses_positions: ClassVar[bool] = True
    max_components: int = 2
    min_snr: float = 50.0
    threshold: float = 1.0
    model_sigma: float = 0.6
    max_steps: int = 200
    tolerance: float = 1e-5
    psf_size: int = 63

    def separate(self, observation, positions):
        """Start and fit all sources together."""
        scarlet = _import()
        if positions is None:
            positions = detected_positions(observation)
        n = len(positions)
        images = np.zeros((n, *observation.image.shape), np.float32)
        fluxes, places, flags = np.zeros((n, observation.n_bands)), np.array(positions), np.ones(n, int)
        frame, seen = self._match(scarlet, observation)
        for i, source in self._fit(scarlet, frame, seen, positions).items():
            images[i] = seen.render(source.get_model(frame=frame))
            fluxes[i], places[i], flags[i] = scarlet.measure.flux(source), source.center[::-1], 0
        catalog = make_catalog(
            observation,
            places,
            fluxes,
            name=self.name,
            version=str(getattr(scarlet, "__version__", "")),
            columns={"flags": flags},
        )
        return Deblended(self.name, images, catalog)

    def _match(self, scarlet, observation):
        """Model frame and observation."""
        bands = list(observation.bands)
        psf = scarlet.GaussianPSF(sigma=(self.model_sigma,) * len(bands))
        frame = scarlet.Frame(observation.image.shape, psf=psf, channels=bands)
        seen = scarlet.Observation(
            np.asarray(observation.image),
            psf=scarlet.ImagePSF(effective_psf(observation, self.psf_size)),
            weights=np.asarray(observation.weight),
            channels=bands,
        )
        return frame, seen.match(frame)

    def _fit(self, scarlet, frame, seen, positions):
        """Fitted sources by their row; without those that could not be started."""
        if not len(positions):
            return {}
        try:
            sources, skipped = scarlet.initialization.init_all_sources(
                frame,
                [(y, x) for x, y in positions],
                seen,
                max_components=self.max_components,
                min_snr=self.min_snr,
                thresh=self.threshold,
                fallback=True,
                silent=True,
                set_spectra=True,
            )
        except np.linalg.LinAlgError as error:
            _log.warning("scarlet could not start any of %d sources: %s", len(positions), error)
            return {}
        if sources:
            scarlet.Blend(sources, seen).fit(self.max_steps, e_rel=self.tolerance)
        rows = [i for i in range(len(positions)) if i not in set(skipped)]
        return dict(zip(rows, sources, strict=True))


def _import() -> ModuleType:
    """Import scarlet, and make sure that it is the one."""
    try:
        scarlet = import_module("scarlet")
    except ImportError as error:
        raise ImportError(f"scarlet is needed for this deblender ({error}): {_INSTALL}") from error
    if not all(hasattr(scarlet, name) for name in _NEEDED):
        raise ImportError(
            f"the module scarlet at {getattr(scarlet, '__file__', 'an unknown place')} is not the deblender: {_INSTALL}"
        )
    return scarlet
