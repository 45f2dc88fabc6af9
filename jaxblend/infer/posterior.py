"""A blend as a function of ``u``: its sources, its residual vector and its objective."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.forward.likelihood import Exposure, weighted_residual
from jaxblend.forward.scene import Sources
from jaxblend.priors.prior import Prior
from jaxblend.priors.sources import sources_of

__all__ = ["Blend", "in_bands", "objective"]


class Blend(eqx.Module):
    """K source slots seen in one or more exposures: everything that the posterior of ``u`` (K, D) depends on.

    ``bands`` are those of each exposure, as indices of the fluxes: exposures may share a band. ``seeds`` are sky
    positions in arcsec.
    """

    exposures: tuple[Exposure, ...]
    seeds: Float[Any, "K 2"]
    present: Bool[Any, " K"]
    is_star: Bool[Any, " K"]
    prior: Prior
    model: AbstractGalaxy
    bands: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    @property
    def n_bands(self) -> int:
        """The different ones, over all exposures."""
        return 1 + max(max(bands) for bands in self.bands)

    def with_bands(self) -> list[tuple[Exposure, np.ndarray]]:
        """Each exposure and which of the fluxes are those of its bands."""
        return list(zip(self.exposures, map(np.array, self.bands), strict=True))

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
    for exposure, bands in blend.with_bands():
        total += 0.5 * jnp.sum(weighted_residual(in_bands(sources, bands), exposure) ** 2)
    return total
