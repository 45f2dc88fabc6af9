"""Blends whose pixels are drawn by GalSim, with noise that counts electrons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from jaxblend.simulation import streams
from jaxblend.simulation.camera import Camera
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.noise import noisy
from jaxblend.simulation.scene import Scene
from jaxblend.simulation.streams import Streams

__all__ = ["draw_scenes"]


def draw_scenes(
    cameras: Sequence[Camera], random: Sequence[Streams], scenes: Sequence[Scene]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Draw scenes, each with its camera and its streams.

    Yields
    ------
    (n, C, H, W) array, (C, H, W) array, (C, H, W) array
        Of one scene after the other, each when it is asked for: the sources without noise, their sum, and the image
        with noise; float64.
    """
    for camera, own, scene in zip(cameras, random, scenes, strict=True):
        survey, options = camera.survey, camera.options
        isolated = draw_isolated(
            scene.sources,
            camera.positions(scene.offsets),
            survey,
            psfs=camera.psfs,
            shape=camera.shape,
            gsparams=options.gsparams,
        )
        model, kind = isolated.sum(axis=0), options.noise_kind
        image = model
        if kind is not None:
            rng = own.generator(streams.NOISE)
            image = noisy(rng, model, survey.sky_level, kind=kind, correlation=options.noise_correlation)
        yield isolated, model, image
