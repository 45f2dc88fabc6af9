"""What is reported of a fitted blend: catalogue quantities with their derivatives, and diagnostics of each source."""

from __future__ import annotations

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxblend.forward.mix import source_axes
from jaxblend.forward.render import images_and_power
from jaxblend.infer.posterior import Blend, in_bands
from jaxblend.priors.sources import unpack

__all__ = ["Summary", "quantities", "quantity_names", "summarise"]


class Summary(eqx.Module):
    """Quantities of K sources (see ``quantity_names``), d quantities / du, and diagnostics."""

    quantities: Float[Array, "K Q"]
    slopes: Float[Array, "K Q D"]
    chi2: Float[Array, " C"]
    pixels: Float[Array, " C"]
    source_chi2: Float[Array, " K"]
    source_pixels: Float[Array, " K"]
    snr: Float[Array, " K"]
    blendedness: Float[Array, " K"]
    unmasked: Float[Array, " K"]


def quantity_names(bands) -> tuple[str, ...]:
    """Entries of ``Summary.quantities``: sky position, log fluxes, half-light radius, shear, bulge fraction."""
    return ("u", "v", *(f"log_flux_{b}" for b in bands), "radius", "g1", "g2", "bulge_fraction")


def summarise(u: Float[Array, "K D"], blend: Blend, reference: int) -> Summary:
    """Report on the point ``u``; ``reference`` is the band whose flux fractions define radius and bulge fraction."""
    one = functools.partial(_quantities_of_one, blend=blend, reference=reference)
    slopes = _over_sources(jax.jacfwd(one), u, blend)
    return Summary(quantities(u, blend, reference), slopes, *_diagnostics(u, blend))


def quantities(u: Float[Array, "K D"], blend: Blend, reference: int) -> Float[Array, "K Q"]:
    """What the catalogue reports of every source: see ``quantity_names``."""
    one = functools.partial(_quantities_of_one, blend=blend, reference=reference)
    return _over_sources(one, u, blend)


def _over_sources(one, u, blend: Blend):
    axes = (0, 0, 0, source_axes(blend.model))
    return jax.vmap(one, in_axes=axes)(u, blend.seeds, blend.is_star, blend.model)


def _quantities_of_one(u, seed, is_star, model, blend, reference):
    vector = blend.prior.physical(u)
    position, flux, shape = unpack(vector, model, blend.n_bands)
    fractions = flux[:, reference] / flux[:, reference].sum()
    radius = model.half_light_radius(shape, fractions)
    shear = model.shear(shape, fractions)
    bulge = fractions[0] if fractions.shape[0] > 1 else jnp.zeros(())
    extended = jnp.where(is_star, 0.0, jnp.stack([radius, *shear, bulge]))
    return jnp.concatenate([seed + position, vector[2 : 2 + blend.n_bands], extended])


def _diagnostics(u, blend):
    """chi2 and pixels per band; of each source chi2 per pixel under it, how many those are, S/N and so on."""
    sources = blend.sources(u)
    chi2 = pixels = jnp.zeros(blend.n_bands, u.dtype)
    power = light = everything = overlap = seen = weighted = norm = squares = jnp.zeros(u.shape[0])
    for exposure, bands in blend.with_bands():
        each, whole = images_and_power(in_bands(sources, bands), exposure.frame, exposure.transfer)
        total = each.sum(0)
        weight = exposure.root_weight**2
        used = weight > 0
        residual2 = exposure.whitened(exposure.image - total) ** 2
        chi2 = chi2.at[bands].add(residual2.sum((1, 2)))
        pixels = pixels.at[bands].add(used.sum((1, 2)).astype(total.dtype))
        # White weights of each band where the map is masked, so that masked light counts as light.
        white = (weight.sum((1, 2)) / jnp.maximum(used.sum((1, 2)), 1))[:, None, None]
        power += (exposure.whitened(each) ** 2).sum((1, 2, 3))
        light += (each**2 * white).sum((1, 2, 3))
        everything += (whole * white[:, 0, 0]).sum(1)
        seen += (each**2 * white * used).sum((1, 2, 3))
        overlap += (each * total * white).sum((1, 2, 3))
        share = jnp.maximum(each, 0.0) * jnp.sqrt(white) * used
        weighted += (share * residual2).sum((1, 2, 3))
        norm += share.sum((1, 2, 3))
        squares += (share**2).sum((1, 2, 3))
    tiny = jnp.finfo(u.dtype).tiny
    blended = jnp.clip(1 - light / jnp.maximum(overlap, tiny), 0.0, 1.0)
    return (
        chi2,
        pixels,
        weighted / jnp.maximum(norm, tiny),
        norm**2 / jnp.maximum(squares, tiny),
        jnp.sqrt(power),
        blended,
        jnp.minimum(seen / jnp.maximum(everything, tiny), 1.0),
    )
