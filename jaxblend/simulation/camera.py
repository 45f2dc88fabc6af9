"""How one survey sees a scene: its PSFs, the variance of its noise, and what an observation is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AbstractPSF
from jaxblend.simulation import streams
from jaxblend.simulation.options import ObservingOptions
from jaxblend.simulation.psf import observation_psf, survey_psfs
from jaxblend.simulation.streams import Streams
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.varying_psf import VaryingPSF

if TYPE_CHECKING:
    import galsim

__all__ = ["Camera"]


@dataclass(frozen=True, eq=False)
class Camera:
    """What the images of all blends of a run have in common; made by `Camera.of`.

    Attributes
    ----------
    survey : Survey
        What observes.
    options : ObservingOptions
        As given.
    psf : str, GalSim object, one per band, or None
        As in `jaxblend.simulation.psf.survey_psfs`.
    psfs : tuple of GalSim objects
        One per band, without the pixel.
    """

    survey: Survey
    options: ObservingOptions
    psf: str | galsim.GSObject | Sequence[galsim.GSObject] | None
    psfs: tuple[galsim.GSObject, ...]

    @classmethod
    def of(cls, survey: Survey, options: ObservingOptions) -> Camera:
        """Make the camera of a survey; where the PSF varies, with the one that it varies about."""
        return cls(survey, options, options.typical_psf, survey_psfs(survey, options.typical_psf))

    def for_blend(self, random: Streams) -> Camera:
        """Draw the PSF of the blend that has these streams, where it varies."""
        psf = self.options.psf
        if isinstance(psf, VaryingPSF):
            drawn = psf.draw(random.generator(streams.PSF), self.survey)
        elif callable(psf):
            drawn = psf(random.generator(streams.PSF))
        else:
            return self
        return Camera(self.survey, self.options, drawn, survey_psfs(self.survey, drawn))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a stamp, pixels."""
        return self.options.stamp_size, self.options.stamp_size

    def positions(self, offsets: np.ndarray) -> np.ndarray:
        """Compute pixel x, y (n, 2) of places (n, 2), arcsec along x and y from the stamp centre."""
        return offsets / self.survey.pixel_scale + 0.5 * (self.options.stamp_size - 1)

    def variance(self, model: np.ndarray) -> np.ndarray:
        """Compute the variance (C, H, W) that the weight of an image (C, H, W) of this light is made of."""
        sky = self.survey.sky_level[:, None, None].astype(model.dtype)
        if self.options.variance_kind == "sky":
            return np.broadcast_to(sky, model.shape)
        return sky + np.maximum(model, 0.0)

    def weight(self, variance: np.ndarray) -> np.ndarray:
        """Compute the weight (C, H, W) of a `variance`."""
        if self.options.variance_kind == "sky":
            return np.broadcast_to(1.0 / self.survey.sky_level[:, None, None], variance.shape)
        return 1.0 / variance

    def observation(self, image: np.ndarray, weight: np.ndarray) -> Observation:
        """Make the observation of an image (C, H, W) with a weight (C, H, W)."""
        image, weight = image.astype(np.float32), weight.astype(np.float32)
        if self.options.artefacts is None:
            return self.blank.replace(image=image, weight=weight)
        return _observation(image, weight, self, self.blank.psf)  # checks what is left

    @cached_property
    def blank(self) -> Observation:
        """Empty sky: its PSF, its Fourier grid and its weight serve the observations of all blends."""
        pixels = np.zeros((len(self.survey.bands), *self.shape))
        return _observation(pixels, self.weight(self.variance(pixels)), self, observation_psf(self.survey, self.psf))


def _observation(image: np.ndarray, weight: np.ndarray, camera: Camera, psf: AbstractPSF) -> Observation:
    survey = camera.survey
    return Observation(
        image,
        weight,
        psf,
        pixel_scale=survey.pixel_scale,
        bands=survey.bands,
        zero_point=survey.zero_point,
        survey=survey.name,
        noise_correlation=camera.options.noise_correlation,
    )
