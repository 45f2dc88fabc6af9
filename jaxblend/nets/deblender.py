"""The networks of the deblending encoder: from stamps of targets among their neighbours to distributions of ``u``."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaxblend.nets.mixer import StampNetwork
from jaxblend.nets.normal import Normal
from jaxblend.nets.target import Target, told_per_band

__all__ = ["Encoder", "Glance", "Look"]

_LOUD = 30.0  # times the noise: brighter pixels are seen in the linear image
_FAR = 5.0  # standard deviations: what is farther is all one


class Glance(nnx.Module):
    """What is seen of a target in the blend as it is.

    Parameters
    ----------
    bands
        Of the image.
    size
        D, parameters of a source.
    side, patch, width, blocks
        Of `StampNetwork`.
    rngs
        Of the weights.
    """

    def __init__(self, *, bands: int, size: int, side: int, rngs: nnx.Rngs, **of_network: int):
        self.size, self.side = size, side
        told, outputs = told_per_band() * bands, Normal.numbers(size)
        self.network = StampNetwork(
            channels=3 * bands + 2, told=told, outputs=outputs, side=side, rngs=rngs, **of_network
        )

    def __call__(self, target: Target) -> Normal:
        """The distribution of ``u`` of B targets."""
        stamp = jnp.concatenate([*_levels(target.image), target.root_weight, target.heat], axis=1)
        return Normal.of(self.network(stamp, target.told), self.size)


class Look(nnx.Module):
    """What is seen of a target when the models of its neighbours are taken away; parameters as for `Glance`."""

    def __init__(self, *, bands: int, size: int, side: int, rngs: nnx.Rngs, **of_network: int):
        self.size, self.side = size, side
        told, outputs = told_per_band() * bands + 3 * size, Normal.numbers(size)
        self.network = StampNetwork(
            channels=4 * bands + 2, told=told, outputs=outputs, side=side, rngs=rngs, **of_network
        )

    def __call__(self, target: Target, own: Float[Array, "B C S S"], begin: Normal, found: Normal) -> Normal:
        """The distribution of ``u`` of B targets.

        Parameters
        ----------
        target
            Its ``image`` has the target, noise, and what the models of neighbours have left.
        own
            The target's own model in the same units.
        begin
            What was seen at a glance.
        found
            What the models have become since; the answer is told relative to it.
        """
        moved = jnp.einsum("bij,bj->bi", begin.narrow, found.mean - begin.mean)
        depth = jnp.log(jnp.diagonal(found.narrow, axis1=1, axis2=2))
        told = [target.told, jnp.clip(found.mean, -_FAR, _FAR), depth, jnp.clip(moved, -_FAR, _FAR)]
        stamp = [*_levels(target.image - own), jnp.arcsinh(own), target.root_weight, target.heat]
        numbers = self.network(jnp.concatenate(stamp, axis=1), jnp.concatenate(told, axis=1))
        return Normal.of(numbers, self.size).about(found)


class Encoder(NamedTuple):
    """Both networks."""

    glance: Glance
    look: Look


def _levels(image: Float[Array, "B C S S"]) -> tuple[Array, Array]:
    """Faint light is seen in the logarithm, the relative brightness of bright pixels in the image itself."""
    return jnp.arcsinh(image), jnp.tanh(image / _LOUD)
