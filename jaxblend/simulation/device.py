"""Blends drawn on the device by the renderer itself, under `jit` and `vmap`: to train on, and to test with.

GalSim, which draws the blends of `jaxblend.simulate`, is not used: what is drawn here is the model's own idea of a
blend, and no independent truth. The noise is Gaussian, with the variance that counted photons have.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxblend.forward.render import images
from jaxblend.priors.sources import sources_of
from jaxblend.simulation.drawn import DrawnBlends
from jaxblend.simulation.sample import checked_key
from jaxblend.simulation.sampler import BlendSampler

__all__ = ["draw_blend", "draw_blends", "stream_blends"]


def draw_blends(
    sampler: BlendSampler, n: int, *, key: jax.Array, first: int = 0, batch_size: int | None = None
) -> DrawnBlends:
    """Draw n blends on the device.

    Blend i depends on ``jax.random.fold_in(key, i)`` alone: neither on n nor on the batch size, but for the
    rounding of the pixels. One program is compiled per n; `first` may change freely, so that step s of a training
    draws its own with ``first=s * n``.

    Parameters
    ----------
    sampler : BlendSampler
        Made by ``BlendSampler.of(survey)``.
    n : int
        How many blends.
    key : typed JAX key
        ``jax.random.key(seed)``.
    first : int
        Number of the first blend.
    batch_size : int, optional
        Blends drawn together: bounds the memory that is needed beside the result. By default 1 on a CPU, where
        more are no faster, and 64 elsewhere.

    Returns
    -------
    DrawnBlends
        With a leading axis of n.

    Raises
    ------
    TypeError
        If the sampler is none, or the key is not a typed key.
    ValueError
        If a number is out of range.
    """
    if not isinstance(sampler, BlendSampler):
        raise TypeError(
            f"Got a {type(sampler).__name__}, expected a BlendSampler: make it with BlendSampler.of(survey)."
        )
    size = (1 if jax.default_backend() == "cpu" else 64) if batch_size is None else batch_size
    if n < 1 or size < 1 or not 0 <= first <= 2**32 - n:
        raise ValueError(
            f"Got n={n}, batch_size={batch_size}, first={first}: n and batch_size must be 1 or more, and blends are "
            "numbered from 0 to 2**32 - 1."
        )
    return _draw_range(sampler, checked_key(key), jnp.asarray(first, jnp.uint32), int(n), int(min(n, size)))


def stream_blends(
    sampler: BlendSampler, n: int, *, key: jax.Array, first: int = 0, batch_size: int | None = None
) -> Iterator[DrawnBlends]:
    """Draw batches of n blends without end, to train on: nothing goes through a disk.

    Batch s has the blends from ``first + s * n`` on. The next batch is being drawn while the caller works on one.

    Parameters
    ----------
    sampler, n, key, batch_size
        As for `draw_blends`.
    first : int
        Number of the first blend: a training that was interrupted after s batches goes on with ``first=s * n``.

    Yields
    ------
    DrawnBlends
        With a leading axis of n.
    """
    coming = draw_blends(sampler, n, key=key, first=first, batch_size=batch_size)
    while True:
        now, first = coming, first + n
        coming = draw_blends(sampler, n, key=key, first=first, batch_size=batch_size)
        yield now


def draw_blend(key: jax.Array, sampler: BlendSampler) -> DrawnBlends:
    """Draw one blend: a pure function, to be put under `jit` and `vmap`.

    Parameters
    ----------
    key : typed JAX key
        The blend's own.
    sampler : BlendSampler
        What it is drawn from.

    Returns
    -------
    DrawnBlends
        Without a leading axis.
    """
    count_key, sources_key, noise_key = jax.random.split(key, 3)
    slots = jnp.arange(sampler.max_sources)
    # A slot's key is its own: a source is the same whatever the number of slots.
    keys = jax.vmap(partial(jax.random.fold_in, sources_key))(slots)
    u, vectors, seeds, is_star, row = jax.vmap(partial(_draw_source, sampler=sampler))(keys)
    present = slots < jax.random.randint(count_key, (), sampler.min_sources, sampler.max_sources + 1)
    sources = sources_of(vectors, seeds, present, is_star, model=sampler.model, n_bands=len(sampler.bands))
    isolated = images(sources, sampler.frame, sampler.transfer)
    scene = isolated.sum(axis=0)
    return DrawnBlends(
        u, vectors, seeds, present, is_star, row, isolated, scene + _draw_noise(noise_key, scene, sampler)
    )


@eqx.filter_jit
def _draw_range(sampler, key, first, n, batch_size):
    def one(i):
        return draw_blend(jax.random.fold_in(key, first + i), sampler)

    # Full batches only: the map would compile a second program for the rest.
    full = jnp.arange(-(-n // batch_size) * batch_size, dtype=jnp.uint32)
    return jax.tree.map(lambda leaf: leaf[:n], jax.lax.map(one, full, batch_size=batch_size))


def _draw_source(key, sampler):
    """Whitened and physical parameters, seed, whether it is a star and the row of the catalogue."""
    parameters_key, seed_key, row_key = jax.random.split(key, 3)
    u = jax.random.normal(parameters_key, (sampler.prior.size,))
    vector = sampler.prior.physical(u)
    seed = sampler.max_offset * jax.random.uniform(seed_key, (2,), minval=-1.0)
    if sampler.catalog is None:
        return u, vector, seed, jnp.zeros((), bool), jnp.full((), -1, int)
    row = jax.random.randint(row_key, (), 0, len(sampler.catalog.is_star))
    vector = sampler.catalog.vectors[row].at[:2].set(vector[:2])
    return sampler.prior.whitened(vector), vector, seed, sampler.catalog.is_star[row], row


def _draw_noise(key: jax.Array, scene: Float[Array, "C H W"], sampler: BlendSampler) -> Float[Array, "C H W"]:
    """Gaussian noise of the variance that counted photons have."""
    variance = sampler.sky_variance[:, None, None]
    if sampler.source_noise:
        variance = variance + jnp.maximum(scene, 0.0)
    return jnp.sqrt(variance) * jax.random.normal(key, scene.shape)
