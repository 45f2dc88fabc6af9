"""The verb for answers at once: what a trained encoder says of each source of a blend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flowjax.bijections import AbstractBijection
from jaxtyping import Array, Float, Int

from jaxblend.fitting.buckets import Program, in_buckets
from jaxblend.fitting.prepare import Item, prepare, zero_points_of
from jaxblend.fitting.result import Fit
from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.forward.likelihood import Exposure
from jaxblend.forward.observation import Observation
from jaxblend.infer.each import each
from jaxblend.infer.map import MapResult
from jaxblend.infer.posterior import objective
from jaxblend.infer.summary import Summary, summarise
from jaxblend.nets.deblending_encoder import DeblendingEncoder
from jaxblend.nets.encode import Field, ask
from jaxblend.nets.normal import Normal
from jaxblend.priors import Prior, population_prior
from jaxblend.priors.wavelengths import filter_name

__all__ = ["encode", "encode_batch"]

_SAME_SCALE = 0.05  # relative difference of pixel scales
_USUAL = 27.0  # zero point of a band that is not there


class EncoderItem(eqx.Module):
    """A padded blend, and which of the encoder's bands its own are.

    ``prior`` and ``zero_point`` are those of all bands of the encoder, in the units of the blend.
    """

    item: Item
    bands: Int[Any, " C"]
    zero_point: Float[Any, " E"]
    prior: Prior


def encode(observation: Observation, positions, *, encoder: DeblendingEncoder) -> Fit:
    """Ask a trained encoder for every source of a blend: catalogue and deblended images at once.

    Nothing is fitted. ``jaxblend.sample(result, method="laplace")`` draws from what the encoder says, and
    ``method="importance"`` begins there.

    Parameters
    ----------
    observation
        One image, in bands that the encoder knows, with its pixel scale.
    positions
        (n, 2), pixels x, y.
    encoder
        From ``jaxblend.DeblendingEncoder.load``.

    Returns
    -------
    Fit
        As that of ``jaxblend.fit``. Errors of sources are not correlated with each other.

    Raises
    ------
    ValueError
        If positions are not (n, 2) finite numbers, or the image is none for this encoder.
    """
    try:
        return encode_batch([observation], [positions], encoder=encoder, on_error="raise")[0]
    except ValueError as error:
        raise ValueError(str(error).removeprefix("blend 0: ")) from None


def encode_batch(
    observations: Iterable,
    positions: Iterable,
    *,
    encoder: DeblendingEncoder,
    batch_size: int = 32,
    keep_observations: bool = True,
    on_error: str = "flag",
    progress: bool = False,
) -> list[Fit]:
    """Ask an encoder for the sources of many blends, each as ``encode`` does; other parameters as for ``fit_batch``."""
    if not isinstance(encoder, DeblendingEncoder):
        raise ValueError(f"encoder must be a DeblendingEncoder, as its load() gives, got {type(encoder).__name__}")
    return in_buckets(
        Program(partial(_prepared, encoder), partial(_answered, encoder.networks), {}),
        observations,
        positions,
        model=None,
        stars=None,
        batch_size=batch_size,
        keep_observations=keep_observations,
        on_error=on_error,
        progress=progress,
    )


def _prepared(encoder: DeblendingEncoder, observations: Sequence[Observation], positions, **options) -> EncoderItem:
    if len(observations) != 1:
        raise ValueError(f"an encoder takes one observation, got {len(observations)}: fit several with jaxblend.fit")
    (observation,) = observations
    if not isinstance(observation, Observation):
        raise ValueError(f"observation must be an Observation, got {type(observation).__name__}")
    names = [filter_name(band) for band in observation.bands]
    unknown = [band for band, name in zip(observation.bands, names, strict=True) if name not in encoder.bands]
    if unknown:
        raise ValueError(f"bands {unknown} are none of this encoder, which knows {list(encoder.bands)}")
    scale = float(observation.frame.pixel_scale)
    if abs(scale / encoder.pixel_scale - 1) > _SAME_SCALE:
        raise ValueError(f"pixels of {scale:.3g} arcsec are none for this encoder, which knows {encoder.pixel_scale:g}")
    bands = np.array([encoder.bands.index(name) for name in names])
    item = prepare(observations, positions, position_scatter=encoder.pixel_scale, **options)
    zero_point = np.full(len(encoder.bands), _USUAL)
    zero_point[bands] = zero_points_of(observation)
    prior = population_prior(BulgeDisk(), encoder.bands, zero_point=zero_point, position_scatter=encoder.pixel_scale)
    return EncoderItem(item, bands, zero_point.astype(np.float32), jax.tree.map(_numpy, prior))


def _numpy(leaf):
    return np.asarray(leaf) if eqx.is_array(leaf) else leaf


def _answered(networks: Any, items: Sequence[EncoderItem], reference: int) -> list[tuple[Item, MapResult, Summary]]:
    stacked = jax.tree.map(lambda *x: np.stack(x) if eqx.is_array(x[0]) else x[0], *items)
    results = jax.tree.map(np.asarray, _results(networks, stacked, reference))
    return [(item.item, *jax.tree.map(lambda x, i=i: x[i], results)) for i, item in enumerate(items)]


@eqx.filter_jit
def _results(networks: Any, stacked: EncoderItem, reference: int) -> tuple[MapResult, Summary]:
    arrays, static = eqx.partition(stacked, eqx.is_array)
    arrays = jax.tree.map(jnp.asarray, arrays)
    with jax.default_matmul_precision("highest"):
        said = ask(networks, eqx.filter_vmap(_field)(eqx.combine(arrays, static)))
        return each(lambda a: _result(eqx.combine(a[0], static), a[1], reference), (arrays, said.answer))


def _field(given: EncoderItem) -> Field:
    """The blend in all bands of the encoder; those that it lacks have no weight."""
    (exposure,) = given.item.blend().exposures
    n = len(given.zero_point)

    def spread(x):
        return jnp.zeros((n, *x.shape[1:]), x.dtype).at[given.bands].set(x)

    image, root_weight, transfer = map(spread, (exposure.image, exposure.root_weight, exposure.transfer))
    whole = Exposure(image, root_weight, transfer, exposure.frame)
    positions = exposure.frame.sky_to_pixel(given.item.seeds)
    return Field(whole, given.zero_point, positions, given.item.present, given.prior)


def _result(given: EncoderItem, answer: Normal, reference: int) -> tuple[MapResult, Summary]:
    """The answer in the coordinates of the blend's own bands."""
    blend = given.item.blend()
    there = blend.present
    own, full = (_before_bounds(prior) for prior in (blend.prior, given.prior))
    entries = _entries(given.bands, len(given.zero_point), given.prior.size)

    def carried(u):
        return own.inverse(full.transform(u)[entries])

    u = jnp.where(there[:, None], jax.vmap(carried)(answer.mean), 0.0)
    rule = jax.jacfwd(carried)(jnp.zeros(given.prior.size, u.dtype))  # affine
    unit = jnp.eye(given.prior.size, dtype=u.dtype)
    root = jax.vmap(lambda narrow: rule @ jax.scipy.linalg.solve_triangular(narrow, unit, lower=True))(answer.narrow)
    precision = jnp.linalg.inv(root @ jnp.swapaxes(root, 1, 2))
    precision = jnp.where(there[:, None, None], precision, jnp.eye(u.shape[1], dtype=u.dtype))
    nobody = jnp.zeros(0, u.dtype)
    result = MapResult(
        u=u,
        objective=objective(u, blend),
        hessian=jax.scipy.linalg.block_diag(*precision),
        decrement=jnp.zeros((), u.dtype),
        steps=jnp.zeros((), int),
        second_mode=jnp.zeros_like(there),
        rival_u=jnp.zeros((0, *u.shape), u.dtype),
        rival_objective=nobody,
        rival_hessian=jnp.zeros((0, u.size, u.size), u.dtype),
    )
    return result, summarise(u, blend, reference)


def _before_bounds(prior: Prior) -> AbstractBijection:
    """The affine part of a default prior: its bounds are the same in all bands."""
    bijection: Any = prior.bijection
    return bijection.bijections[0]


def _entries(bands: Int[Any, " C"], n_bands: int, size: int) -> Int[Array, " D"]:
    """Where the parameters of some bands stand among those of all: see `jaxblend.priors.prior.parameter_names`."""
    shapes = jnp.arange(2 + n_bands, size - n_bands)
    return jnp.concatenate([jnp.arange(2), 2 + bands, shapes, size - n_bands + bands])
