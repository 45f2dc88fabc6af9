"""Galaxy models: pure functions from shape parameters to amplitudes of unit-flux components in Fourier space.

To add a model, write a Module with ``n_components``, ``shape_names`` and ``amplitudes``; nothing else changes.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Inexact

from jaxblend.forward import growth, profiles

__all__ = [
    "AbstractGalaxy",
    "AbstractLatentGalaxy",
    "BulgeDisk",
    "DeVaucouleurs",
    "Exponential",
    "GalaxyOrStar",
    "Sersic",
    "Star",
    "sheared_k2",
]


class AbstractGalaxy(eqx.Module):
    """A galaxy (or star) at the origin: non-negative components of unit flux, in Fourier space.

    Sizes are half-light radii in arcsec, kept as logarithms; ellipticity is the reduced shear g, applied without
    changing the area (GalSim's convention).
    """

    @property
    @abstractmethod
    def n_components(self) -> int:
        """Number of components."""

    @property
    @abstractmethod
    def shape_names(self) -> tuple[str, ...]:
        """Names of the shape parameters, in their order."""

    @abstractmethod
    def amplitudes(
        self, shape: Float[Array, " n"], kx: Float[Array, "#a #b"], ky: Float[Array, "#a #b"]
    ) -> Inexact[Array, "components a b"]:
        """Amplitude of each component at wavenumbers kx, ky (radians per arcsec), for shape parameters (n,).

        Real if the galaxy is symmetric about its centre.
        """

    @abstractmethod
    def half_light_radius(self, shape: Float[Array, " n"], fractions: Float[Array, " components"]) -> Float[Array, ""]:
        """Circularised half-light radius in arcsec of all components together, with these flux fractions."""

    @abstractmethod
    def shear(self, shape: Float[Array, " n"], fractions: Float[Array, " components"]) -> Float[Array, "2"]:
        """Reduced shear (g1, g2) of all components together, with these flux fractions."""


class AbstractLatentGalaxy(AbstractGalaxy):
    """A galaxy some of whose shape parameters are a latent vector, with a distribution of its own."""

    @property
    @abstractmethod
    def latent_names(self) -> tuple[str, ...]:
        """The last of ``shape_names``."""

    @property
    @abstractmethod
    def latent_bijection(self) -> Any:
        """Carries N(0, 1) to the distribution of latent vectors (flowjax); None if that is N(0, 1)."""

    @property
    def identity(self) -> str:
        """Of what its latent numbers mean, for priors that were learned of them; empty if none can have been."""
        return ""

    @abstractmethod
    def without_prior(self) -> AbstractGalaxy:
        """The galaxy with arrays alone, as it is drawn: what only its prior needs is left out."""


class Star(AbstractGalaxy):
    """A point source."""

    n_components: ClassVar[int] = 1
    shape_names: ClassVar[tuple[str, ...]] = ()

    def amplitudes(self, shape, kx, ky):
        """One at every wavenumber."""
        return jnp.ones((1, *jnp.broadcast_shapes(kx.shape, ky.shape)), kx.dtype)

    def half_light_radius(self, shape, fractions):
        """Zero."""
        return jnp.zeros(())

    def shear(self, shape, fractions):
        """Zero."""
        return jnp.zeros(2)


class Exponential(AbstractGalaxy):
    """An exponential disk."""

    n_components: ClassVar[int] = 1
    shape_names: ClassVar[tuple[str, ...]] = ("log_radius", "g1", "g2")

    def amplitudes(self, shape, kx, ky):
        """Exact transform of the sheared exponential."""
        log_radius, g1, g2 = shape
        return profiles.exponential(sheared_k2(kx, ky, g1, g2) * jnp.exp(2 * log_radius))[None]

    def half_light_radius(self, shape, fractions):
        """``exp(log_radius)``."""
        return jnp.exp(shape[0])

    def shear(self, shape, fractions):
        """``g1, g2``."""
        return shape[1:3]


class DeVaucouleurs(AbstractGalaxy):
    """A de Vaucouleurs spheroid."""

    n_components: ClassVar[int] = 1
    shape_names: ClassVar[tuple[str, ...]] = ("log_radius", "g1", "g2")

    def amplitudes(self, shape, kx, ky):
        """Transform of the sheared de Vaucouleurs profile."""
        log_radius, g1, g2 = shape
        return profiles.de_vaucouleurs(sheared_k2(kx, ky, g1, g2) * jnp.exp(2 * log_radius))[None]

    def half_light_radius(self, shape, fractions):
        """``exp(log_radius)``."""
        return jnp.exp(shape[0])

    def shear(self, shape, fractions):
        """``g1, g2``."""
        return shape[1:3]


class Sersic(AbstractGalaxy):
    """A Sersic profile with index 0.5 to 6."""

    n_components: ClassVar[int] = 1
    shape_names: ClassVar[tuple[str, ...]] = ("log_radius", "g1", "g2", "sersic_index")

    def amplitudes(self, shape, kx, ky):
        """Transform of the sheared Sersic profile."""
        log_radius, g1, g2, index = shape
        return profiles.sersic(sheared_k2(kx, ky, g1, g2) * jnp.exp(2 * log_radius), index)[None]

    def half_light_radius(self, shape, fractions):
        """``exp(log_radius)``."""
        return jnp.exp(shape[0])

    def shear(self, shape, fractions):
        """``g1, g2``."""
        return shape[1:3]


class BulgeDisk(AbstractGalaxy):
    """A de Vaucouleurs bulge in an exponential disk, with one centre and one position angle.

    ``log_radius``, ``g1`` and ``g2`` are the disk's. The bulge's half-light radius is ``exp(log_ratio)`` times the
    disk's, its reduced shear ``shear_ratio`` (0 to 1) times the disk's: bulges are rounder.
    """

    n_components: ClassVar[int] = 2
    shape_names: ClassVar[tuple[str, ...]] = ("log_radius", "g1", "g2", "log_ratio", "shear_ratio")

    def amplitudes(self, shape, kx, ky):
        """Bulge, disk."""
        log_radius, g1, g2, log_ratio, shear_ratio = shape
        disk = sheared_k2(kx, ky, g1, g2) * jnp.exp(2 * log_radius)
        bulge = sheared_k2(kx, ky, shear_ratio * g1, shear_ratio * g2) * jnp.exp(2 * (log_radius + log_ratio))
        return jnp.stack([profiles.de_vaucouleurs(bulge), profiles.exponential(disk)])

    def half_light_radius(self, shape, fractions):
        """From the growth curves of both."""
        return growth.bulge_disk_radius(jnp.exp(shape[0] + shape[3]), jnp.exp(shape[0]), fractions[0])

    def shear(self, shape, fractions):
        """Mean of the bulge's and the disk's, weighted by flux."""
        return shape[1:3] * (1 - fractions[0] * (1 - shape[4]))


class GalaxyOrStar(AbstractGalaxy):
    """A source that is a star where ``is_star`` and a galaxy of ``model`` elsewhere.

    A star keeps the galaxy's parameters and ignores its shape, so that a scene with stars in it is the same compiled
    program as one without, and the unused parameters stay at their prior.
    """

    model: AbstractGalaxy
    is_star: Bool[Any, "*K"]

    @property
    def n_components(self) -> int:
        """Those of the galaxy."""
        return self.model.n_components

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Those of the galaxy."""
        return self.model.shape_names

    def amplitudes(self, shape, kx, ky):
        """One at every wavenumber for a star."""
        return jnp.where(self.is_star, 1.0, self.model.amplitudes(shape, kx, ky))

    def half_light_radius(self, shape, fractions):
        """Zero for a star."""
        return jnp.where(self.is_star, 0.0, self.model.half_light_radius(shape, fractions))

    def shear(self, shape, fractions):
        """Zero for a star."""
        return jnp.where(self.is_star, 0.0, self.model.shear(shape, fractions))


def sheared_k2(kx, ky, g1, g2):
    """Squared wavenumber after an area-preserving shear of the image by (g1, g2), two numbers."""
    if jnp.ndim(kx) == 2 and kx.shape == ky.shape and len(kx) == 1:
        # A list of wavenumbers, where gradients count: their sums over the list then are dot products, which vectorise.
        square = g1 * g1 + g2 * g2
        form = jnp.stack([1 + square + 2 * g1, 4 * g2, 1 + square - 2 * g1]) / (1 - square)
        return jnp.tensordot(form, jnp.stack([kx * kx, kx * ky, ky * ky]), 1, precision="highest")
    along = (1 + g1) * kx + g2 * ky
    across = g2 * kx + (1 - g1) * ky
    return (along * along + across * across) / (1 - g1 * g1 - g2 * g2)
