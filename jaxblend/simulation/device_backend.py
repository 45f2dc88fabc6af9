"""Blends whose pixels are drawn on the device, in batches; the scenes are those of the GalSim backend."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxblend.forward.noise_checks import noise_correlation
from jaxblend.simulation import streams
from jaxblend.simulation.camera import Camera
from jaxblend.simulation.device_images import Lights, draw_lights, lights_of
from jaxblend.simulation.device_noise import FEWEST_COUNTS, with_noise
from jaxblend.simulation.grid import frame_of, sampled_transfer, smallest_oversampling
from jaxblend.simulation.noise import noisy, root_power
from jaxblend.simulation.reach import StarWings, grid_sizes, reach
from jaxblend.simulation.scene import Scene
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.streams import Streams

__all__ = ["DeviceBackend"]

IN_FLIGHT = 2  # calls that draw while the images of earlier ones are put in their places


@dataclass(frozen=True, eq=False)
class DeviceBackend:
    """What draws the blends of one camera; made by `DeviceBackend.of`.

    A blend whose own PSFs are sharper than the camera's is drawn on grids that reach further, by a program of their
    own; there are at most `MOST_OVERSAMPLING` for each size.

    Attributes
    ----------
    camera : Camera
        Of all blends, but for their PSFs where these vary.
    wings : StarWings
        Of the camera's PSFs.
    oversampling : int
        How many times the Nyquist wavenumber the Fourier grids reach, at least.
    chunk : int
        Sources or images in one call of a compiled program.
    """

    camera: Camera
    wings: StarWings
    oversampling: int
    chunk: int
    _transfers: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, camera: Camera) -> DeviceBackend:
        """Look at the PSFs of a camera."""
        chunk = 8 if jax.default_backend() == "cpu" else 64
        oversampling = smallest_oversampling(camera.psfs, camera.survey.pixel_scale)
        return cls(camera, StarWings.of(camera.psfs, camera.survey), oversampling, chunk)

    def draw(
        self, cameras: Sequence[Camera], random: Sequence[Streams], scenes: Sequence[Scene]
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Draw scenes, each with its camera and its streams.

        Yields
        ------
        (n, C, H, W) array, (C, H, W) array, (C, H, W) array
            Of one scene after the other: the sources without noise, their sum, and the image with noise; float32.
        """
        isolated = self._isolated(cameras, scenes)
        ends = np.cumsum([len(scene.sources) for scene in scenes])
        parts = [isolated[end - len(scene.sources) : end] for end, scene in zip(ends, scenes, strict=True)]
        models = [part.sum(axis=0) for part in parts]
        started = [self._with_noise(model, own) for model, own in zip(models, random, strict=True)]
        for part, model, image in zip(parts, models, started, strict=True):
            yield part, model, np.asarray(image)

    def _isolated(self, cameras: Sequence[Camera], scenes: Sequence[Scene]) -> Float[np.ndarray, "S C H W"]:
        survey, shape = self.camera.survey, self.camera.shape
        sources = SkySources.concatenate(*(scene.sources.in_bands(survey.bands) for scene in scenes))
        lights = lights_of(sources, np.concatenate([scene.offsets for scene in scenes]), survey)
        blend = np.repeat(np.arange(len(scenes)), [len(scene.sources) for scene in scenes])
        far = reach(sources, self.wings) * np.array([self._wider(camera) for camera in cameras])[blend]
        sizes = grid_sizes(far, shape[0], survey.pixel_scale)
        oversampling = np.array([self._oversampling(camera) for camera in cameras])[blend]
        images = np.empty((len(sources), len(survey.bands), *shape), np.float32)
        started: deque[tuple[np.ndarray, Array]] = deque()
        for size, finer in sorted({*zip(sizes.tolist(), oversampling.tolist(), strict=True)}):
            for rows in _chunks(np.flatnonzero((sizes == size) & (oversampling == finer)), self.chunk):
                started.append((rows, self._start(lights, rows, size, finer, [cameras[i] for i in blend[rows]])))
                if len(started) > IN_FLIGHT:
                    _collect(images, *started.popleft())
        for rows, drawn in started:
            _collect(images, rows, drawn)
        return images

    def _start(
        self, lights: Lights, rows: np.ndarray, grid_size: int, oversampling: int, cameras: Sequence[Camera]
    ) -> Array:
        scale, stamp_size = self.camera.survey.pixel_scale, self.camera.options.stamp_size
        transfers = [self._transfer(camera, grid_size, oversampling) for camera in cameras]
        shared = all(transfer is transfers[0] for transfer in transfers)
        return draw_lights(
            Lights(*(_filled(leaf[rows], self.chunk) for leaf in lights)),
            transfers[0][None] if shared else _filled(np.stack(transfers), self.chunk),
            len(rows),
            stamp_size=stamp_size,
            pixel_scale=scale,
            grid_size=grid_size,
            oversampling=oversampling,
            together=jax.default_backend() != "cpu",
        )

    def _transfer(self, camera: Camera, grid_size: int, oversampling: int) -> np.ndarray:
        """PSF times pixel on a grid; kept for the camera of all blends."""
        if camera is self.camera and grid_size in self._transfers:
            return self._transfers[grid_size]
        survey = camera.survey
        frame = frame_of(camera.options.stamp_size, survey.pixel_scale, grid_size, oversampling)
        transfer = sampled_transfer(camera.psfs, frame, survey.pixel_scale)
        if camera is self.camera:
            self._transfers[grid_size] = transfer
        return transfer

    def _oversampling(self, camera: Camera) -> int:
        """What the PSFs of one blend need, and no less than those of all, so that most blends share programs."""
        if camera is self.camera:
            return self.oversampling
        return smallest_oversampling(camera.psfs, camera.survey.pixel_scale, least=self.oversampling)

    def _wider(self, camera: Camera) -> float:
        """How much wider the PSFs of one blend are than those of all, for GalSim."""
        if camera is self.camera:
            return 1.0
        return max(1.0, *(all_.stepk / own.stepk for all_, own in zip(self.camera.psfs, camera.psfs, strict=True)))

    def _with_noise(self, model: np.ndarray, random: Streams) -> np.ndarray | Array:
        survey, kind = self.camera.survey, self.camera.options.noise_kind
        if kind is None:
            return model
        if kind == "poisson" and survey.sky_level.min() < FEWEST_COUNTS:
            return noisy(random.generator(streams.NOISE), model, survey.sky_level).astype(np.float32)
        sky, words = survey.sky_level.astype(np.float32), random.words[streams.NOISE]
        return with_noise(model, sky, words, self._root_power, kind=kind, implementation=random.implementation)

    @cached_property
    def _root_power(self) -> np.ndarray | None:
        n_bands = len(self.camera.survey.bands)
        correlation = noise_correlation(self.camera.options.noise_correlation, n_bands)
        if correlation is None:
            return None
        return root_power(correlation, (n_bands, *self.camera.shape)).astype(np.float32)


def _collect(images: np.ndarray, rows: np.ndarray, drawn: Array) -> None:
    images[rows] = np.asarray(drawn)[: len(rows)]


def _chunks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]


def _filled(values: np.ndarray, size: int) -> np.ndarray:
    """Add rows of 0 up to a number of rows."""
    return np.concatenate([values, np.zeros((size - len(values), *values.shape[1:]), values.dtype)])
