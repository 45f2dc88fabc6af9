"""A blend as a function of ``u``: its sources, its residual vector and its objective."""

from __future__ import annotations

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.forward.likelihood import Exposure, weighted_residual
from jaxblend.forward.scene import Sources
from jaxblend.priors.prior import Prior
from jaxblend.priors.sources import sources_of

__all__ = ["Blend", "in_bands", "objective"]


class Blend(eqx.Module):
    """K source slots seen in one or more exposures: everything that the posterior of ``u`` (K, D) depends on.

    Bands are those of the exposures, one after the other. ``seeds`` are sky positions in arcsec.
    """

    exposures: tuple[Exposure, ...]
    seeds: Float[Any, "K 2"]
    present: Bool[Any, " K"]
    is_star: Bool[Any, " K"]
    prior: Prior
    model: AbstractGalaxy

    @property
    def n_bands(self) -> int:
        """Over all exposures."""
        return sum(e.image.shape[0] for e in self.exposures)

    def band_slices(self) -> list[slice]:
        """The bands of each exposure."""
        stops = [0]
        for exposure in self.exposures:
            stops.append(stops[-1] + exposure.image.shape[0])
        return [slice(a, b) for a, b in itertools.pairwise(stops)]

    def sources(self, u: Float[Array, "K D"]) -> Sources:
        """All sources, with the fluxes of every band."""
        vectors = jax.vmap(self.prior.physical)(u)
        return sources_of(vectors, self.seeds, self.present, self.is_star, model=self.model, n_bands=self.n_bands)


def in_bands(sources: Sources, bands) -> Sources:
    """The same sources with the fluxes of some bands."""
    return eqx.tree_at(lambda s: s.flux, sources, sources.flux[..., bands])


def objective(u: Float[Array, "K D"], blend: Blend) -> Float[Array, ""]:
    """Minus the log posterior density of ``u``, up to a constant: half the sum of squared residuals."""
    sources = blend.sources(u)
    total = 0.5 * jnp.sum(u**2)
    for exposure, bands in zip(blend.exposures, blend.band_slices(), strict=True):
        total += 0.5 * jnp.sum(weighted_residual(in_bands(sources, bands), exposure) ** 2)
    return total
