"""Fit a blend with scarlet2 in the way its quick-start guide does.

Every source is a free-form image times a spectrum, started from Gaussian moments and fitted with Adam; a star is the
PSF times a spectrum with a free centre. Step sizes, constraints and stopping rule are those of the guide. Two guards
are added, without which a faint source turns the whole scene into NaN: a spectrum that starts at or below zero in a
band starts at the noise of one pixel, and moments that are not finite fall back to the guide's compact start.
"""

import contextlib
import io
import time
from dataclasses import dataclass
from functools import partial

import numpy as np

from .compile_time import CompileClock
from .importing import require

INSTALL = "scarlet2 optax numpyro h5py"


@dataclass(frozen=True)
class Scarlet2Fit:
    """What scarlet2 made of one blend.

    Attributes
    ----------
    images
        Model of each source as observed, convolved with the PSF, (n, C, H, W).
    fluxes
        Total flux of each source, (n, C), in the unit of the image.
    chi2
        Sum of weight times squared residual over the number of pixels with weight > 0, per band, (C,).
    n_parameters
        Free parameters.
    seconds_match, seconds_start, seconds_fit
        Wall time to build observation and renderer, to start the sources, and of ``Scene.fit`` (compilation included).
    seconds_compile
        The part of ``seconds_fit`` spent in tracing and compiling; scarlet2 compiles anew for every call of
        ``Scene.fit``.
    """

    images: np.ndarray
    fluxes: np.ndarray
    chi2: np.ndarray
    n_parameters: int
    seconds_match: float
    seconds_start: float
    seconds_fit: float
    seconds_compile: float

    @property
    def seconds_cold(self) -> float:
        """All that a user waits for: matching, start, compilation and fit."""
        return self.seconds_match + self.seconds_start + self.seconds_fit

    @property
    def seconds_warm(self) -> float:
        """The optimiser alone, compilation taken out."""
        return self.seconds_fit - self.seconds_compile


def fit(
    images: np.ndarray,
    weights: np.ndarray,
    psfs: np.ndarray,
    positions: np.ndarray,
    bands: tuple[str, ...] | None = None,
    *,
    stars: tuple[int, ...] = (),
    min_correlation: float = 0.99,
    max_steps: int = 1000,
    tolerance: float = 1e-4,
) -> Scarlet2Fit:
    """Fit all sources of a blend together.

    Parameters
    ----------
    images, weights
        Data and inverse variance, (C, H, W); weight 0 masks a pixel.
    psfs
        Effective PSF at the pixel scale, (C, h, w), h and w odd.
    positions
        Centres in pixels, (n, 2) as x, y.
    bands
        Band names; by default their numbers.
    stars
        Indices of the sources to model as points.
    min_correlation
        A source's box grows while its edge has the colours of its centre to this correlation; the guide's value.
    max_steps, tolerance
        Largest number of steps, and the relative change of all parameters at which to stop.

    Raises
    ------
    ImportError
        If scarlet2 is missing.
    ValueError
        If a PSF has an even side, which scarlet2 would take as a shift.
    """
    scarlet2 = require("scarlet2", INSTALL)
    if any(side % 2 == 0 for side in np.shape(psfs)[-2:]):
        raise ValueError(
            f"psfs has shape {np.shape(psfs)}, expected odd sides: pad or trim it around its central pixel"
        )
    names = [str(band) for band in (bands if bands is not None else range(len(images)))]
    scarlet2.set_validation(False)  # its checks print, and cost time that is not part of the fit
    with CompileClock() as clock, contextlib.redirect_stdout(io.StringIO()):
        begin = time.perf_counter()
        observation, frame = _match(scarlet2, images, weights, psfs, names)
        matched = time.perf_counter()
        scene = _start(scarlet2, frame, observation, positions, stars, min_correlation)
        n_parameters = _declare(scarlet2, scene, stars)
        started = time.perf_counter()
        before = clock.seconds
        fitted = scene.fit(observation, max_iter=max_steps, e_rel=tolerance, progress_bar=False)
        for source in fitted.sources:
            source.spectrum.block_until_ready()
        finished = time.perf_counter()
        compiled = clock.seconds - before
    rendered = np.stack([np.asarray(observation.render(fitted.evaluate_source(source))) for source in fitted.sources])
    return Scarlet2Fit(
        images=rendered,
        fluxes=np.stack([np.asarray(scarlet2.measure.flux(source)) for source in fitted.sources]),
        chi2=reduced_chi2(images, weights, rendered.sum(0)),
        n_parameters=n_parameters,
        seconds_match=matched - begin,
        seconds_start=started - matched,
        seconds_fit=finished - started,
        seconds_compile=compiled,
    )


def reduced_chi2(images: np.ndarray, weights: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Sum of weight times squared residual over the number of pixels with weight > 0, per band, (C,)."""
    weights = np.asarray(weights, float)
    chi2 = (weights * (np.asarray(images) - model) ** 2).sum(axis=(1, 2))
    return chi2 / (weights > 0).sum(axis=(1, 2))


def _match(scarlet2, images, weights, psfs, bands):
    """Observation, its renderer and the model frame (the guide's: one Gaussian PSF of 0.7 pixel)."""
    psf = scarlet2.ArrayPSF(_device(psfs))
    observation = scarlet2.Observation(_device(images), _device(weights), psf=psf, channels=bands)
    frame = scarlet2.Frame.from_observations(observation)
    observation.match(frame)
    return observation, frame


def _start(scarlet2, frame, observation, positions, stars, min_correlation):
    """Scene with one started source per position."""
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


def _moments(scarlet2, observation, center, min_correlation):
    """Spectrum and image from Gaussian moments, or the compact start where these cannot be had."""
    try:
        spectrum, morphology = scarlet2.init.from_gaussian_moments(observation, center, min_corr=min_correlation)
    except ValueError:
        spectrum = morphology = np.nan
    if np.all(np.isfinite(spectrum)) and np.all(np.isfinite(morphology)):
        return spectrum, morphology
    return scarlet2.init.pixel_spectrum(observation, center), scarlet2.init.compact_morphology()


def _declare(scarlet2, scene, stars):
    """Declare the free parameters with the guide's steps and constraints; return how many numbers they hold."""
    constraints = require("numpyro.distributions.constraints", INSTALL)
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


def _device(values):
    """Values as a JAX array of its default float type."""
    return require("jax.numpy", "jax").asarray(np.asarray(values), float)
