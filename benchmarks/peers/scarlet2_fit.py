"""Fit a blend with scarlet2 in the way its quick-start guide does, and time each part.

The parts are those of ``jaxblend.compare.scarlet2``.
"""

import time
from dataclasses import dataclass

import numpy as np

from jaxblend.compare.scarlet2_scene import MIN_CORRELATION, declare, match, quiet, source_images, start

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
    min_correlation: float = MIN_CORRELATION,
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
    names = [str(band) for band in (bands if bands is not None else range(len(images)))]
    with CompileClock() as clock, quiet(scarlet2):
        begin = time.perf_counter()
        observation, frame = match(scarlet2, images, weights, psfs, names)
        matched = time.perf_counter()
        scene = start(scarlet2, frame, observation, positions, stars=stars, min_correlation=min_correlation)
        n_parameters = declare(scarlet2, scene, stars=stars)
        started = time.perf_counter()
        before = clock.seconds
        fitted = scene.fit(observation, max_iter=max_steps, e_rel=tolerance, progress_bar=False)
        for source in fitted.sources:
            source.spectrum.block_until_ready()
        finished = time.perf_counter()
        compiled = clock.seconds - before
    rendered = source_images(observation, fitted)
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
