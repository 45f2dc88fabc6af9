"""Colour composites (Lupton et al. 2004, PASP 116, 133)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["RGBScale", "channels", "noise_per_band", "rgb_scale"]

PREFERRED = (("i", "r", "g"), ("z", "r", "g"), ("H", "J", "Y"))
SOFTENING = 8.0
MIN_STRETCH, MAX_STRETCH = 8.0, 30.0  # in units of the noise
BRIGHT = 5.0  # of the noise: pixels that count for the balance of colours
MAX_NOISE_RATIO = 2.5  # between the channels


class RGBScale:
    """How the bands of one observation become red, green and blue; the same for data, model and every source.

    Parameters
    ----------
    weights : (3, C) array
        Bands to channels.
    stretch : float
        Signal, in units of the noise, up to which brightness is about linear.
    """

    def __init__(self, weights: np.ndarray, stretch: float):
        self.weights = weights
        self.stretch = stretch

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Turn an image (C, H, W) into colours (H, W, 3), uint8."""
        from astropy.visualization import make_lupton_rgb

        clean = np.nan_to_num(np.asarray(image, float))
        red, green, blue = np.tensordot(self.weights, clean, axes=1)
        with np.errstate(invalid="ignore", divide="ignore"):  # astropy divides by the light of empty pixels
            settings: Any = {"minimum": 0.0, "stretch": self.stretch, "Q": SOFTENING}
            return make_lupton_rgb(red, green, blue, **settings)


def rgb_scale(observation: Any, *, stretch: float | None = None) -> RGBScale:
    """Choose channels and stretch for an observation.

    The channels are balanced so that the light of the stamp is grey on average: a colour then says how a source
    differs from its neighbours, whatever the unit of the image. A channel of little signal is held back, so that its
    noise does not colour the sky.

    Parameters
    ----------
    observation : Observation
        At least two bands.
    stretch : float, optional
        Signal, in units of the noise, up to which brightness is about linear; by default from the brightest pixels.
    """
    noise = noise_per_band(observation)
    image = np.nan_to_num(np.asarray(observation.image, float))
    scale = _balance(image, noise)
    weights = np.zeros((3, len(scale)))
    for channel, bands in enumerate(channels(observation.bands)):
        weights[channel, bands] = scale[list(bands)] / len(bands)
    unit = float(np.mean(np.sqrt(weights**2 @ noise**2)))
    weights /= unit
    if stretch is None:
        signal = np.tensordot(weights, image, axes=1).mean(axis=0)
        stretch = float(np.clip(np.percentile(signal, 99.8) / 50.0, MIN_STRETCH, MAX_STRETCH))
    return RGBScale(weights, stretch)


def _balance(image: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Compute one over the mean light of each band where there is light, (C,)."""
    signal = image / noise[:, None, None]
    bright = signal.sum(axis=0) > BRIGHT * np.sqrt(len(image))
    light = np.array([band[bright].mean() if bright.sum() >= 10 else 0.0 for band in image])
    light = np.maximum(light, 0.1 * noise)
    share = noise / light  # noise after balancing
    return np.minimum(share, MAX_NOISE_RATIO * share.min()) / noise


def channels(bands: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Choose the bands for red, green and blue, of bands ordered from blue to red.

    Well-known triples are preferred (irg, zrg, HJY); otherwise the last, middle and first. Of two bands, green is the
    mean.

    Raises
    ------
    ValueError
        If there is one band only.
    """
    bands = list(bands)
    if len(bands) < 2:
        raise ValueError(f"Got the band {bands}, but colours need two or more: name it in `band` to see it in grey.")
    if len(bands) == 2:
        return (1,), (0, 1), (0,)
    for triple in PREFERRED:
        if set(triple) <= set(bands):
            red, green, blue = (bands.index(band) for band in triple)
            return (red,), (green,), (blue,)
    return (len(bands) - 1,), (len(bands) // 2,), (0,)


def noise_per_band(observation: Any) -> np.ndarray:
    """Compute the median noise of the unmasked pixels of each band, (C,), in the unit of the image."""
    weight = np.asarray(observation.weight, float)
    return np.array([1.0 / np.sqrt(np.median(w[w > 0])) if np.any(w > 0) else 1.0 for w in weight])
