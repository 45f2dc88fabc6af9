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
    modes, fluxes = [], []
    for exposure, bands in zip(blend.exposures, blend.band_slices(), strict=True):
        drawn = images(in_bands(unit, bands), exposure.frame, exposure.transfer)
        flat = (drawn * exposure.root_weight).reshape(*drawn.shape[:2], -1)
        data = (exposure.image * exposure.root_weight).reshape(exposure.image.shape[0], -1)
        flux = _nonnegative(flat, data, total[:, bands])
        modes.append(low_modes(exposure, jnp.einsum("kc,kchw->chw", flux, drawn)))
        fluxes.append(flux)
    return tuple(modes), jnp.concatenate(fluxes, axis=1)


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
        solved = []
        for mode, bands in zip(modes, blend.band_slices(), strict=True):
            templates = low_templates(in_bands(unit, bands), mode)
            data = jnp.concatenate([mode.data.real, mode.data.imag], -1)
            solved.append(_nonnegative(templates, data, total[:, bands]))
        return _brightness(jnp.concatenate(solved, axis=1), blend) + deviation

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


def _nonnegative(templates, data, typical):
    """Fluxes (K, C) of templates (K, C, P) that fit data (C, P) best, not below their own one-sigma error.

    A weak ridge towards a typical flux lets a source without usable pixels keep it.
    """

    def one_band(band):
        templates, data, typical = band
        gram = templates @ templates.T
        scale = jnp.diagonal(gram)
        ridge = 1e-3 * scale + 1e-2 / typical**2
        factor = jax.scipy.linalg.cho_factor(gram + jnp.diag(ridge))
        flux = jax.scipy.linalg.cho_solve(factor, templates @ data + 1e-2 / typical)
        return jnp.maximum(flux, jnp.minimum(jax.lax.rsqrt(scale + 1e-20), typical))

    return each(one_band, (jnp.moveaxis(templates, 1, 0), data, typical.T)).T
