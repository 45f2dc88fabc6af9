"""Encoder and decoder of galaxy morphologies, trained together."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaxblend.nets.decoder import Decoder
from jaxblend.nets.encoder import MorphologyEncoder

__all__ = ["Autoencoder"]


class Autoencoder(nnx.Module):
    """A variational autoencoder (Kingma & Welling 2014) whose decoder knows nothing of pixels.

    Beside the latent vector, the encoder gives the share of the first component in every band: the first is the one
    whose share grows towards the red.
    """

    def __init__(self, encoder: MorphologyEncoder, decoder: Decoder):
        self.encoder, self.decoder = encoder, decoder

    def encode(self, image: Float[Array, "B C H W"], conditions: Float[Array, "B n"]):
        """Mean and standard deviation (B, latent) of the latent vectors, and the first component's share (B, C)."""
        mean, log_scale = self.encoder(image, conditions)
        mean, middle, slope = jnp.split(mean, [self.decoder.latent, self.decoder.latent + 1], axis=1)
        steps = jnp.linspace(-0.5, 0.5, image.shape[1]) if image.shape[1] > 1 else jnp.zeros(1)
        share = jax.nn.sigmoid(middle + jax.nn.softplus(slope) * steps)
        return mean, jnp.exp(log_scale[:, : self.decoder.latent]), share
