"""Checks of what ``fit`` is given beside the images; every message names the argument."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np

from jaxblend.errors import JaxblendWarning
from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.forward.observation import Observation
from jaxblend.priors import Population, Prior
from jaxblend.priors.coupling import Coupling

__all__ = ["check_depth", "check_kinds", "check_within", "checked_models", "checked_stars", "median_weight"]

_USUAL_NOISE = (15.0, 35.0)  # AB magnitude of a pixel's noise, generously
_POSSIBLE_NOISE = (5.0, 45.0)  # beyond these the default prior is so far off that nothing can be fitted


def check_kinds(observations, model, prior, population, position_scatter, *, several=False):
    """Arguments of another kind than fit wants, which would fail far from here, or nowhere.

    ``several`` models, one for each source, are then looked at by `checked_models`.
    """
    wanted = (
        ("model", model, AbstractGalaxy, "galaxy model such as BulgeDisk()"),
        ("prior", prior, Prior, "Prior"),
        ("population", population, Population, "Population"),
    )
    if not observations:
        raise ValueError("observations is empty: give at least one Observation")
    for i, observation in enumerate(observations):
        if not isinstance(observation, Observation):
            raise ValueError(f"observation {i} must be an Observation, got {type(observation).__name__}")
    for name, value, kind, words in wanted:
        if name == "model" and several and isinstance(value, (list, tuple)):
            continue
        if isinstance(value, type):
            raise ValueError(f"{name} is the class {value.__name__}: give an instance, {value.__name__}(...)")
        if not isinstance(value, (kind, type(None))):
            raise ValueError(f"{name} must be a {words}, got {value!r}")
    if prior is not None and (population is not None or position_scatter is not None):
        raise ValueError("give prior, or population and position_scatter, which are those of the default prior")
    if position_scatter is not None and not _is_number_between(position_scatter, 0, 3600):
        raise ValueError(f"position_scatter must be arcsec, above 0 and at most 3600, got {position_scatter!r}")
    numbers = () if population is None else [f.name for f in dataclasses.fields(population) if f.name != "coupling"]
    coupling = getattr(population, "coupling", None)
    if not isinstance(coupling, (Coupling, type(None))):
        raise ValueError(f"population.coupling must be a Coupling, as in NeuralGalaxy.population, got {coupling!r}")
    for name, value in ((name, getattr(population, name)) for name in numbers):
        lowest = 0 if name.endswith("_scatter") else -100
        if not _is_number_between(value, lowest, 100):
            raise ValueError(f"population.{name} must be a number above {lowest} and at most 100, got {value!r}")


def _is_number_between(value, low, high) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and low < value <= high


def checked_stars(stars, n) -> np.ndarray:
    """(n,) booleans, False by default."""
    if stars is None:
        return np.zeros(n, bool)
    array = np.asarray(stars)
    if array.shape != (n,) or array.dtype != bool:
        raise ValueError(f"stars must be {n} booleans, one per position, got shape {array.shape}, {array.dtype}")
    return array


def checked_models(models, n) -> list[AbstractGalaxy]:
    """A galaxy model for each of n sources."""
    if len(models) != n or not all(isinstance(model, AbstractGalaxy) for model in models):
        found = ", ".join(getattr(model, "__name__", type(model).__name__) for model in models)
        raise ValueError(
            f"model must be one galaxy model, or a list of {n}, one per position; got {len(models)}: [{found}]"
        )
    return list(models)


def check_depth(observations):
    """Wrong zero points put galaxies where the prior has none."""
    for observation in observations:
        if observation.zero_point is None:
            continue
        noise = observation.zero_point + 1.25 * np.log10(median_weight(observation))
        seen = (observation.weight > 0).any((1, 2))
        for c in np.flatnonzero(seen):
            band, zero_point, magnitude = observation.bands[c], observation.zero_point[c], noise[c]
            message = (
                f"the zero point {zero_point:g} of band {band} puts the noise of a pixel at magnitude {magnitude:.1f}, "
                "where 20 to 32 is usual: check zero_point, the AB magnitude of one unit of the image; or give a "
                "population or a prior, since by default galaxies are expected near magnitude 24"
            )
            if not _POSSIBLE_NOISE[0] < magnitude < _POSSIBLE_NOISE[1]:
                raise ValueError(message)
            if not _USUAL_NOISE[0] < magnitude < _USUAL_NOISE[1]:
                warnings.warn(message, JaxblendWarning, stacklevel=2)
                break


def check_within(seeds, frames, observations):
    """The grid is periodic: a source beyond its margin would be drawn on the other side of the image."""
    for i, (frame, observation) in enumerate(zip(frames, observations, strict=True)):
        height, width = observation.shape
        margin = [(n - m) / 2 for n, m in zip(frame.padded[::-1], (width, height), strict=True)]
        with np.errstate(over="ignore", invalid="ignore"):
            pixels = np.asarray(frame.sky_to_pixel(seeds), float)
            beyond = ~((pixels >= np.negative(margin)) & (pixels <= np.array([width, height]) - 1 + margin)).all(1)
        if beyond.any():
            where = "the image" if len(frames) == 1 else f"image {i}"
            x, y = pixels[np.argmax(beyond)]
            raise ValueError(
                f"positions of sources {np.flatnonzero(beyond)[:10].tolist()} lie too far outside {where} of "
                f"{width} x {height} pixels (the first at x = {x:.5g}, y = {y:.5g}): sources up to {margin[0]:.0f} x "
                f"{margin[1]:.0f} pixels beyond its sides can be fitted; leave them out or give a larger image"
            )


def median_weight(observation) -> np.ndarray:
    """(C,) of the usable pixels; a band that has none is taken to be as deep as the others."""
    medians = np.array([np.median(w[w > 0]) if (w > 0).any() else np.nan for w in observation.weight])
    return np.where(np.isnan(medians), np.nanmedian(medians), medians)
