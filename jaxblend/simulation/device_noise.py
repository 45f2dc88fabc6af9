"""Noise of simulated images, its random numbers drawn on the device."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

__all__ = ["FEWEST_COUNTS", "counted", "with_noise"]

FEWEST_COUNTS = 100.0  # electrons of sky per pixel, from which `counted` may be used


@partial(jax.jit, static_argnames=("kind", "implementation"))
def with_noise(
    model: Float[Any, "C H W"],
    sky: Float[Any, " C"],
    words: UInt32[Any, " w"],
    root_power: Float[Any, "C N M"] | None = None,
    *,
    kind: str,
    implementation: str,
) -> Float[Array, "C H W"]:
    """Add noise to an image, as `jaxblend.simulation.noise.noisy` does, from a key of its own.

    Parameters
    ----------
    model : (C, H, W) array
        The light without noise, in electrons.
    sky : (C,) array
        Mean sky, electrons per pixel; for counts 100 and more.
    words : (w,) array
        Data of the key.
    root_power : (C, N, M) array, optional
        Of correlated noise: see `jaxblend.simulation.noise.root_power`. White without it.
    kind : {"poisson", "gaussian", "sky"}
        Counted electrons of light and sky; Gaussian noise of the same variance; Gaussian noise of the sky alone.
    implementation : str
        Of the key: ``str(jax.random.key_impl(key))``.

    Returns
    -------
    (C, H, W) array
        The noisy image, in electrons; its mean is the model.
    """
    normal = _unit_noise(jax.random.wrap_key_data(words, impl=implementation), model.shape, root_power)
    sky = sky[:, None, None]
    if kind == "sky":
        return model + jnp.sqrt(sky) * normal
    rate = jnp.maximum(model, 0.0) + sky
    return counted(rate, normal) - sky if kind == "poisson" else model + jnp.sqrt(rate) * normal


def counted(rate: Float[Array, "*shape"], normal: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Turn standard normal numbers into Poisson counts of a rate of 100 and more.

    The quantiles of the Poisson distribution to the order 1 / sqrt(rate), rounded: Cornish & Fisher 1938, Rev. Inst.
    Int. Stat. 5, 307.
    """
    root, square = jnp.sqrt(rate), normal * normal
    return jnp.rint(rate + root * normal + (square - 1) / 6 + normal * (1 - square) / (72 * root))


def _unit_noise(key, shape, root_power):
    if root_power is None:
        return jax.random.normal(key, shape)
    waves = jnp.fft.fft2(jax.random.normal(key, root_power.shape)) * root_power
    return jnp.fft.ifft2(waves).real[:, : shape[1], : shape[2]]
