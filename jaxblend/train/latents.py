"""Training of the flow that is the prior of latent vectors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flowjax.bijections import AbstractBijection
from jaxtyping import Array, Float

from jaxblend.nets.autoencoder import Autoencoder
from jaxblend.train.stamps import Stamps, drawn_and_real

__all__ = ["encoded", "in_portions", "negative_log_density"]

_TOGETHER = 32


def encoded(
    model: Autoencoder, key, *, side: int, n: int, stamps: Stamps | None = None, share: float = 0.0
) -> tuple[Float[Array, "n L"], Float[Array, "n L"]]:
    """Mean and standard deviation of the latent vectors of n fresh galaxies, each seen at random.

    With ``stamps``, they have this share of them.
    """

    def batch(key, size):
        _, _, image, told = drawn_and_real(key, side=side, n=size, stamps=stamps, share=share)
        mean, scale, _ = model.encode(image, told)
        return mean, scale

    mean, scale = in_portions(batch, key, n)
    return jnp.asarray(mean), jnp.asarray(scale)


def in_portions(batch: Callable[..., tuple[Array, ...]], key, n: int) -> tuple[np.ndarray, ...]:
    """Arrays of n rows, some of which ``batch(key, size=...)`` makes at a time."""
    compiled = jax.jit(partial(batch, size=_TOGETHER))
    parts = [compiled(jax.random.fold_in(key, i)) for i in range(-(-n // _TOGETHER))]
    return tuple(np.concatenate([np.asarray(part) for part in each])[:n] for each in zip(*parts, strict=True))


def negative_log_density(flow: AbstractBijection, key, *, mean, scale, batch_size: int):
    """Of latent vectors as the encoder draws them, in nats of a galaxy; beside it that under N(0, 1)."""
    which, noise = jax.random.split(key)
    rows = jax.random.randint(which, (batch_size,), 0, len(mean))
    z = mean[rows] + scale[rows] * jax.random.normal(noise, (batch_size, mean.shape[1]))
    u, log_det = jax.vmap(flow.inverse_and_log_det)(z)
    constant = 0.5 * z.shape[1] * np.log(2 * np.pi)
    normal = 0.5 * jnp.sum(z**2, axis=1).mean() + constant
    return jnp.mean(0.5 * jnp.sum(u**2, axis=1) - log_det) + constant, {"normal": normal}
