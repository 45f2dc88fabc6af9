"""Blends for a machine that has JAX and little else: drawn by jaxblend's own renderer, no survey looked up."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxblend as jb
from jaxblend.simulation.device import draw_blends
from jaxblend.simulation.sampler import BlendSampler
from jaxblend.simulation.survey import Survey

__all__ = ["drawn", "stacked"]

SEED = 0


def survey(bands: str) -> Survey:
    """Numbers near those of LSST after ten years, some of its bands ugrizy."""
    table = {  # AB magnitude of an electron, width of the PSF in arcsec, electrons of sky per pixel
        "u": (34.8, 0.90, 1.6e3), "g": (36.7, 0.86, 2.5e4), "r": (37.5, 0.81, 1.3e5),
        "i": (37.2, 0.79, 1.9e5), "z": (36.6, 0.77, 2.6e5), "y": (35.7, 0.76, 3.0e5),
    }  # fmt: skip
    zero_point, width, sky = np.array([table[band] for band in bands]).T
    return Survey(
        name="like LSST",
        bands=tuple(bands),
        pixel_scale=0.2,
        zero_point=zero_point,
        psf_fwhm=width,
        sky_level=sky,
        exposure_time=np.ones(len(bands)),
        effective_wavelength=np.full(len(bands), np.nan),
        gain=1.0,
        mirror_diameter=8.4,
        obscuration=0.0,
        airmass=1.2,
        codex_version="none",
    )


def drawn(n: int, *, bands: str, n_sources: int, stamp: int) -> tuple[list[jb.Observation], list[np.ndarray]]:
    """Observations of n blends of galaxies of the prior, and their true positions (K, 2), pixels."""
    sampler = BlendSampler.of(
        survey(bands), psf="kolmogorov", min_sources=n_sources, max_sources=n_sources, stamp_size=stamp
    )
    blends = draw_blends(sampler, n, key=jax.random.key(SEED))
    places = sampler.frame.sky_to_pixel(np.asarray(blends.offsets))
    return [sampler.observation(blends, i) for i in range(n)], list(places)


def stacked(trees: list[Any], size: int) -> Any:
    """One tree with a leading axis of this size, on the device: the trees again and again."""

    def together(*leaves):
        return jnp.asarray(np.stack([np.asarray(leaves[i % len(leaves)]) for i in range(size)]))

    return jax.tree.map(lambda *x: together(*x) if eqx.is_array(x[0]) else x[0], *trees)
