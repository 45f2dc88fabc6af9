"""What an encoder is shown of a blend: for each target a stamp about it, and what is known of PSF and depth."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from jaxblend.forward.frame import Frame

__all__ = ["Target", "target_stamps", "told_per_band"]

_SPREAD = 1.0  # pixels, of a position on a heat map
_USUAL_DEPTH = 27.0  # magnitude of the noise of a pixel
_RINGS = (0.15, 0.35, 0.6)  # of the Nyquist wavenumber, where a PSF is told by its transfer function
_DIRECTIONS = 4  # over half a turn


class Target(NamedTuple):
    """One source of a blend, seen about its given position; more of them have leading axes.

    Attributes
    ----------
    image
        In units of a band's typical noise of a pixel; 0 where masked.
    root_weight
        Over that of the band's typical pixel; 0 where masked.
    heat
        The given positions, of the target and of its neighbours, as small Gaussians.
    told
        Depth and PSF of each band, `told_per_band`.
    """

    image: Float[Array, "*B C S S"]
    root_weight: Float[Array, "*B C S S"]
    heat: Float[Array, "*B 2 S S"]
    told: Float[Array, "*B n"]


def told_per_band() -> int:
    """Numbers that say how a band was seen: that there is one, its depth, its PSF."""
    return 2 + len(_RINGS) * _DIRECTIONS


def target_stamps(
    image: Float[Array, "C H W"],
    root_weight: Float[Array, "C H W"],
    transfer: Complex[Array, "C Ky Kx"],
    zero_point: Float[Any, " C"],
    frame: Frame,
    positions: Float[Array, "K 2"],
    known: Bool[Array, " K"],
    side: int,
) -> Target:
    """Stamps of ``side`` pixels about K pixel positions (x, y), of which those that are ``known`` are seen.

    A band without a pixel that counts is as if it were not there.
    """
    typical = _typical(root_weight)
    half = side // 2
    margin = ((0, 0), (half, half), (half, half))
    seen = jnp.pad(jnp.where(root_weight > 0, image, 0.0) * typical[:, None, None], margin)
    weight = jnp.pad(root_weight / jnp.maximum(typical, 1e-30)[:, None, None], margin)
    told = _told(typical, transfer, zero_point, frame).reshape(-1)
    middle = jnp.round(positions).astype(int)

    def one(k):
        start = (0, middle[k, 1], middle[k, 0])
        size = (len(image), side, side)
        places = _spots(positions - middle[k] + half, side)
        others = known & (jnp.arange(len(known)) != k)
        heat = jnp.stack([places[k], jnp.tensordot(others.astype(places.dtype), places, 1)])
        pixels, share = (jax.lax.dynamic_slice(x, start, size) for x in (seen, weight))
        return Target(pixels, share, heat, told)

    return jax.vmap(one)(jnp.arange(len(positions)))


def _typical(root_weight: Float[Array, "C H W"]) -> Float[Array, " C"]:
    """Root of the mean weight of the pixels that count."""
    used = jnp.sum(root_weight > 0, (1, 2))
    return jnp.sqrt(jnp.sum(root_weight**2, (1, 2)) / jnp.maximum(used, 1))


def _spots(positions: Float[Array, "K 2"], side: int) -> Float[Array, "K S S"]:
    """A Gaussian of height 1 at each position."""
    at = jnp.arange(side)
    across, along = (jnp.exp(-0.5 * ((at - p[:, None]) / _SPREAD) ** 2) for p in positions.T)
    return along[:, :, None] * across[:, None, :]


def _told(typical, transfer, zero_point, frame: Frame) -> Float[Array, "C n"]:
    there = typical > 0
    depth = jnp.asarray(zero_point) + 2.5 * jnp.log10(jnp.where(there, typical, 1.0))
    numbers = jnp.concatenate([((depth - _USUAL_DEPTH) / 2)[:, None], _psf(transfer, frame)], axis=1)
    return jnp.concatenate([there[:, None].astype(numbers.dtype), jnp.where(there[:, None], numbers, 0.0)], axis=1)


def _psf(transfer: Complex[Array, "C Ky Kx"], frame: Frame) -> Float[Array, "C p"]:
    """The modulus of the transfer function at a few wavenumbers, by the nearest on the grid."""
    angle = np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    cycles = 0.5 * np.asarray(_RINGS)[:, None]  # per pixel
    rows = np.rint(cycles * np.sin(angle) * frame.padded[0]).astype(int).ravel()
    columns = np.rint(cycles * np.cos(angle) * frame.padded[1]).astype(int).ravel()
    turned = columns < 0  # a real image has the conjugate there
    rows, columns = np.where(turned, -rows, rows), np.abs(columns)
    return jnp.abs(transfer[:, rows % transfer.shape[-2], columns])
