"""The Gaussian likelihood of an image: weighted residuals of the model."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxblend.forward.frame import Frame
from jaxblend.forward.observation import Observation
from jaxblend.forward.render import render
from jaxblend.forward.scene import Sources

__all__ = ["Exposure", "weighted_residual"]


class Exposure(eqx.Module):
    """An observation as arrays on the device: what a likelihood needs and nothing more."""

    image: Float[Array, "C H W"]
    root_weight: Float[Array, "C H W"]
    transfer: Complex[Array, "*K C Ky Kx"]
    frame: Frame

    @classmethod
    def of(cls, observation: Observation) -> Exposure:
        """Image, square root of the weight and transfer function of an observation."""
        transfer = observation.psf.transfer(observation.frame)
        bands = (*transfer.shape[:-3], observation.n_bands, *transfer.shape[-2:])  # one PSF may serve every band
        return cls(
            jnp.asarray(observation.image, dtype=float),
            jnp.sqrt(jnp.asarray(observation.weight, dtype=float)),
            jnp.broadcast_to(transfer, bands),
            observation.frame,
        )


def weighted_residual(sources: Sources, exposure: Exposure) -> Float[Array, "C H W"]:
    """``(model - data) * sqrt(weight)``: masked pixels are 0."""
    model = render(sources, exposure.frame, exposure.transfer)
    return (model - exposure.image) * exposure.root_weight
