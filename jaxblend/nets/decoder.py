"""The decoder: from a latent vector to the splats of a galaxy in its own normalised frame."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Complex, Float

from jaxblend.forward.splats import Splats, transform

__all__ = ["Decoder", "SplatDecoder"]

_NARROWEST = 0.02  # standard deviation of a splat, in half-light radii
_WIDTHS = (0.15, 2.5)  # of an untrained decoder's splats


@runtime_checkable
class Decoder(Protocol):
    """What makes the light of a galaxy, in its own frame, from ``latent`` numbers."""

    latent: int

    def waves(
        self, z: Float[Array, " latent"], kx: Float[Array, "#a #b"], ky: Float[Array, "#a #b"]
    ) -> Complex[Array, "components a b"]:
        """Fourier transform of each component at some wavenumbers."""
        ...


class SplatDecoder(nnx.Module):
    """A small network whose outputs are places, widths and shares of Gaussians.

    The frame is that of a galaxy whose half-light radius is 1, with its centre at the origin and no ellipticity.
    Components share their Gaussians and differ in how much light each of these has.

    Parameters
    ----------
    latent
        Length of the latent vector.
    splats
        Gaussians.
    components
        Unit-flux components, whose colours may differ.
    hidden
        Units of each of the two hidden layers.
    rngs
        Of the weights.
    """

    def __init__(self, *, latent: int, splats: int, components: int, hidden: int, rngs: nnx.Rngs):
        self.latent, self.splats, self.components, self.hidden = latent, splats, components, hidden
        self.first = nnx.Linear(latent, hidden, rngs=rngs)
        self.second = nnx.Linear(hidden, hidden, rngs=rngs)
        out = splats * (5 + components)
        small = nnx.initializers.normal(0.3 / np.sqrt(hidden))
        self.last = nnx.Linear(hidden, out, kernel_init=small, bias_init=_spread(splats, components), rngs=rngs)

    def __call__(self, z: Float[Array, " latent"]) -> Splats:
        """Splats of one latent vector."""
        hidden = jax.nn.silu(self.second(jax.nn.silu(self.first(z))))
        place, root, logits = jnp.split(self.last(hidden), [2 * self.splats, 5 * self.splats])
        first, across, second = root.reshape(3, self.splats)
        first, second = (_NARROWEST + jax.nn.softplus(side) for side in (first, second))
        share = jax.nn.softmax(logits.reshape(self.components, self.splats), axis=1)
        return Splats(place.reshape(self.splats, 2), jnp.stack([first, across, second], axis=1), share)

    def waves(
        self, z: Float[Array, " latent"], kx: Float[Array, "#a #b"], ky: Float[Array, "#a #b"]
    ) -> Complex[Array, "components a b"]:
        """Fourier transform of each component of one latent vector."""
        return transform(self(z), kx, ky)


def _spread(splats: int, components: int):
    """Biases of the last layer: round splats, small ones near the centre and large ones, whose places differ."""

    def initial(key, shape, dtype):
        del shape
        rank = np.arange(splats)
        width = np.geomspace(*_WIDTHS, splats)
        angle = rank * np.pi * (3 - np.sqrt(5))
        place = 0.5 * width[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        side = np.log(np.expm1(width))
        root = np.stack([side, np.zeros(splats), side])
        shares = 0.3 * jax.random.normal(key, (components * splats,), dtype)
        return jnp.concatenate([place.ravel(), root.ravel(), shares], dtype=dtype)

    return initial
