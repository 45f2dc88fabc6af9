"""Starting points: a few sizes and bulge fractions, with fluxes solved exactly for each."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblend.forward.render import images
from jaxblend.forward.scene import Sources
from jaxblend.infer.posterior import Blend, in_bands

__all__ = ["START_SHAPES", "start"]

#: (deviation of log radius, deviation of the bulge logits), in prior standard deviations.
START_SHAPES = ((0.0, -0.3), (-1.2, -0.3), (1.2, -0.3), (0.0, 1.6))


def start(blend: Blend, deviation: Float[Array, "2"]) -> Float[Array, "K D"]:
    """The ``u`` of a start whose shapes are prior typical, up to a deviation, and whose fluxes fit the image best."""
    names = blend.prior.names
    u = jnp.zeros((blend.seeds.shape[0], blend.prior.size))
    vectors = jax.vmap(blend.prior.physical)(u)
    flux = slice(2, 2 + blend.n_bands)
    vectors = vectors.at[:, flux].set(jnp.log(solve_fluxes(u, blend)))
    # Within reach of the prior: a start must never be deep in the tail of a magnitude or a colour.
    brightness = jnp.clip(jax.vmap(blend.prior.whitened)(vectors), -3.0, 3.0)[:, flux]
    offsets = np.zeros((2, len(names)))
    offsets[0, [i for i, n in enumerate(names) if n in ("log_radius", "sersic_index")]] = 1
    first_logit = next((i for i, n in enumerate(names) if n.startswith("logit_fraction")), None)
    if first_logit is not None:
        offsets[1, first_logit] = 1
    # Radii follow the magnitude through the prior; only their deviation is set here.
    return u.at[:, flux].set(brightness) + deviation @ offsets


def solve_fluxes(u: Float[Array, "K D"], blend: Blend) -> Float[Array, "K C"]:
    """Total fluxes that fit the image best for the shapes of ``u``, not below their own one-sigma error."""
    sources = blend.sources(u)
    total = sources.flux.sum(1)
    unit = Sources(sources.position, sources.shape, sources.flux / total[:, None], sources.present, sources.model)
    solved = []
    for exposure, bands in zip(blend.exposures, blend.band_slices(), strict=True):
        templates = images(in_bands(unit, bands), exposure.frame, exposure.transfer) * exposure.root_weight
        flat = templates.reshape(*templates.shape[:2], -1)
        data = (exposure.image * exposure.root_weight).reshape(exposure.image.shape[0], -1)
        solved.append(jax.vmap(_nonnegative, in_axes=(1, 0, 1), out_axes=1)(flat, data, total[:, bands]))
    return jnp.concatenate(solved, axis=1)


def _nonnegative(templates, data, typical):
    """Weak ridge towards a typical flux, so that a source without usable pixels keeps it."""
    gram = templates @ templates.T
    scale = jnp.diagonal(gram)
    ridge = 1e-3 * scale + 1e-2 / typical**2
    flux = jnp.linalg.solve(gram + jnp.diag(ridge), templates @ data + 1e-2 / typical)
    return jnp.maximum(flux, jax.lax.rsqrt(scale + 1e-2 / typical**2))
