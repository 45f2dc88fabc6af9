"""Training of the decoder of galaxy morphologies: what is minimised, and on what."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Complex, Float

from jaxblend.nets.autoencoder import Autoencoder
from jaxblend.nets.decoder import Decoder, SplatDecoder
from jaxblend.nets.encoder import MorphologyEncoder
from jaxblend.train.stamps import Stamps, drawn_and_real, misfit, seen_through
from jaxblend.train.views import BANDS, CONDITIONS, View, sum_of_squares, wavenumbers

__all__ = ["Morphology", "decoded", "make", "negative_elbo"]


@dataclasses.dataclass(frozen=True)
class Morphology:
    """Sizes of the networks and of what they see.

    Attributes
    ----------
    latent
        Length of the latent vector.
    splats
        Gaussians of a galaxy.
    hidden
        Units of the decoder's layers.
    features
        Channels of the encoder's convolutions, each a multiple of 8; each convolution halves the image.
    side
        Pixels of a training image along each axis; 4 are left after the convolutions.
    """

    latent: int = 16
    splats: int = 24
    hidden: int = 128
    features: tuple[int, ...] = (16, 32, 48, 64)
    side: int = 64

    def __post_init__(self):
        for name in ("latent", "splats", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.features or not all(n > 0 and n % 8 == 0 for n in self.features):
            raise ValueError(f"features must be one or more multiples of 8, got {list(self.features)}")
        n = len(self.features)
        if self.side != 4 << n:
            raise ValueError(f"side must be {4 << n}, of which {n} features leave 4 pixels, got {self.side}")


def make(config: Morphology, key) -> Autoencoder:
    """Untrained networks."""
    rngs = nnx.Rngs(key)
    encoder = MorphologyEncoder(
        bands=BANDS,
        side=config.side,
        conditions=CONDITIONS,
        latent=config.latent + 2,
        features=config.features,
        hidden=128,
        rngs=rngs,
    )
    decoder = SplatDecoder(latent=config.latent, splats=config.splats, components=2, hidden=config.hidden, rngs=rngs)
    return Autoencoder(encoder, decoder)


def negative_elbo(
    model: Autoencoder, key, *, side: int, batch_size: int, stamps: Stamps | None = None, share: float = 0.0
):
    """Mean over a fresh batch of the nats by which the bound falls short of the noise alone, and its parts.

    The likelihood is that of every noisy pixel, maximised over the flux in each band; galaxies of high signal to noise
    count more, as they should. With ``stamps``, these have a share of the batch, and their one band is the redder one.
    """
    data, draws = jax.random.split(key)
    views, picked, image, told = drawn_and_real(data, side=side, n=batch_size, stamps=stamps, share=share)
    mean, scale, old = model.encode(image, told)
    z = mean + scale * jax.random.normal(draws, mean.shape)
    drawn = len(views.pixel)
    nats = _misfit(decoded(model.decoder, z[:drawn], old[:drawn], views), views)
    if picked is not None:
        light = seen_through(model.decoder, z[drawn:], old[drawn:], picked)
        nats = jnp.concatenate([nats, misfit(light, picked)])
    divergence = 0.5 * jnp.sum(mean**2 + scale**2 - 1 - 2 * jnp.log(scale), axis=1)
    return jnp.mean(nats + divergence), {"misfit": nats.mean(), "divergence": divergence.mean()}


def decoded(decoder: Decoder, z, share, views: View) -> Complex[Array, "B bands H W"]:
    """Spectra of unit flux of decoded galaxies, through the PSFs of views."""
    kx, ky = map(jnp.asarray, wavenumbers(views.light.shape[-2]))

    def one(z, share, view):
        components = decoder.waves(z, kx / view.pixel, ky / view.pixel)
        return jnp.einsum("cm,mab->cab", jnp.stack([share, 1 - share], axis=1), components) * view.transfer

    return jax.vmap(one)(z, share, views)


def _misfit(light, views: View) -> Float[Array, " B"]:
    """Half the sum of squared residuals, in units of the noise, less that of the noise."""
    side = light.shape[-2]
    data = views.light + views.noise
    along, power = _inner(data, light, side), sum_of_squares(light, side)
    left = data - (along / power)[..., None, None] * light
    excess = sum_of_squares(left, side) - sum_of_squares(views.noise, side)
    return 0.5 * jnp.sum(excess / views.sigma**2, axis=-1)


def _inner(a, b, side):
    """Sum of products of the pixels of two images."""
    return 0.25 * (sum_of_squares(a + b, side) - sum_of_squares(a - b, side))
