"""Fluxes in the apertures that MADNESS's scripts take, which are larger than those of `jb.evaluate`."""

import numpy as np

import jaxblend as jb
from experiments.deblenders import blends as drawn
from jaxblend.metrics import aperture_fluxes, aperture_weights
from jaxblend.simulation.blend import Blend

TIMES = 2.0  # semi-axes that have half of the PSF's full width added in quadrature
ERRORS = ("noise_preserving", "honest")


def aperture_errors(fit: jb.Fit, blend: Blend) -> dict[str, np.ndarray]:
    """Errors (n,) of `jaxblend.metrics.ApertureFluxes`, galaxy i being that of seed i; NaN if the fit has failed."""
    survey = drawn.survey()
    band = survey.band_index(drawn.BAND)
    images, true = fit.images[:, band], blend.isolated[:, band]
    if not np.isfinite(images).all():
        return {name: np.full(len(true), np.nan) for name in ERRORS}
    major, minor, direction = half_light_ellipses(blend)
    psf = survey.psf_fwhm[band] / 2
    major, minor = (np.hypot(axis, psf) for axis in (major, minor))
    weights = aperture_weights(
        blend.positions,
        TIMES * np.sqrt(major * minor) / survey.pixel_scale,
        shape=true.shape[1:],
        g=((major - minor) / (major + minor))[:, None] * direction,
    )
    fluxes = aperture_fluxes(images, true, field=blend.observation.image[band], weights=weights)
    return {name: np.asarray(getattr(fluxes, name)()) for name in ERRORS}


def half_light_ellipses(blend: Blend) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Semi-axes (n,) in arcsec, and the unit vectors (n, 2) along g, of the component with the longer major axis."""
    sources = blend.sources
    radius = np.nan_to_num([sources.bulge_radius, sources.disk_radius])
    g = np.nan_to_num([sources.bulge_g, sources.disk_g])
    size = np.hypot(g[..., 0], g[..., 1])
    stretch = np.sqrt((1 + size) / (1 - size))
    longer = np.argmax(radius * stretch, axis=0), np.arange(radius.shape[1])
    direction = g[longer] / np.maximum(size[longer], 1e-9)[:, None]
    return (radius * stretch)[longer], (radius / stretch)[longer], direction
