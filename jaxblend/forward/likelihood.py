"""The Gaussian likelihood of an image: residuals of the model, in units of the noise and white."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxblend.forward.frame import Frame
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AbstractPSF
from jaxblend.forward.render import render
from jaxblend.forward.scene import Sources
from jaxblend.forward.whitening import Whitening, whiten

__all__ = ["Exposure", "weighted_residual"]


class Exposure(eqx.Module):
    """An observation as arrays on the device: what a likelihood needs and nothing more.

    ``whitening`` is None for white noise.
    """

    image: Float[Array, "C H W"]
    root_weight: Float[Array, "C H W"]
    transfer: Complex[Array, "*K C Ky Kx"]
    frame: Frame
    whitening: Whitening | None = None

    @classmethod
    def of(cls, observation: Observation) -> Exposure:
        """Image, square root of the weight and transfer function of an observation."""
        image, weight = (jnp.asarray(a, dtype=float) for a in (observation.image, observation.weight))
        whitening = Whitening.of(observation.noise_correlation, observation.weight > 0)
        return cls.through(observation.psf, image, jnp.sqrt(weight), observation.frame, whitening=whitening)

    @classmethod
    def through(
        cls,
        psf: AbstractPSF,
        image,
        root_weight,
        frame: Frame,
        scale: Any = 1.0,
        whitening: Whitening | None = None,
    ) -> Exposure:
        """Arrays of an image seen through a PSF; one PSF may serve every band.

        ``scale`` is what one unit of flux is in units of the image, one number or (C,).
        """
        transfer = psf.transfer(frame)
        bands = (*transfer.shape[:-3], image.shape[0], *transfer.shape[-2:])
        scale = jnp.asarray(scale, image.dtype)[..., None, None]
        return cls(image, root_weight, jnp.broadcast_to(transfer * scale, bands), frame, whitening)

    @property
    def coefficients(self) -> Float[Array, "C J H W"] | None:
        """Those of ``whiten``."""
        return None if self.whitening is None else self.whitening.coefficients

    def whitened(self, pixels: Float[Array, "*n C H W"]) -> Float[Array, "*n C H W"]:
        """Pixels, or derivatives of them, in units in which the noise is white and of variance 1; 0 where masked."""
        return whiten(pixels * self.root_weight, self.coefficients)


def weighted_residual(sources: Sources, exposure: Exposure) -> Float[Array, "C H W"]:
    """``(model - data) * sqrt(weight)``, whitened if the noise is correlated: masked pixels are 0."""
    model = render(sources, exposure.frame, exposure.transfer)
    return exposure.whitened(model - exposure.image)
