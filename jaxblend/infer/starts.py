"""Starting points: a few sizes and bulge fractions, with fluxes solved exactly for each."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblend.forward.render import images
from jaxblend.forward.scene import Sources
from jaxblend.infer.each import each
from jaxblend.infer.low_modes import LowModes, low_modes, low_templates
from jaxblend.infer.posterior import Blend, in_bands

__all__ = ["START_SHAPES", "dispersed_starts", "modes_and_fluxes"]

#: (deviation of log radius, deviation of the bulge logits), in prior standard deviations.
START_SHAPES = ((0.0, -0.3), (-1.2, -0.3), (1.2, -0.3), (0.0, 1.6))


def modes_and_fluxes(blend: Blend) -> tuple[tuple[LowModes, ...], Float[Array, "K C"]]:
    """The low wavenumbers of every exposure, and the fluxes of prior-typical sources that fit the pixels best.

    Those sources also stand in for masked pixels, which wavenumbers cannot leave out.
    """
    unit, total = _unit_sources(jnp.zeros((blend.seeds.shape[0], blend.prior.size)), blend)
    drawn = [images(in_bands(unit, bands), exposure.frame, exposure.transfer) for exposure, bands in blend.with_bands()]
    weighed = []
    for exposure, apart in zip(blend.exposures, drawn, strict=True):
        flat = exposure.whitened(apart).reshape(*apart.shape[:2], -1)
        weighed.append((flat, exposure.whitened(exposure.image).reshape(exposure.image.shape[0], -1)))
    fluxes = _nonnegative(weighed, total, blend)
    filled = [jnp.einsum("kc,kchw->chw", fluxes[:, b], d) for (_, b), d in zip(blend.with_bands(), drawn, strict=True)]
    return tuple(map(low_modes, blend.exposures, filled)), fluxes


def dispersed_starts(blend: Blend, modes: tuple[LowModes, ...], fluxes: Float[Array, "K C"]) -> Float[Array, "S K D"]:
    """The ``u`` of every start: shapes that are prior typical up to a deviation, fluxes that then fit best."""
    offsets = np.zeros((2, len(blend.prior.names)))
    offsets[0, [i for i, n in enumerate(blend.prior.names) if n in ("log_radius", "sersic_index")]] = 1
    first_logit = next((i for i, n in enumerate(blend.prior.names) if n.startswith("logit_fraction")), None)
    if first_logit is not None:
        offsets[1, first_logit] = 1
    deviations = jnp.asarray(START_SHAPES) @ jnp.asarray(offsets)
    typical = _brightness(fluxes, blend)
    # Radii follow the magnitude through the prior; only their deviation is set here.

    def start(deviation):
        u = typical + deviation
        unit, total = _unit_sources(u, blend)
        weighed = [
            (low_templates(in_bands(unit, bands), mode), jnp.concatenate([mode.data.real, mode.data.imag], -1))
            for mode, (_, bands) in zip(modes, blend.with_bands(), strict=True)
        ]
        return _brightness(_nonnegative(weighed, total, blend), blend) + deviation

    return each(start, deviations)


def _brightness(fluxes, blend):
    """``u`` of prior-typical shapes with these fluxes, within reach of the prior.

    A start must never be deep in the tail of a magnitude or a colour.
    """
    u = jnp.zeros((blend.seeds.shape[0], blend.prior.size))
    flux = slice(2, 2 + blend.n_bands)
    vectors = jax.vmap(blend.prior.physical)(u).at[:, flux].set(jnp.log(fluxes))
    whitened = jnp.clip(jax.vmap(blend.prior.whitened)(vectors), -3.0, 3.0)
    return u.at[:, flux].set(whitened[:, flux])


def _unit_sources(u, blend):
    """Sources of unit total flux in every band, and the fluxes (K, C) that ``u`` gives them."""
    sources = blend.sources(u)
    total = sources.flux.sum(1)
    flux = sources.flux / total[:, None]
    return Sources(sources.position, sources.shape, flux, sources.present, sources.model), total


def _nonnegative(weighed, typical: Float[Array, "K C"], blend: Blend) -> Float[Array, "K C"]:
    """Fluxes that fit best, not below their own one-sigma error, from templates (K, c, P) and data (c, P) per exposure.

    A weak ridge towards a typical flux lets a source without usable pixels keep it.
    """
    n_sources, n_bands = typical.shape
    grams, products = jnp.zeros((n_bands, n_sources, n_sources)), jnp.zeros((n_bands, n_sources))
    for (templates, data), bands in zip(weighed, map(np.array, blend.bands), strict=True):
        by_band = jnp.moveaxis(templates, 1, 0)
        grams = grams.at[bands].add(by_band @ jnp.moveaxis(by_band, 1, 2))
        products = products.at[bands].add((by_band @ data[..., None])[..., 0])

    def one_band(band):
        gram, product, typical = band
        scale = jnp.diagonal(gram)
        ridge = 1e-3 * scale + 1e-2 / typical**2
        factor = jax.scipy.linalg.cho_factor(gram + jnp.diag(ridge))
        flux = jax.scipy.linalg.cho_solve(factor, product + 1e-2 / typical)
        return jnp.maximum(flux, jnp.minimum(jax.lax.rsqrt(scale + 1e-20), typical))

    return each(one_band, (grams, products, typical.T)).T
