"""Splats: mixtures of Gaussians in a galaxy's own frame, with an analytic Fourier transform and growth curve."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
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
    return _transform(*map(jnp.asarray, (splats.place, splats.root, splats.share, kx, ky)))


@jax.custom_jvp
def _transform(place, root, share, kx, ky):
    return _summed(share, *_waves(place, root, kx, ky))


def _transform_jvp(primals, tangents):
    """Sums over the splats with other weights, so that slopes by many parameters are one product of matrices."""
    place, root, share, kx, ky = primals
    still = [isinstance(dot, SymbolicZero) for dot in tangents]
    moved = [jnp.zeros_like(at) if zero else dot for at, dot, zero in zip(primals, tangents, still, strict=True)]
    (x, y), (first, across, second) = place.T, root.T
    (dx, dy), (d_first, d_across, d_second), d_share, kx_dot, ky_dot = moved[0].T, moved[1].T, *moved[2:]
    waves = _waves(place, root, kx, ky)
    # Half the exponent's quadratic form in k, by the entries of the Cholesky factor.
    form = first * d_first, first * d_across + across * d_first, across * d_across + second * d_second
    weights = jnp.concatenate([d_share, *(share * w for w in (dx, dy, *form))])
    by_share, at_x, at_y, xx, xy, yy = jnp.split(_summed(weights, *waves), 6)
    slope = by_share - 1j * (kx * at_x + ky * at_y) - (kx * kx * xx + kx * ky * xy + ky * ky * yy)
    if not all(still[3:]):
        form = first * first, first * across, across * across + second * second
        weights = jnp.concatenate([share * w for w in (x, y, *form)])
        at_x, at_y, xx, xy, yy = jnp.split(_summed(weights, *waves), 5)
        slope -= kx_dot * (1j * at_x + kx * xx + ky * xy) + ky_dot * (1j * at_y + kx * xy + ky * yy)
    return _summed(share, *waves), slope


_transform.defjvp(_transform_jvp, symbolic_zeros=True)


def _waves(place, root, kx, ky) -> tuple[Float[Array, "G a b"], Float[Array, "G a b"]]:
    """Real and imaginary part of every splat's transform at unit flux."""
    x, y = place.T[:, :, None, None]
    first, across, second = root.T[:, :, None, None]
    along, other = first * kx + across * ky, second * ky
    damping = jnp.exp(-0.5 * (along * along + other * other))
    cos, sin = _turn(kx * x, ky * y)
    return damping * cos, -damping * sin


def _turn(along_x, along_y):
    """Cosine and sine of the sum of two angles; of a row and a column without one for each of their pairs."""
    if along_x.shape == along_y.shape:
        return jnp.cos(along_x + along_y), jnp.sin(along_x + along_y)
    (cx, sx), (cy, sy) = ((jnp.cos(angle), jnp.sin(angle)) for angle in (along_x, along_y))
    return cx * cy - sx * sy, sx * cy + cx * sy


def _summed(weights: Float[Array, "m G"], real: Float[Array, "G a b"], imag: Float[Array, "G a b"]):
    """Sums over splats, (m, a, b)."""
    return jax.lax.complex(*(jnp.tensordot(weights, part, 1, precision="highest") for part in (real, imag)))


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

    The squared distance of a Gaussian's light from the origin has a known mean and variance. It is taken to be
    distributed as a gamma variate with both (Satterthwaite 1946, Biometrics Bulletin 2, 110), whose cube root is
    nearly normal (Wilson & Hilferty 1931, PNAS 17, 684): the radius of a round Gaussian comes out 0.7 % too large.
    """
    first, across, second = splats.root.T
    covariance = jnp.stack([first**2, first * across, across**2 + second**2])
    trace, square = covariance[0] + covariance[2], covariance[0] ** 2 + 2 * covariance[1] ** 2 + covariance[2] ** 2
    x, y = splats.place.T
    mean = x * x + y * y + trace
    spread = 2 * square + 4 * (x * x * covariance[0] + 2 * x * y * covariance[1] + y * y * covariance[2])
    width = jnp.sqrt(spread) / (3 * mean)
    weight = fractions @ splats.share

    def excess(log_radius):
        root = jnp.exp((2 * log_radius - jnp.log(mean)) / 3)
        return weight @ jax.scipy.stats.norm.cdf((root - 1 + width**2) / width) - 0.5

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
