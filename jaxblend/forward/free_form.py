"""Galaxies whose disk is free: splats on a fixed grid whose weights are a smooth profile times a random field."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float
from scipy.optimize import nnls

from jaxblend.forward import growth, profiles
from jaxblend.forward.galaxies import AbstractLatentGalaxy, sheared_k2

__all__ = ["FreeForm", "Lattice"]

_SCALE = 0.4  # half-light radii within which the lattice is even, and beyond which it widens as the radius
_OVERLAP = 0.75  # standard deviation of a splat, in distances to its neighbour
_EXPONENTIAL_B = 1.6783469900166605


class Lattice(eqx.Module):
    """Round Gaussians at fixed places of a galaxy's frame, whose unit is the half-light radius of the smooth disk.

    For each of G places there is another one opposite to it, so that sines and cosines serve both. Of all 2 G,
    ``log_smooth`` are the logarithms of the weights with which they make up an exponential disk, and ``modes`` the
    changes of these by a unit step along each latent number: the strongest of a Gaussian random field.
    """

    place: Float[Any, "G 2"]
    width: Float[Any, " G"]
    log_smooth: Float[Any, " n"]
    modes: Float[Any, "n L"]

    @classmethod
    def of(cls, latent: int, *, spacing: float, reach: float, correlation: float, contrast: float) -> Lattice:
        """Make the lattice and the field.

        Parameters
        ----------
        latent
            L: how many modes of the field are kept.
        spacing, correlation
            Of the splats, and length of the field's correlation, in the coordinate ``asinh(r / 0.4)``.
        reach
            Largest radius, in half-light radii.
        contrast
            Standard deviation of the logarithm of the brightness.
        """
        rings = np.arange(0, np.arcsinh(reach / _SCALE), spacing)
        count = np.maximum(1, np.round(np.pi * rings / spacing).astype(int))  # on half a circle
        ring = np.repeat(rings, count)
        angle = np.concatenate([(np.arange(n) + 0.5 * (i % 2)) * np.pi / n for i, n in enumerate(count)])
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        radius, width = _SCALE * np.sinh(ring), _OVERLAP * spacing * _SCALE * np.cosh(ring)
        warped = ring[:, None] * direction
        modes = _field_modes(np.concatenate([warped, -warped]), correlation, contrast, latent)
        smooth = np.log(_smooth_weights(radius, width) / 2)
        return cls(radius[:, None] * direction, width, np.tile(smooth, 2), modes)

    def share(self, z: Float[Array, " L"]) -> Float[Array, " n"]:
        """Of the flux, which each splat has."""
        return jax.nn.softmax(self.log_smooth + self.modes @ z)


def _field_modes(at: np.ndarray, correlation: float, contrast: float, latent: int) -> np.ndarray:
    """The strongest modes of a Gaussian random field at some points, each times its standard deviation."""
    apart = ((at[:, None] - at) ** 2).sum(-1)
    values, vectors = np.linalg.eigh(contrast**2 * np.exp(-0.5 * apart / correlation**2))
    return vectors[:, ::-1][:, :latent] * np.sqrt(np.maximum(values[::-1][:latent], 0))


def _smooth_weights(radius: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Weights of splats that together are nearly an exponential disk: equal on a ring, by least squares."""
    rings, ring = np.unique(radius.round(9), return_inverse=True)
    at = np.linspace(0, rings[-1] + 2 * width[-1], 400)
    turned = np.exp(1j * np.arange(64) * 2 * np.pi / 64)
    light = np.empty((len(at), len(rings)))
    for i, (r, w) in enumerate(zip(rings, width[np.unique(ring, return_index=True)[1]], strict=True)):
        apart = np.abs(at[:, None] - r * turned) ** 2
        light[:, i] = np.exp(-0.5 * apart / w**2).mean(1) / (2 * np.pi * w**2)
    target = np.exp(-_EXPONENTIAL_B * at) * _EXPONENTIAL_B**2 / (2 * np.pi)
    area = np.sqrt(at + 0.05)  # so that squares are those of an image
    weight = nnls(light * area[:, None], target * area)[0]
    weight = np.maximum(weight, 1e-4 * weight.max())
    weight = weight[ring] / np.bincount(ring)[ring]
    return weight / weight.sum()


@functools.lru_cache
def _default_lattice() -> Lattice:
    return Lattice.of(24, spacing=0.5, reach=4.0, correlation=0.6, contrast=0.8)


class FreeForm(AbstractLatentGalaxy):
    """A de Vaucouleurs bulge in a disk with whatever arms, knots and gaps the data ask for.

    The disk is a lattice of splats. Their weights are those of an exponential disk times the exponential of a
    correlated Gaussian field, whose strongest modes are the latent vector: no weight is negative, and where the data
    are silent the disk is smooth. The other parameters are those of `BulgeDisk`.
    """

    lattice: Lattice = eqx.field(default_factory=_default_lattice)
    n_components: ClassVar[int] = 2

    @property
    def latent_names(self) -> tuple[str, ...]:
        """``z0, z1 ...``, from the strongest mode on."""
        return tuple(f"z{i}" for i in range(self.lattice.modes.shape[1]))

    @property
    def latent_bijection(self) -> None:
        """The field is normal as it is."""
        return None

    def without_prior(self) -> FreeForm:
        """Itself."""
        return self

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Those of a bulge and a disk, and the latent vector."""
        return ("log_radius", "g1", "g2", "log_ratio", "shear_ratio", *self.latent_names)

    def amplitudes(self, shape, kx, ky):
        """Bulge, disk."""
        log_radius, g1, g2, log_ratio, shear_ratio = shape[:5]
        radius = jnp.exp(log_radius)
        bulge = sheared_k2(kx, ky, shear_ratio * g1, shear_ratio * g2) * (radius * jnp.exp(log_ratio)) ** 2
        scale = radius * jax.lax.rsqrt(1 - g1 * g1 - g2 * g2)
        own_x, own_y = scale * ((1 + g1) * kx + g2 * ky), scale * (g2 * kx + (1 - g1) * ky)
        share = self.lattice.share(shape[5:])
        place, width = (
            jax.lax.stop_gradient(jnp.asarray(a, own_x.dtype)) for a in (self.lattice.place, self.lattice.width)
        )
        disk = _lattice_transform(share, own_x, own_y, place, width)
        return jnp.stack([profiles.de_vaucouleurs(bulge).astype(disk.dtype), disk])

    def half_light_radius(self, shape, fractions):
        """As if the disk were smooth."""
        return growth.bulge_disk_radius(jnp.exp(shape[0] + shape[3]), jnp.exp(shape[0]), fractions[0])

    def shear(self, shape, fractions):
        """Mean of the bulge's and the disk's frames, weighted by flux."""
        return shape[1:3] * (1 - fractions[0] * (1 - shape[4]))


@jax.custom_jvp
def _lattice_transform(share, kx, ky, place, width) -> Complex[Array, "a b"]:
    return _waves(kx, ky, place, width, *_even_and_odd(share[None]))[0]


@_lattice_transform.defjvp
def _lattice_transform_jvp(primals, tangents):
    """Linear in the shares; the slopes by wavenumber are three more sums over the lattice, whatever is asked for."""
    share, kx, ky, place, width = primals
    share_dot, kx_dot, ky_dot, *_ = tangents
    even, odd = _even_and_odd(share[None])
    # Of an odd moment's two splats the signs differ, so that even and odd sums change places.
    evens = jnp.concatenate([even, odd * place[:, 0], odd * place[:, 1], even * width**2])
    odds = jnp.concatenate([odd, even * place[:, 0], even * place[:, 1], odd * width**2])
    value, at_x, at_y, spread = _waves(kx, ky, place, width, evens, odds)
    slope_x, slope_y = -(kx * spread) - 1j * at_x, -(ky * spread) - 1j * at_y
    by_share = _waves(kx, ky, place, width, *_even_and_odd(share_dot[None]))[0]
    return value, by_share + slope_x * kx_dot + slope_y * ky_dot


def _even_and_odd(share: Float[Array, "m n"]) -> tuple[Float[Array, "m G"], Float[Array, "m G"]]:
    """Sum and difference of each splat and the one opposite to it."""
    here, opposite = jnp.split(share, 2, axis=1)
    return here + opposite, here - opposite


def _waves(kx, ky, place, width, even: Float[Array, "m G"], odd: Float[Array, "m G"]) -> Complex[Array, "m a b"]:
    """Sums over pairs of opposite splats, with several sets of weights."""
    x, y = place.T
    angle = jnp.multiply.outer(x, kx) + jnp.multiply.outer(y, ky)
    damping = jnp.exp(-0.5 * jnp.multiply.outer(width**2, kx * kx + ky * ky))
    real = jnp.tensordot(even, damping * jnp.cos(angle), 1, precision="highest")
    imag = jnp.tensordot(odd, damping * jnp.sin(angle), 1, precision="highest")
    return jax.lax.complex(real, -imag)
