"""Galaxies whose light is what a trained decoder makes of a latent vector."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from flowjax.bijections import AbstractBijection

from jaxblend.forward.galaxies import AbstractLatentGalaxy
from jaxblend.forward.splats import half_light_radius, on_the_sky, transform
from jaxblend.nets.storage import read_galaxy

__all__ = ["NeuralGalaxy"]


class NeuralGalaxy(AbstractLatentGalaxy):
    """Two components of splats (Gaussians) whose places, widths and shares a network makes of a latent vector.

    Neither PSF nor pixels nor survey are in the network. The frame of the splats is enlarged by the half-light radius
    and sheared as that of any galaxy; colour gradients come from the two components, which have fluxes of their own
    in each band.

    Attributes
    ----------
    decoder
        From a latent vector to `jaxblend.forward.splats.Splats`.
    flow
        Carries N(0, 1) to the distribution of latent vectors; the prior takes it.
    latent
        Length of the latent vector.
    """

    decoder: Callable
    flow: AbstractBijection
    latent: int = eqx.field(static=True)
    n_components: ClassVar[int] = 2

    @classmethod
    def load(cls, path: str | os.PathLike) -> NeuralGalaxy:
        """Load the weights of a file that `jaxblend.nets.storage.write_galaxy` wrote.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it has other weights than its card says.
        """
        decoder, flow, card = read_galaxy(path)
        return cls(decoder, flow, card["morphology"]["latent"])

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Size, ellipticity and the latent vector."""
        return ("log_radius", "g1", "g2", *self.latent_names)

    @property
    def latent_names(self) -> tuple[str, ...]:
        """``z0, z1 ...``."""
        return tuple(f"z{i}" for i in range(self.latent))

    @property
    def latent_bijection(self) -> AbstractBijection:
        """``flow``."""
        return self.flow

    def amplitudes(self, shape, kx, ky):
        """Transform of the decoded splats."""
        log_radius, g1, g2 = shape[:3]
        return transform(on_the_sky(self.decoder(shape[3:]), jnp.exp(log_radius), g1, g2), kx, ky)

    def half_light_radius(self, shape, fractions):
        """Of the decoded splats, in the frame in which the galaxy is round."""
        return half_light_radius(self.decoder(shape[3:]), fractions) * jnp.exp(shape[0])

    def shear(self, shape, fractions):
        """``g1, g2`` of the frame."""
        return shape[1:3]
