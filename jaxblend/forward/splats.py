"""Splats: mixtures of Gaussians in a galaxy's own frame, with an analytic Fourier transform and growth curve."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

__all__ = ["Splats", "half_light_radius", "on_the_sky", "transform"]

_BISECTIONS = 20
_RADII = (1e-3, 1e2)  # between which a half-light radius is looked for, in the frame's unit


class Splats(eqx.Module):
    """G Gaussians that make up unit-flux components.

    Attributes
    ----------
    place : (G, 2)
        Their centres.
    root : (G, 3)
        Entries (1, 1), (2, 1), (2, 2) of the lower Cholesky factor of each covariance.
    share : (components, G)
        Of each component's flux; every row sums to 1.
    """

    place: Float[Any, "G 2"]
    root: Float[Any, "G 3"]
    share: Float[Any, "components G"]


def transform(splats: Splats, kx: Float[Array, "#a #b"], ky: Float[Array, "#a #b"]) -> Complex[Array, "components a b"]:
    """Fourier transform of each component at wavenumbers in the inverse of the unit of the splats' frame."""

    def add(total, splat):
        (x, y), (first, across, second), share = splat
        along, other = first * kx + across * ky, second * ky
        damping = jnp.exp(-0.5 * (along * along + other * other))
        angle = kx * x + ky * y
        real, imag = damping * jnp.cos(angle), -damping * jnp.sin(angle)
        weight = share[:, None, None]
        return (total[0] + weight * real, total[1] + weight * imag), None

    shape = (splats.share.shape[0], *jnp.broadcast_shapes(kx.shape, ky.shape))
    zero = jnp.zeros(shape, splats.place.dtype)
    (real, imag), _ = jax.lax.scan(add, (zero, zero), (splats.place, splats.root, splats.share.T))
    return jax.lax.complex(real, imag)


def on_the_sky(splats: Splats, radius: Float[Array, ""], g1: Float[Array, ""], g2: Float[Array, ""]) -> Splats:
    """Splats whose frame is enlarged by ``radius`` and sheared by the reduced shear without changing the area."""
    shear = jnp.array([[1 + g1, g2], [g2, 1 - g1]]) * radius * jax.lax.rsqrt(1 - g1 * g1 - g2 * g2)
    first, across, second = splats.root.T
    # Of M L the lower Cholesky factor, by one Givens rotation.
    a, b = shear[0, 0] * first + shear[0, 1] * across, shear[0, 1] * second
    c, d = shear[1, 0] * first + shear[1, 1] * across, shear[1, 1] * second
    top = jnp.sqrt(a * a + b * b)
    root = jnp.stack([top, (a * c + b * d) / top, (a * d - b * c) / top], axis=1)
    return Splats(splats.place @ shear.T, root, splats.share)


def half_light_radius(splats: Splats, fractions: Float[Array, " components"]) -> Float[Array, ""]:
    """Radius about the origin that holds half of the light of all components together.

    The squared distance of a Gaussian's light from the origin has a known mean and variance, and is taken to be
    distributed as a gamma variate with both (Satterthwaite 1946, Biometrics Bulletin 2, 110): exact for a round
    Gaussian at the origin.
    """
    first, across, second = splats.root.T
    covariance = jnp.stack([first**2, first * across, across**2 + second**2])
    trace, square = covariance[0] + covariance[2], covariance[0] ** 2 + 2 * covariance[1] ** 2 + covariance[2] ** 2
    x, y = splats.place.T
    mean = x * x + y * y + trace
    spread = 2 * square + 4 * (x * x * covariance[0] + 2 * x * y * covariance[1] + y * y * covariance[2])
    weight = fractions @ splats.share

    def excess(log_radius):
        enclosed = jax.scipy.special.gammainc(mean**2 / spread, jnp.exp(2 * log_radius) * mean / spread)
        return weight @ enclosed - 0.5

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        above = excess(middle) > 0
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    ends = tuple(jnp.asarray(jnp.log(radius), mean.dtype) for radius in _RADII)
    low, high = jax.lax.stop_gradient(jax.lax.fori_loop(0, _BISECTIONS, halve, ends))
    root = 0.5 * (low + high)
    # One Newton step carries the derivative of the root (implicit function theorem).
    slope = jax.lax.stop_gradient(jax.grad(excess)(root))
    return jnp.exp(root - excess(root) / slope)
