"""Images with correlated noise as a NumPyro distribution: Vecchia's approximation, normalised, and drawn from."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.util import validate_sample

from jaxblend.forward.vecchia import neighbourhood
from jaxblend.forward.whitening import whiten

__all__ = ["CorrelatedNormal"]


class CorrelatedNormal(Distribution):
    """Pixels whose noise is normal and correlated with that of their neighbours.

    Each used pixel is normal about what the used pixels before it predict, in the order of rows, so that the density
    is normalised and its determinant costs no more than that of white noise. It is the density that ``fit`` uses.
    Draws go through the pixels one after the other. Masked pixels have no density; they are drawn white.

    Parameters
    ----------
    loc
        (C, H, W), the image without noise.
    scale
        (C, H, W), standard deviation of each pixel, above 0 where it is masked, too.
    coefficients
        (C, J, H, W): see ``jaxblend.forward.vecchia.whitening_coefficients``; they say which pixels are masked.
    """

    arg_constraints: ClassVar = {
        "loc": constraints.independent(constraints.real, 3),
        "scale": constraints.independent(constraints.positive, 3),
        "coefficients": constraints.independent(constraints.real, 4),
    }
    reparametrized_params: ClassVar = ["loc", "scale"]

    def __init__(
        self,
        loc: Float[Array, "C H W"],
        scale: Float[Array, "C H W"],
        coefficients: Float[Any, "C J H W"],
        *,
        validate_args: bool | None = None,
    ):
        self.loc, self.scale, self.coefficients = loc, scale, coefficients
        super().__init__(batch_shape=(), event_shape=jnp.shape(loc), validate_args=validate_args)

    @validate_sample
    def log_prob(self, value: Float[Any, "*n C H W"]) -> Float[Array, "*n"]:
        """Of the used pixels."""
        ahead = self.coefficients[:, -1]  # one over the scatter about the prediction, in units of scale
        used = ahead > 0
        white = whiten(jnp.where(used, (value - self.loc) / self.scale, 0.0), self.coefficients)
        peaks = jnp.where(used, jnp.log(jnp.where(used, ahead, 1.0) / self.scale) - 0.5 * np.log(2 * np.pi), 0.0)
        return jnp.sum(peaks) - 0.5 * jnp.sum(white**2, axis=(-3, -2, -1))

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Float[Array, "*n C H W"]:
        """Invert the whitening of white noise."""
        white = jax.random.normal(key, (*sample_shape, *self.event_shape), jnp.result_type(self.loc))
        flat = white.reshape(-1, *self.event_shape)
        noise = jax.vmap(lambda one: _coloured(one, self.coefficients))(flat)
        return self.loc + self.scale * noise.reshape(white.shape)

    @property
    def support(self) -> constraints.Constraint:
        """Every image."""
        return constraints.independent(constraints.real, 3)

    @property
    def mean(self) -> Float[Array, "C H W"]:
        """``loc``."""
        return self.loc


def _coloured(white: Float[Array, "C H W"], coefficients: Float[Any, "C J H W"]) -> Float[Array, "C H W"]:
    """What ``whiten`` makes ``white``; masked pixels are left as they are."""
    bands, height, width = white.shape
    radius = next(r for r in itertools.count(1) if len(neighbourhood(r)) == coefficients.shape[1])
    y, x = neighbourhood(radius)[:-1].T
    # Beyond a side of the image this finds pixels of another row, whose factors are 0.
    back = np.maximum(-(y * width + x), 1)
    longest = int(back.max())

    def step(before, here):
        noise, factors, ahead = here
        used = ahead > 0
        predicted = (factors * before[:, longest - back]).sum(-1)
        value = jnp.where(used, (noise - predicted) / jnp.where(used, ahead, 1.0), noise)
        return jnp.concatenate([before[:, 1:], value[:, None]], 1), value

    by_pixel = jnp.asarray(coefficients).reshape(bands, -1, height * width).transpose(2, 0, 1)
    pixels = white.reshape(bands, -1).T
    start = jnp.zeros((bands, longest), white.dtype)
    found = jax.lax.scan(step, start, (pixels, by_pixel[..., :-1], by_pixel[..., -1]))[1]
    return found.T.reshape(white.shape)
