"""The encoder that trains the decoder: from a noisy, blurred galaxy to a distribution of its latent vector."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

__all__ = ["MorphologyEncoder"]


class MorphologyEncoder(nnx.Module):
    """Convolutions that halve the image until 4 x 4 pixels are left, then two dense layers.

    Parameters
    ----------
    bands
        Of the image.
    side
        Pixels along each axis, 4 times a power of 2.
    conditions
        Numbers that say how the galaxy was seen: its size in pixels, the PSF, the noise.
    latent
        Length of the latent vector.
    features
        Of each convolution's output, as many as halvings.
    hidden
        Units of the dense layer.
    rngs
        Of the weights.
    """

    def __init__(
        self,
        *,
        bands: int,
        side: int,
        conditions: int,
        latent: int,
        features: tuple[int, ...],
        hidden: int,
        rngs: nnx.Rngs,
    ):
        if side != 4 << len(features):
            raise ValueError(f"{len(features)} halvings end at 4 pixels from {4 << len(features)}, got side={side}")
        self.latent = latent
        widths = (2 * bands, *features)
        self.convolutions = nnx.List(
            nnx.Conv(a, b, (3, 3), strides=2, rngs=rngs) for a, b in itertools.pairwise(widths)
        )
        self.norms = nnx.List(nnx.GroupNorm(width, num_groups=8, rngs=rngs) for width in features)
        self.dense = nnx.Linear(16 * features[-1] + conditions, hidden, rngs=rngs)
        self.last = nnx.Linear(hidden, 2 * latent, rngs=rngs)

    def __call__(
        self, image: Float[Array, "B C H W"], conditions: Float[Array, "B n"]
    ) -> tuple[Float[Array, "B latent"], Float[Array, "B latent"]]:
        """Mean and log standard deviation of the latent vectors.

        ``image`` is in units of its noise.
        """
        # Faint light is seen in the logarithm, the relative brightness of bright pixels in the image itself.
        peak = jnp.max(jnp.abs(image), axis=(1, 2, 3), keepdims=True)
        x = jnp.concatenate([jnp.arcsinh(image), image / (peak + 1e-6)], axis=1)
        x = jnp.moveaxis(x, 1, -1)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = jax.nn.silu(norm(convolution(x)))
        x = jnp.concatenate([x.reshape(len(x), -1), conditions], axis=1)
        mean, log_scale = jnp.split(self.last(jax.nn.silu(self.dense(x))), 2, axis=1)
        return mean, jnp.clip(log_scale, -7.0, 2.0)
