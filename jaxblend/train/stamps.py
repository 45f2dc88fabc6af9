"""Galaxies of real images, among those that training draws: their noise and PSF are in the likelihood."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float

from jaxblend.nets.decoder import Decoder
from jaxblend.train.views import BANDS, View, conditions, draw_view, noisy_image, wavenumbers

__all__ = ["Stamps", "draw_stamps", "drawn_and_real", "freedom", "made_round", "misfit", "seen_through"]

_RED = 1  # the band whose share of the components a stamp has


class Stamps(NamedTuple):
    """Galaxies, each on a periodic grid with its centre at pixel (0, 0).

    A filter has made their noise white; the PSF has been through it, too.

    Attributes
    ----------
    data : (n, H, H)
        Pixels in units of the noise.
    weight : (n, H, H)
        Inverse variance: 1, less where the galaxy has photon noise, 0 outside of what was observed.
    psf : (n, H, H)
        What a point is seen as, centred on pixel (0, 0); of any flux.
    axes : (n, 2, 2)
        Of the normalised frame: ``pixel = axes @ normalised point``, symmetric.
    told : (n, 3)
        What an encoder is told of each.
    """

    data: Float[Any, "n H H"]
    weight: Float[Any, "n H H"]
    psf: Float[Any, "n H H"]
    axes: Float[Any, "n 2 2"]
    told: Float[Any, "n 3"]


def draw_stamps(key, stamps: Stamps, n: int) -> Stamps:
    """Random ones, each with its PSF turned by right angles and reflected; what was not observed is noise."""
    which, turn, fill = jax.random.split(key, 3)
    rows = jax.random.randint(which, (n,), 0, len(stamps.data))
    picked = jax.tree.map(lambda leaf: leaf[rows], stamps)
    picked = jax.vmap(_turned)(picked, jax.random.randint(turn, (n,), 0, 8))
    noise = jax.random.normal(fill, picked.data.shape)
    return picked._replace(data=jnp.where(picked.weight > 0, picked.data, noise))


def drawn_and_real(
    key, *, side: int, n: int, stamps: Stamps | None = None, share: float = 0.0
) -> tuple[View, Stamps | None, Float[Array, "n bands side side"], Float[Array, "n 3"]]:
    """A batch: views of drawn galaxies, random stamps after them, and what an encoder sees and is told.

    Stamps, if there are any, have this ``share`` of the batch, and one place at least.
    """
    real = 0 if stamps is None else max(1, round(share * n))
    views = jax.vmap(partial(draw_view, side=side))(jax.random.split(key, n - real))
    image, told = noisy_image(views), conditions(views)
    if stamps is None:
        return views, None, image, told
    picked = draw_stamps(jax.random.fold_in(key, 1), stamps, real)
    image = jnp.concatenate([image, made_round(picked)])
    return views, picked, image, jnp.concatenate([told, picked.told])


def seen_through(decoder: Decoder, z, share: Float[Array, "n bands"], stamps: Stamps):
    """Pixels (n, H, H), but for the flux, of decoded galaxies where and as the stamps show theirs."""
    kx, ky = map(jnp.asarray, wavenumbers(stamps.data.shape[-1]))

    def one(z, share, axes, psf):
        (xx, xy), (_, yy) = axes
        old, young = decoder.waves(z, xx * kx + xy * ky, xy * kx + yy * ky)
        return jnp.fft.irfft2((share * old + (1 - share) * young) * jnp.fft.rfft2(psf))

    return jax.vmap(one)(z, share[:, _RED], stamps.axes, stamps.psf)


def misfit(light: Float[Array, "n H H"], stamps: Stamps) -> Float[Array, " n"]:
    """Half the sum of squared residuals, at the flux that makes it least, less what is expected of the noise."""
    weight = stamps.weight.astype(light.dtype)
    flux = jnp.sum(weight * light * stamps.data, (-2, -1)) / jnp.sum(weight * light**2, (-2, -1))
    squares = weight * (stamps.data - flux[:, None, None] * light) ** 2
    return 0.5 * (jnp.sum(squares, (-2, -1)) - freedom(stamps))


def freedom(stamps: Stamps) -> Float[Array, " n"]:
    """What chi2 is expected to be: the pixels that were observed, less the share of modes that grids leave out."""
    side = stamps.data.shape[-1]
    return jnp.sum(stamps.weight > 0, (-2, -1)) * (1 - 1 / side) ** 2


def _turned(one: Stamps, which) -> Stamps:
    """One galaxy in one of the eight ways to lay a square down."""

    def turned(image):
        for axis, bit in ((1, 1), (0, 2)):
            image = jnp.where(which & bit, jnp.roll(jnp.flip(image, axis), 1, axis), image)
        return jnp.where(which & 4, image.T, image)

    (xx, xy), (_, yy) = one.axes
    xy = jnp.where((which & 1) ^ ((which & 2) >> 1), -xy, xy)
    xx, yy = jnp.where(which & 4, yy, xx), jnp.where(which & 4, xx, yy)
    data, weight, psf = map(turned, (one.data, one.weight, one.psf))
    return Stamps(data, weight, psf, jnp.array([[xx, xy], [xy, yy]]), one.told)


def made_round(stamps: Stamps) -> Float[Array, "n bands H H"]:
    """Images for an encoder, which only knows round galaxies, in the middle; the one band stands for all.

    They are interpolated, which the pixels of the likelihood are not.
    """
    middle = stamps.data.shape[-1] // 2
    grid = jnp.stack(jnp.meshgrid(*[jnp.arange(2 * middle) - middle] * 2))

    def one(image, axes):
        x, y = jnp.einsum("ij,jab->iab", axes / jnp.sqrt(jnp.linalg.det(axes)), grid) + middle
        return map_coordinates(jnp.roll(image, (middle, middle), (0, 1)), [y, x], order=1, mode="constant")

    image = jax.vmap(one)(stamps.data, stamps.axes)
    return jnp.repeat(image[:, None], BANDS, axis=1)
