"""Noise of simulated images, its random numbers drawn on the device."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

__all__ = ["FEWEST_COUNTS", "counted", "unit_noise"]

FEWEST_COUNTS = 100.0  # electrons of sky per pixel, from which `counted` may be used


@partial(jax.jit, static_argnames=("shape", "implementation"))
def unit_noise(
    words: UInt32[Any, "B w"],
    count: int | Int[Array, ""],
    root_power: Float[Any, "C N M"] | None = None,
    *,
    shape: tuple[int, int, int],
    implementation: str,
) -> Float[Array, "B C H W"]:
    """Draw Gaussian noise of variance 1 in every pixel of the first of B images, each from a key of its own.

    Parameters
    ----------
    words : (B, w) array
        Data of the keys.
    count : int
        How many images to draw.
    root_power : (C, N, M) array, optional
        Of correlated noise: see `jaxblend.simulation.noise.root_power`. White without it.
    shape : (int, int, int)
        C, H, W.
    implementation : str
        Of the keys: ``str(jax.random.key_impl(key))``.

    Returns
    -------
    (B, C, H, W) array
        0 beyond `count`.
    """

    def one(data):
        key = jax.random.wrap_key_data(data, impl=implementation)
        if root_power is None:
            return jax.random.normal(key, shape)
        waves = jnp.fft.fft2(jax.random.normal(key, root_power.shape)) * root_power
        return jnp.fft.ifft2(waves).real[:, : shape[1], : shape[2]]

    images = jnp.zeros((len(words), *shape))
    return jax.lax.fori_loop(0, count, lambda i, done: done.at[i].set(one(words[i])), images)


def counted(rate: Float[np.ndarray, "*shape"], normal: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Turn standard normal numbers into Poisson counts of a rate of 100 and more.

    The quantiles of the Poisson distribution to the order 1 / sqrt(rate), rounded: Cornish & Fisher 1938, Rev. Inst.
    Int. Stat. 5, 307.
    """
    root, square = np.sqrt(rate), normal * normal
    return np.rint(rate + root * normal + (square - 1) / 6 + normal * (1 - square) / (72 * root))
