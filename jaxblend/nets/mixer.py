"""A network from a stamp, and numbers that say how it was seen, to numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

__all__ = ["StampNetwork"]

_POOLED = 6


class StampNetwork(nnx.Module):
    """Patches of a stamp mixed in turn between places and between features (Tolstikhin et al. 2021).

    What matters is in the middle of a stamp, so that each place has a meaning of its own: weights need not be shared
    between places as those of convolutions are, and products of matrices are what every device is quick at.

    Parameters
    ----------
    channels
        Of the stamp.
    side, patch
        Pixels of the stamp along each axis, and of a patch.
    told
        Numbers beside the stamp.
    width, blocks
        Features of a place, and how often they are mixed.
    outputs
        Numbers that come out; all are 0 before the training.
    rngs
        Of the weights.
    """

    def __init__(
        self,
        *,
        channels: int,
        side: int,
        patch: int,
        told: int,
        width: int,
        blocks: int,
        outputs: int,
        rngs: nnx.Rngs,
    ):
        if side % patch:
            raise ValueError(f"side must be a multiple of patch, got {side} and {patch}")
        self.patch = patch
        places = (side // patch) ** 2
        self.first = nnx.Linear(channels * patch**2, width, rngs=rngs)
        self.where = nnx.Param(0.1 * jax.random.normal(rngs.params(), (places, width)))
        self.told = nnx.Linear(told, width, rngs=rngs)
        self.blocks = nnx.List(_Block(places, width, rngs=rngs) for _ in range(blocks))
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.pool = nnx.Linear(places, _POOLED, rngs=rngs)
        self.dense = nnx.Linear((1 + _POOLED) * width, 2 * width, rngs=rngs)
        self.last = nnx.Linear(2 * width, outputs, kernel_init=nnx.initializers.zeros, rngs=rngs)

    def __call__(self, stamp: Float[Array, "B c S S"], told: Float[Array, "B n"]) -> Float[Array, "B outputs"]:
        """Of B stamps."""
        told = jax.nn.silu(self.told(told))
        x = self.first(_patches(stamp, self.patch)) + self.where[...] + told[:, None]
        for block in self.blocks:
            x = block(x, told)
        pooled = self.pool(jnp.swapaxes(self.norm(x), 1, 2)).reshape(len(x), -1)
        return self.last(jax.nn.silu(self.dense(jnp.concatenate([pooled, told], axis=1))))


class _Block(nnx.Module):
    """Places mixed, then features; what is told scales the features."""

    def __init__(self, places: int, width: int, *, rngs: nnx.Rngs):
        self.norms = nnx.List(nnx.LayerNorm(width, rngs=rngs) for _ in range(2))
        self.places = nnx.List(nnx.Linear(places, places, rngs=rngs) for _ in range(2))
        self.features = nnx.List([nnx.Linear(width, 2 * width, rngs=rngs), nnx.Linear(2 * width, width, rngs=rngs)])
        self.scale = nnx.Linear(width, width, kernel_init=nnx.initializers.zeros, rngs=rngs)

    def __call__(self, x: Float[Array, "B P F"], told: Float[Array, "B F"]) -> Float[Array, "B P F"]:
        y = jnp.swapaxes(self.norms[0](x) * (1 + self.scale(told))[:, None], 1, 2)
        x = x + jnp.swapaxes(self.places[1](jax.nn.silu(self.places[0](y))), 1, 2)
        return x + self.features[1](jax.nn.silu(self.features[0](self.norms[1](x))))


def _patches(image: Float[Array, "B c S S"], patch: int) -> Float[Array, "B P n"]:
    n, channels, side, _ = image.shape
    across = side // patch
    x = image.reshape(n, channels, across, patch, across, patch)
    return x.transpose(0, 2, 4, 1, 3, 5).reshape(n, across**2, channels * patch**2)
