"""A blend as scarlet2's quick-start guide sets it up.

Every source is a free-form image times a spectrum, started from Gaussian moments; a star is the PSF times a spectrum
with a free centre. Step sizes and constraints are those of the guide. Two guards are added, without which a faint
source turns the whole scene into NaN: a spectrum that starts at or below zero in a band starts at the noise of one
pixel, and moments that are not finite fall back to the guide's compact start.

The module scarlet2 is an argument everywhere: importing this file does not need it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from jaxblend.compare.optional import require

__all__ = ["INSTALL", "MIN_CORRELATION", "declare", "match", "quiet", "source_images", "start"]

INSTALL = "'scarlet2>=0.5'"
MIN_CORRELATION = 0.99  # the guide's


@contextlib.contextmanager
def quiet(scarlet2: Any) -> Iterator[None]:
    """Keep scarlet2 from printing, and from its checks, which print and cost time that is not part of a fit."""
    checked = scarlet2.validation_utils.VALIDATION_SWITCH
    scarlet2.set_validation(False)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        scarlet2.set_validation(checked)


def match(scarlet2: Any, images: np.ndarray, weights: np.ndarray, psfs: np.ndarray, bands: Sequence[str]) -> tuple:
    """Observation, matched to the model frame, and that frame (the guide's: one Gaussian PSF of 0.7 pixel).

    Parameters
    ----------
    images, weights
        Data and inverse variance, (C, H, W); weight 0 masks a pixel.
    psfs
        Effective PSF at the pixel scale, (C, h, w), h and w odd.
    bands
        A name per band.

    Raises
    ------
    ValueError
        If a PSF has an even side, which scarlet2 would take as a shift.
    """
    if any(side % 2 == 0 for side in np.shape(psfs)[-2:]):
        raise ValueError(
            f"psfs has shape {np.shape(psfs)}, expected odd sides: pad or trim it around its central pixel"
        )
    psf = scarlet2.ArrayPSF(_device(psfs))
    observation = scarlet2.Observation(_device(images), _device(weights), psf=psf, channels=list(bands))
    frame = scarlet2.Frame.from_observations(observation)
    observation.match(frame)
    return observation, frame


def start(
    scarlet2: Any,
    frame: Any,
    observation: Any,
    positions: np.ndarray,
    *,
    stars: Sequence[int] = (),
    min_correlation: float = MIN_CORRELATION,
) -> Any:
    """Scene with one started source per position.

    Parameters
    ----------
    frame, observation
        Of `match`.
    positions
        Centres in pixels, (n, 2) as x, y.
    stars
        Indices of the sources to model as points.
    min_correlation
        A source's box grows while its edge has the colours of its centre to this correlation.
    """
    floor = 1 / np.sqrt(np.nanmedian(np.where(observation.weights > 0, observation.weights, np.nan), axis=(1, 2)))
    with scarlet2.Scene(frame) as scene:
        for index, (x, y) in enumerate(np.asarray(positions, float)):
            center = _device([y, x])
            if index in stars:
                spectrum = scarlet2.init.pixel_spectrum(observation, center, correct_psf=True)
                scarlet2.PointSource(center, _device(np.where(spectrum > 0, spectrum, floor)))
                continue
            spectrum, morphology = _moments(scarlet2, observation, center, min_correlation)
            scarlet2.Source(center, _device(np.where(spectrum > 0, spectrum, floor)), _device(morphology))
    return scene


def declare(scarlet2: Any, scene: Any, *, stars: Sequence[int] = ()) -> int:
    """Declare the free parameters with the guide's steps and constraints; return how many numbers they hold."""
    constraints = require("numpyro.distributions.constraints", install=INSTALL)
    spectrum_step = partial(scarlet2.relative_step, factor=0.05)
    image_step = partial(scarlet2.relative_step, factor=1e-3)
    with scarlet2.Parameters(scene):
        for index, source in enumerate(scene.sources):
            scarlet2.Parameter(
                source.spectrum, name=f"spectrum:{index}", constraint=constraints.positive, stepsize=spectrum_step
            )
            if index in stars:
                scarlet2.Parameter(source.center, name=f"center:{index}", stepsize=0.1)
                continue
            scarlet2.Parameter(
                source.morphology, name=f"morph:{index}", constraint=constraints.unit_interval, stepsize=image_step
            )
    return sum(int(np.size(value)) for value in scene.get().values())


def source_images(observation: Any, scene: Any) -> np.ndarray:
    """Each source of a scene as observed, (n, C, H, W)."""
    return np.stack([np.asarray(observation.render(scene.evaluate_source(source))) for source in scene.sources])


def _moments(scarlet2, observation, center, min_correlation):
    """Spectrum and image from Gaussian moments, or the compact start where these cannot be had."""
    try:
        spectrum, morphology = scarlet2.init.from_gaussian_moments(observation, center, min_corr=min_correlation)
    except ValueError:
        spectrum = morphology = np.nan
    if np.all(np.isfinite(spectrum)) and np.all(np.isfinite(morphology)):
        return spectrum, morphology
    return scarlet2.init.pixel_spectrum(observation, center), scarlet2.init.compact_morphology()


def _device(values):
    """Values as a JAX array of its default float type."""
    import jax.numpy as jnp

    return jnp.asarray(np.asarray(values), float)
