"""Images of decoded galaxies, for pictures of what was learned."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flowjax.bijections import AbstractBijection
from jaxtyping import Array, Float

from jaxblend.nets.autoencoder import Autoencoder
from jaxblend.nets.decoder import Decoder
from jaxblend.train.morphology import decoded
from jaxblend.train.stamps import Stamps, draw_stamps, freedom, made_round, misfit, seen_through
from jaxblend.train.views import View, conditions, draw_view, noisy_image, wavenumbers

__all__ = ["chi2_per_pixel", "cosines", "prior_draws", "reconstructions"]

_PIXEL, _FWHM = 0.12, 2.0  # of draws: half-light radii, pixels


def reconstructions(model: Autoencoder, key, *, side: int, n: int):
    """Fresh galaxies as they were seen, without noise, and decoded from the mean of their latent vector.

    Three arrays (n, bands, side, side), in units of each galaxy's noise.
    """

    @jax.jit
    def made(key):
        views = jax.vmap(partial(draw_view, side=side))(jax.random.split(key, n))
        light = _decoded_mean(model, views)
        return noisy_image(views), _pixels(views.light, views.sigma), _pixels(light, views.sigma)

    return tuple(map(np.asarray, made(key)))


def cosines(model: Autoencoder, key, *, side: int, n: int) -> Float[np.ndarray, " n"]:
    """Cosine similarity of n fresh galaxies, without noise, and what is decoded of them; both bands together."""

    @jax.jit
    def made(key):
        views = jax.vmap(partial(draw_view, side=side))(jax.random.split(key, n))
        light = _decoded_mean(model, views)
        true, found = (jnp.fft.irfft2(spectrum).reshape(n, -1) for spectrum in (views.light, light))
        return jnp.sum(true * found, 1) / jnp.sqrt(jnp.sum(true**2, 1) * jnp.sum(found**2, 1))

    return np.asarray(made(key))


def chi2_per_pixel(model: Autoencoder, key, stamps: Stamps, *, n: int) -> Float[np.ndarray, " n"]:
    """Of n random stamps against what is decoded from the mean of their latent vector."""

    @jax.jit
    def made(key, stamps):
        picked = draw_stamps(key, stamps, n)
        mean, _, share = model.encode(made_round(picked), picked.told)
        light = seen_through(model.decoder, mean, share, picked)
        return 1 + 2 * misfit(light, picked) / freedom(picked)

    return np.asarray(made(key, stamps))


def prior_draws(
    decoder: Decoder, flow: AbstractBijection, key, *, side: int, n: int
) -> Float[np.ndarray, "n 2 side side"]:
    """Both components of n galaxies drawn from the prior, a little blurred; each of unit flux."""
    kx, ky = map(jnp.asarray, wavenumbers(side))
    blur = jnp.exp(-0.5 * (kx**2 + ky**2) * (_FWHM / 2.355) ** 2)

    @jax.jit
    def made(key):
        u = jax.random.normal(key, (n, decoder.latent))
        waves = jax.lax.map(lambda u: decoder.waves(flow.transform(u), kx / _PIXEL, ky / _PIXEL) * blur, u)
        return _pixels(waves, jnp.ones(waves.shape[:2]))

    return np.asarray(made(key))


def _decoded_mean(model: Autoencoder, views: View):
    """Spectra with the flux that fits the true light best."""
    mean, _, share = model.encode(noisy_image(views), conditions(views))
    light = decoded(model.decoder, mean, share, views)
    along = jnp.sum((views.light * light.conj()).real, (-2, -1))
    return light * (along / jnp.sum(jnp.abs(light) ** 2, (-2, -1)))[..., None, None]


def _pixels(spectra, sigma) -> Float[Array, "n c H H"]:
    images = jnp.fft.irfft2(spectra) / sigma[..., None, None]
    side = images.shape[-1]
    return jnp.roll(images, (side // 2, side // 2), axis=(-2, -1))
