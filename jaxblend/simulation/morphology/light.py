"""The light of a galaxy with structure: in Fourier space what has a transform there, in real space the rest."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, i0
from jaxtyping import Array, Complex, Float

from jaxblend.forward import profiles
from jaxblend.forward.galaxies import sheared_k2
from jaxblend.simulation.morphology.pieces import Structure

__all__ = ["brightness", "shares", "smooth_transform", "structured_brightness"]

_CORE = 0.02  # radius below which a Sersic profile is flat where it is evaluated at points
_BAR = 2 * jnp.pi * 0.4513726473  # of Gamma(2/3) / 3: the integral of exp(-r^3) over the plane


def shares(galaxy: Structure) -> dict[str, Float[Array, "2 *n"]]:
    """Share of the old and the young component's unit flux that each piece has."""
    own = 1 - galaxy.companion[0]
    bar, ring, knots = galaxy.bar[0], galaxy.ring[0], galaxy.clump_share
    zero = jnp.zeros(())
    return {
        "bulge": own * jnp.stack([1 - bar, zero]),
        "bar": own * jnp.stack([bar, zero]),
        "disk": own * jnp.stack([zero, 1 - ring - knots.sum()]),
        "ring": own * jnp.stack([zero, ring]),
        "clumps": own * jnp.stack([jnp.zeros_like(knots), knots]),
        "companion": galaxy.companion[0] * jnp.ones(2),
    }


def smooth_transform(galaxy: Structure, kx: Float[Array, "a b"], ky: Float[Array, "a b"]) -> Complex[Array, "2 a b"]:
    """Transform of all but bar, ring and what arms add to the disk."""
    share = shares(galaxy)
    bulge = _sersic_transform(kx, ky, galaxy.bulge_radius, galaxy.bulge_index, galaxy.bulge_shear)
    disk = profiles.sersic(kx * kx + ky * ky, galaxy.disk_index)
    _, radius, index, *shear_and_place = galaxy.companion
    companion = _sersic_transform(kx, ky, radius, index, shear_and_place[:2])
    pieces = [
        (share["bulge"], bulge * _phase(kx, ky, galaxy.bulge_place)),
        (share["disk"], disk),
        (share["companion"], companion * _phase(kx, ky, shear_and_place[2:])),
    ]
    total = jnp.sum(jnp.stack([weight[:, None, None] * wave for weight, wave in pieces]), axis=0)

    def add(total, clump):
        weight, width, place = clump
        wave = jnp.exp(-0.5 * (kx * kx + ky * ky) * width**2) * _phase(kx, ky, place)
        return total + weight[:, None, None] * wave, None

    clumps = share["clumps"].T, galaxy.clump_width, galaxy.clump_place
    return jax.lax.scan(add, total, clumps)[0]


def structured_brightness(galaxy: Structure, x: Float[Array, "*grid"], y: Float[Array, "*grid"]):
    """Brightness (2, *grid) of the bar, the ring and what arms and lopsidedness add to the disk or take from it."""
    share = shares(galaxy)
    radius = jnp.sqrt(x * x + y * y + 1e-12)
    disk = _sersic(radius, 1.0, galaxy.disk_index)
    _, length, ratio, angle = galaxy.bar
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    along, across = (x * cos + y * sin) / length, (y * cos - x * sin) / (length * ratio)
    bar = jnp.exp(-((along**2 + across**2) ** 1.5)) / (_BAR * length**2 * ratio)
    _, place, width = galaxy.ring
    ring = jnp.exp(-0.5 * ((radius - place) / width) ** 2) / ((2 * jnp.pi) ** 1.5 * place * width)
    pieces = [("bar", bar), ("ring", ring), ("disk", disk * (_modulation(galaxy, x, y, radius) - 1))]
    return jnp.sum(jnp.stack([jnp.multiply.outer(share[name], light) for name, light in pieces]), axis=0)


def brightness(galaxy: Structure, x: Float[Array, "*grid"], y: Float[Array, "*grid"]) -> Float[Array, "2 *grid"]:
    """Brightness of both components at points, without the clumps, which are too small for most grids."""
    share = shares(galaxy)
    _, size, index, *rest = galaxy.companion
    bulge = _sheared(x, y, galaxy.bulge_place, galaxy.bulge_shear)
    pieces = [
        (share["bulge"], bulge, galaxy.bulge_radius, galaxy.bulge_index),
        (share["disk"], x * x + y * y, 1.0, galaxy.disk_index),
        (share["companion"], _sheared(x, y, rest[2:], rest[:2]), size, index),
    ]
    total = structured_brightness(galaxy, x, y)
    for weight, square, radius, n in pieces:
        total = total + jnp.multiply.outer(weight, _sersic(jnp.sqrt(square + _CORE**2), radius, n))
    return total


def _modulation(galaxy, x, y, radius):
    """The disk over its mean at each radius: logarithmic arms, and an excess on one side."""
    number, contrast, pitch, phase, start = galaxy.arms
    crest = number * (jnp.arctan2(y, x) - phase - jnp.log(radius / start) / pitch)
    arms = jnp.exp(contrast * jnp.cos(crest)) / i0(contrast)
    begun = jax.nn.sigmoid((radius - start) / 0.15)
    side = (galaxy.lopsided[0] * x + galaxy.lopsided[1] * y) / (radius + 0.5)
    return (1 + begun * (arms - 1)) * (1 + side)


def _sersic(radius, half_light_radius, index):
    """Brightness of a round Sersic profile of unit flux; b from Ciotti & Bertin (1999, A&A 352, 447)."""
    b = 2 * index - 1 / 3 + 4 / (405 * index) + 46 / (25515 * index**2)
    area = 2 * jnp.pi * index * half_light_radius**2
    log_flux = jnp.log(area) + gammaln(2 * index) - 2 * index * jnp.log(b)
    return jnp.exp(-b * (radius / half_light_radius) ** (1 / index) - log_flux)


def _sersic_transform(kx, ky, radius, index, shear):
    return profiles.sersic(sheared_k2(kx, ky, *shear) * radius**2, index)


def _sheared(x, y, place, shear):
    """Squared radius in the frame of a piece."""
    (g1, g2), x, y = shear, x - place[0], y - place[1]
    along, across = (1 - g1) * x - g2 * y, (1 + g1) * y - g2 * x
    return (along**2 + across**2) / (1 - g1 * g1 - g2 * g2)


def _phase(kx, ky, place):
    angle = kx * place[0] + ky * place[1]
    return jax.lax.complex(jnp.cos(angle), -jnp.sin(angle))
