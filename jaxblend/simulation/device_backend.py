"""Blends whose pixels are drawn on the device, in batches; the scenes are those of the GalSim backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxblend.forward.frame import Frame
from jaxblend.forward.noise_checks import noise_correlation
from jaxblend.forward.psf import pixel_response
from jaxblend.simulation import streams
from jaxblend.simulation.camera import Camera
from jaxblend.simulation.device_images import Lights, draw_lights, frame_of, lights_of
from jaxblend.simulation.device_noise import FEWEST_COUNTS, counted, unit_noise
from jaxblend.simulation.noise import noisy, root_power
from jaxblend.simulation.reach import StarWings, grid_sizes, reach
from jaxblend.simulation.scene import Scene
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.streams import Streams

if TYPE_CHECKING:
    import galsim

__all__ = ["DeviceBackend"]

LOST = 2e-5  # of a star's peak, beyond the Fourier grid
MOST_OVERSAMPLING = 8


@dataclass(frozen=True, eq=False)
class DeviceBackend:
    """What draws the blends of one camera; made by `DeviceBackend.of`.

    Attributes
    ----------
    camera : Camera
        Of all blends, but for their PSFs where these vary.
    wings : StarWings
        Of the camera's PSFs.
    oversampling : int
        How many times the Nyquist wavenumber the Fourier grids reach.
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
        return cls(camera, StarWings.of(camera.psfs, camera.survey), _oversampling(camera), chunk)

    def draw(
        self, cameras: Sequence[Camera], random: Sequence[Streams], scenes: Sequence[Scene]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Draw scenes, each with its camera and its streams.

        Yields
        ------
        (n, C, H, W) array, (C, H, W) array
            Of one scene after the other: the sources without noise, and the image with it; float32.
        """
        normal = self._unit_noise(random)  # goes on while the sources are prepared
        isolated = self._isolated(cameras, scenes)
        ends = np.cumsum([len(scene.sources) for scene in scenes])
        for number, (end, scene) in enumerate(zip(ends, scenes, strict=True)):
            own = isolated[end - len(scene.sources) : end]
            yield own, self._with_noise(own.sum(axis=0), random[number], normal, number)

    def _isolated(self, cameras: Sequence[Camera], scenes: Sequence[Scene]) -> Float[np.ndarray, "S C H W"]:
        survey, shape = self.camera.survey, self.camera.shape
        sources = SkySources.concatenate(*(scene.sources.in_bands(survey.bands) for scene in scenes))
        lights = lights_of(sources, np.concatenate([scene.offsets for scene in scenes]), survey)
        blend = np.repeat(np.arange(len(scenes)), [len(scene.sources) for scene in scenes])
        far = reach(sources, self.wings) * np.array([self._wider(camera) for camera in cameras])[blend]
        sizes = grid_sizes(far, shape[0], survey.pixel_scale)
        started = [
            (rows, self._start(lights, rows, int(size), [cameras[i] for i in blend[rows]]))
            for size in np.unique(sizes)
            for rows in _chunks(np.flatnonzero(sizes == size), self.chunk)
        ]
        images = np.empty((len(sources), len(survey.bands), *shape), np.float32)
        for rows, drawn in started:
            images[rows] = np.asarray(drawn)[: len(rows)]
        return images

    def _start(self, lights: Lights, rows: np.ndarray, grid_size: int, cameras: Sequence[Camera]) -> Array:
        scale, stamp_size = self.camera.survey.pixel_scale, self.camera.options.stamp_size
        transfers = [self._transfer(camera, grid_size) for camera in cameras]
        shared = all(transfer is transfers[0] for transfer in transfers)
        return draw_lights(
            Lights(*(_filled(leaf[rows], self.chunk) for leaf in lights)),
            transfers[0][None] if shared else _filled(np.stack(transfers), self.chunk),
            len(rows),
            stamp_size=stamp_size,
            pixel_scale=scale,
            grid_size=grid_size,
            oversampling=self.oversampling,
            together=jax.default_backend() != "cpu",
        )

    def _transfer(self, camera: Camera, grid_size: int) -> np.ndarray:
        """PSF times pixel on a grid; kept for the camera of all blends."""
        if camera is self.camera and grid_size in self._transfers:
            return self._transfers[grid_size]
        survey = camera.survey
        frame = frame_of(camera.options.stamp_size, survey.pixel_scale, grid_size, self.oversampling)
        transfer = _sampled(camera.psfs, frame, survey.pixel_scale)
        if camera is self.camera:
            self._transfers[grid_size] = transfer
        return transfer

    def _wider(self, camera: Camera) -> float:
        """How much wider the PSFs of one blend are than those of all, for GalSim."""
        if camera is self.camera:
            return 1.0
        return max(1.0, *(all_.stepk / own.stepk for all_, own in zip(self.camera.psfs, camera.psfs, strict=True)))

    def _unit_noise(self, random: Sequence[Streams]) -> list[Array]:
        options, survey = self.camera.options, self.camera.survey
        if options.noise_kind is None or self._counts_few:
            return []
        shape = (len(survey.bands), *self.camera.shape)
        correlation = noise_correlation(options.noise_correlation, len(survey.bands))
        power = None if correlation is None else root_power(correlation, shape).astype(np.float32)
        words = np.stack([each.words[streams.NOISE] for each in random])
        kind = random[0].implementation
        return [
            unit_noise(_filled(words[rows], self.chunk), len(rows), power, shape=shape, implementation=kind)
            for rows in _chunks(np.arange(len(words)), self.chunk)
        ]

    @property
    def _counts_few(self) -> bool:
        """Whether so few electrons are counted that their numbers are not nearly Gaussian."""
        return self.camera.options.noise_kind == "poisson" and bool(
            np.any(self.camera.survey.sky_level < FEWEST_COUNTS)
        )

    def _with_noise(self, model: np.ndarray, random: Streams, normal: list[Array], number: int) -> np.ndarray:
        survey, kind = self.camera.survey, self.camera.options.noise_kind
        if kind is None:
            return model
        if self._counts_few:
            return noisy(random.generator(streams.NOISE), model, survey.sky_level).astype(np.float32)
        drawn = np.asarray(normal[number // self.chunk])[number % self.chunk]
        sky = survey.sky_level.astype(np.float32)[:, None, None]
        if kind == "sky":
            return model + np.sqrt(sky) * drawn
        rate = np.maximum(model, 0) + sky
        return counted(rate, drawn) - sky if kind == "poisson" else model + np.sqrt(rate) * drawn


def _oversampling(camera: Camera) -> int:
    """Smallest multiple of Nyquist beyond which the PSFs pass no light that matters."""
    probe = frame_of(16, camera.survey.pixel_scale, 32, MOST_OVERSAMPLING)
    power = np.abs(_sampled(camera.psfs, probe, camera.survey.pixel_scale))
    ky, kx = probe.pixel_wavenumbers()
    beyond = np.maximum(np.abs(ky), kx) / np.pi
    for oversampling in range(1, MOST_OVERSAMPLING):
        if np.max(power[:, beyond > oversampling].sum(axis=-1) / power.sum(axis=(1, 2))) < LOST:
            return oversampling
    return MOST_OVERSAMPLING


def _sampled(
    psfs: Sequence[galsim.GSObject], frame: Frame, pixel_scale: float
) -> Float[np.ndarray, "C Ky Kx"] | Complex[np.ndarray, "C Ky Kx"]:
    """Transfer function of GalSim PSFs with the pixel on the Fourier grid of a frame; real where PSFs are symmetric."""
    width, half = frame.padded[0] * frame.oversampling, frame.padded[0] * frame.oversampling // 2
    step = 2.0 * np.pi / (frame.padded[0] * pixel_scale)
    waves = np.stack([psf.drawKImage(nx=width + 1, ny=width + 1, scale=step).array for psf in psfs])
    rows = np.rint(np.fft.fftfreq(width) * width).astype(int) + half
    transfer = waves[:, rows, half:] * pixel_response(frame)
    return transfer.astype(np.complex64) if np.any(transfer.imag) else transfer.real.astype(np.float32)


def _chunks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]


def _filled(values: np.ndarray, size: int) -> np.ndarray:
    """Add rows of 0 up to a number of rows."""
    return np.concatenate([values, np.zeros((size - len(values), *values.shape[1:]), values.dtype)])
