"""Galaxies whose light is what a trained decoder makes of a latent vector."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from flowjax.bijections import AbstractBijection

from jaxblend.forward.galaxies import AbstractLatentGalaxy
from jaxblend.forward.splats import half_light_radius, on_the_sky, transform
from jaxblend.priors.population import Population

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
        Carries N(0, 1) to the distribution of latent vectors, for the prior; None where that is N(0, 1).
    latent
        Length of the latent vector.
    weights
        Digest of decoder and flow, as they are in a file.
    population
        What was learned of how magnitude, size, ellipticity, colours and latent vector hang together, for the
        ``population`` of `jaxblend.fit`; None where nothing was. Without it they are independent, but for the relations
        of `Population`.
    """

    decoder: Callable
    flow: AbstractBijection | None
    latent: int = eqx.field(static=True)
    weights: str = eqx.field(static=True, default="")
    population: Population | None = eqx.field(static=True, default=None)
    n_components: ClassVar[int] = 2

    @classmethod
    def load(cls, source: str | os.PathLike = "default") -> NeuralGalaxy:
        """Load the weights that come with jaxblend (``"default"``), or a file of ``jaxblend train flow``.

        Raises
        ------
        ImportError
            If Flax or safetensors is missing: ``pip install "jaxblend[nets]"``.
        FileNotFoundError, ValueError
            If there is no such file, or it has other weights than its card says.
        """
        try:
            from jaxblend.nets.storage import read_galaxy
        except ImportError as error:
            raise ImportError(f'trained galaxies need Flax ({error}): pip install "jaxblend[nets]"') from error
        if source == "default":
            source = Path(str(files("jaxblend.nets").joinpath("weights", "default.safetensors")))
        found = read_galaxy(source)
        return cls(found.decoder, found.flow, found.card["morphology"]["latent"], found.digest, found.population)

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Size, ellipticity and the latent vector."""
        return ("log_radius", "g1", "g2", *self.latent_names)

    @property
    def latent_names(self) -> tuple[str, ...]:
        """``z0, z1 ...``."""
        return tuple(f"z{i}" for i in range(self.latent))

    @property
    def latent_bijection(self) -> AbstractBijection | None:
        """``flow``."""
        return self.flow

    @property
    def identity(self) -> str:
        """``weights``."""
        return self.weights

    def without_prior(self) -> NeuralGalaxy:
        """Without the flow and the population."""
        return NeuralGalaxy(self.decoder, None, self.latent)

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
