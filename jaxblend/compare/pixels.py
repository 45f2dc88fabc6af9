"""Pixels in the form that compiled packages want, and pixels assigned to sources."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxblend.forward.observation import Observation

__all__ = ["Pixels", "assigned_images", "pixels_of"]


class Pixels(NamedTuple):
    """All bands of an observation in native float64: ``image``, its ``noise`` (1 where masked) and what is ``masked``.

    ``gain`` is photons per unit of flux where the noise is that of the sky alone, else None.
    """

    image: Float[np.ndarray, "C H W"]
    noise: Float[np.ndarray, "C H W"]
    masked: Bool[np.ndarray, "C H W"]
    gain: Float[np.ndarray, " C"] | None

    @property
    def total_noise(self) -> Float[np.ndarray, "C H W"]:
        """``noise``, with the photon noise of the observed light where the weight lacks it."""
        if self.gain is None:
            return self.noise
        return np.sqrt(self.noise**2 + np.maximum(self.image, 0.0) / self.gain[:, None, None])


def pixels_of(observation: Observation) -> Pixels:
    """Take the pixels of an observation; masked ones are 0."""
    weight = np.asarray(observation.weight, float)
    masked = ~(weight > 0)
    noise = 1 / np.sqrt(np.where(masked, 1.0, weight))
    image = np.where(masked, 0.0, np.asarray(observation.image, float))
    return Pixels(*(np.ascontiguousarray(a) for a in (image, noise, masked)), gain=observation.gain)


def assigned_images(
    observation: Observation, segments: Int[np.ndarray, "H W"], labels: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n C H W"]:
    """Give each source the observed pixels that carry its label, and 0 elsewhere; masked pixels are nobody's."""
    image = pixels_of(observation).image.astype(np.float32)
    return np.where(segments == labels[:, None, None, None], image, np.float32(0))
