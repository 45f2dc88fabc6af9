"""The blends that the fits are timed on, and starts for them that owe nothing to jaxblend's own search."""

from typing import NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxblend as jb
from jaxblend.forward.render import images
from jaxblend.forward.scene import Sources
from jaxblend.infer.posterior import Blend, in_bands
from jaxblend.simulation import Selection, draw_population
from jaxblend.simulation.blend import Blend as Simulated
from jaxblend.simulation.psf import effective_psf_images, survey_psfs

BANDS, STAMP, N_SOURCES, SEED = "ugrizy", 64, 3, 0
PSF_SIZE = 63
T = TypeVar("T")


class Pixels(NamedTuple):
    """A blend as every peer takes it: (C, H, W), (C, H, W), (C, h, w), (n, 2)."""

    images: np.ndarray
    weights: np.ndarray
    psfs: np.ndarray
    positions: np.ndarray
    pixel_scale: float


def simulated(n: int, *, bands: str = BANDS, stamp: int = STAMP, n_sources: int = N_SOURCES) -> list[Simulated]:
    """Blends of bulge+disk galaxies, no stars among them, drawn by GalSim as LSST would see them in ten years."""
    survey = jb.get_survey("LSST", bands=bands)
    galaxies = draw_population(np.random.default_rng(SEED), 400, survey, max_magnitude=25.3, star_fraction=0.0)
    blends = jb.simulate_blends(
        survey,
        n,
        key=jax.random.key(SEED),
        catalog=galaxies,
        n_sources=n_sources,
        stamp_size=stamp,
        selection=Selection(max_magnitude=25.3),
        psf="kolmogorov",
        variance="sky",
    )
    return list(blends)


def pixels(blend: Simulated) -> Pixels:
    """The blend's arrays, with the effective PSF as images."""
    obs = blend.observation
    survey = jb.get_survey("LSST", bands="".join(obs.bands))
    psfs = effective_psf_images(survey_psfs(survey, "kolmogorov"), pixel_scale=survey.pixel_scale, size=PSF_SIZE)
    return Pixels(np.asarray(obs.image), np.asarray(obs.weight), psfs, blend.positions, float(survey.pixel_scale))


def on_device(tree: T) -> T:
    """A tree, such as what is prepared for a fit, with its NumPy arrays as JAX arrays."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if eqx.is_array(leaf) else leaf, tree)


def plain_start(blend: Blend) -> jax.Array:
    """The ``u`` (K, D) of prior-typical shapes at the seeds, with the fluxes that then fit best, band by band."""
    u = jnp.zeros((blend.seeds.shape[0], blend.prior.size))
    sources = blend.sources(u)
    total = sources.flux.sum(1)
    unit = Sources(sources.position, sources.shape, sources.flux / total[:, None], sources.present, sources.model)
    solved = []
    for exposure, bands in blend.with_bands():
        each = images(in_bands(unit, bands), exposure.frame, exposure.transfer) * exposure.root_weight
        flat = each.reshape(*each.shape[:2], -1)
        data = (exposure.image * exposure.root_weight).reshape(exposure.image.shape[0], -1)
        gram = jnp.einsum("kcp,lcp->ckl", flat, flat)
        gram = gram + 1e-3 * jnp.eye(len(u)) * jnp.einsum("ckk->ck", gram)[:, None] + 1e-12 * jnp.eye(len(u))
        flux = jnp.linalg.solve(gram, jnp.einsum("kcp,cp->ck", flat, data)[..., None])[..., 0].T
        solved.append(jnp.where(blend.present[:, None], flux, total[:, bands]))
    flux = jnp.maximum(jnp.concatenate(solved, axis=1), 1e-2 * total)
    columns = slice(2, 2 + blend.n_bands)
    vectors = jax.vmap(blend.prior.physical)(u).at[:, columns].set(jnp.log(flux))
    return u.at[:, columns].set(jnp.clip(jax.vmap(blend.prior.whitened)(vectors)[:, columns], -3.0, 3.0))


def dispersed(blend: Blend, fitted: jax.Array, n: int, *, key: jax.Array) -> jax.Array:
    """Starts (n, K, D): half of them scattered about a fit, half with shapes and places drawn from the prior.

    The latter keep the fitted magnitudes to 0.3 of the prior's scatter: a source that starts far too faint is lost.
    """
    near, far = jax.random.split(key)
    around = fitted + jax.random.normal(near, (n - n // 2, *fitted.shape))
    fresh = jax.random.normal(far, (n // 2, *fitted.shape))
    columns = slice(2, 2 + blend.n_bands)
    fresh = fresh.at[..., columns].set(fitted[:, columns] + 0.3 * fresh[..., columns])
    return jnp.concatenate([around, fresh])
