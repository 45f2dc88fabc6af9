"""Growth curves: the radius that holds half of the light of a bulge and a disk together."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["bulge_disk_radius"]

_B_EXPONENTIAL = 1.6783469900166605
_B_DE_VAUCOULEURS = 7.669249442500804
_BISECTIONS = 30


def bulge_disk_radius(
    bulge_radius: Float[Array, ""], disk_radius: Float[Array, ""], bulge_fraction: Float[Array, ""]
) -> Float[Array, ""]:
    """Half-light radius of a de Vaucouleurs bulge plus an exponential disk (circularised; any unit)."""

    def excess(log_r):
        bulge = _enclosed(_B_DE_VAUCOULEURS * jnp.exp((log_r - jnp.log(bulge_radius)) / 4), 8)
        disk = _enclosed(_B_EXPONENTIAL * jnp.exp(log_r - jnp.log(disk_radius)), 2)
        return bulge_fraction * bulge + (1 - bulge_fraction) * disk - 0.5

    def halve(_, bounds):
        low, high = bounds
        middle = 0.5 * (low + high)
        above = jax.lax.stop_gradient(excess(middle)) > 0
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    radii = jax.lax.stop_gradient(jnp.log(jnp.stack([bulge_radius, disk_radius])))
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (radii.min(), radii.max()))
    root = jax.lax.stop_gradient(0.5 * (low + high))
    # One Newton step carries the derivative of the root (implicit function theorem).
    slope = jax.lax.stop_gradient(jax.grad(excess)(root))
    return jnp.exp(root - excess(root) / slope)


def _enclosed(x, a):
    """Regularised lower incomplete gamma function for a whole number a: 1 - exp(-x) sum_{j<a} x^j / j!."""
    term = total = jnp.ones_like(x)
    for j in range(1, a):
        term = term * x / j
        total = total + term
    return 1 - jnp.exp(-x) * total
