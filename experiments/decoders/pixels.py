"""A decoder whose galaxies are pixels, brought to any sampling by a Fourier transform along each axis."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

SIDE, SPACING = 48, 0.2  # pixels; in half-light radii
_KERNEL = 0.6  # standard deviation of the Gaussian that a pixel is, in pixels: smooth between its neighbours
_FIRST, _CHANNELS = 12, 8


class PixelDecoder(nnx.Module):
    """A dense layer, then convolutions that double the image twice; all light is in the softmax of its pixels."""

    def __init__(self, *, latent: int, hidden: int, components: int, rngs: nnx.Rngs):
        self.latent = latent
        self.first = nnx.Linear(latent, hidden, rngs=rngs)
        self.second = nnx.Linear(hidden, _FIRST**2 * _CHANNELS, rngs=rngs)
        self.middle = nnx.Conv(_CHANNELS, _CHANNELS, (3, 3), rngs=rngs)
        small = nnx.initializers.normal(0.03)
        self.last = nnx.Conv(_CHANNELS, components, (3, 3), kernel_init=small, rngs=rngs)

    def __call__(self, z):
        """Share of the light of each component in every pixel: (components, SIDE, SIDE)."""
        x = jax.nn.silu(self.second(jax.nn.silu(self.first(z)))).reshape(_FIRST, _FIRST, _CHANNELS)
        x = _doubled(jax.nn.silu(self.middle(_doubled(x))))
        logits = jnp.moveaxis(self.last(x), -1, 0) + jnp.asarray(_smooth(), x.dtype)
        return jax.nn.softmax(logits.reshape(len(logits), -1), axis=1).reshape(logits.shape)

    def waves(self, z, kx, ky):
        """Fourier transform of each component: a row of kx and a column of ky, or any wavenumbers."""
        share, at = self(z), (np.arange(SIDE, dtype=np.float32) - 0.5 * (SIDE - 1)) * np.float32(SPACING)
        kernel = jnp.exp(-0.5 * (_KERNEL * SPACING) ** 2 * (kx**2 + ky**2))
        along_x, along_y = (jnp.exp(-1j * jnp.multiply.outer(k, at)) for k in (kx, ky))
        if kx.shape[0] == 1 and ky.shape[1] == 1:
            return jnp.einsum("ay,myx,bx->mab", along_y[:, 0], share, along_x[0]) * kernel
        return jnp.einsum("aby,myx,abx->mab", along_y, share, along_x) * kernel


def _doubled(image):
    """Every pixel four times."""
    return jnp.repeat(jnp.repeat(image, 2, axis=0), 2, axis=1)


def _smooth() -> np.ndarray:
    """Logarithm of an exponential disk: what an untrained decoder shows."""
    at = (np.arange(SIDE) - 0.5 * (SIDE - 1)) * SPACING
    return -1.678 * np.hypot(at[:, None], at)
