"""Simulated blends: an observation together with everything that is true about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxblend.forward.observation import Observation
from jaxblend.simulation import streams
from jaxblend.simulation.camera import Camera
from jaxblend.simulation.device_backend import DeviceBackend
from jaxblend.simulation.device_images import check_drawable
from jaxblend.simulation.galsim_backend import draw_scenes
from jaxblend.simulation.options import ObservingOptions, SimulationOptions, keywords_of, parse_options
from jaxblend.simulation.sample import checked_key
from jaxblend.simulation.scene import Scene, Stage
from jaxblend.simulation.seeds import draw_seeds
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.streams import Streams
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.truth import blendedness, signal_to_noise, truth_table

if TYPE_CHECKING:
    import astropy.table

Pixels = tuple[np.ndarray, np.ndarray, np.ndarray]
Backend = Callable[[Sequence[Camera], Sequence[Streams], Sequence[Scene]], Iterator[Pixels]]


@dataclass(frozen=True, eq=False)
class Blend:
    """A simulated blend and its truth.

    Attributes
    ----------
    observation : Observation
        Image, weight and PSF, in electrons over the full exposure, sky subtracted.
    truth : QTable
        One row per source; see `jaxblend.simulation.truth.truth_table`. Tabulated when it is first asked for.
    isolated : (n, C, H, W) array
        Each source alone, without noise, float32.
    positions : (n, 2) array
        True pixel x, y.
    sources : SkySources
        The light that was drawn, independent of the survey.
    offsets : (n, 2) array
        True places along x and y from the stamp centre, arcsec.
    seeds : (n, 2) array
        Pixel x, y for a deblender to start from: the option `decentring`.
    detected : (n,) array of bool, optional
        Which of the seeds are detected peaks; None where no peaks were looked for.
    """

    observation: Observation
    truth: astropy.table.QTable
    isolated: np.ndarray
    positions: np.ndarray
    sources: SkySources
    offsets: np.ndarray
    seeds: np.ndarray
    detected: np.ndarray | None = None

    @classmethod
    def untabulated(cls, tabulate: Callable[[], astropy.table.QTable], **others: Any) -> Blend:
        """Make a blend of all else, and of a function that makes its truth."""
        blend = object.__new__(cls)
        for name, value in (others | {"_tabulate": tabulate}).items():
            object.__setattr__(blend, name, value)
        return blend

    def __getattr__(self, name: str) -> Any:
        """Tabulate the truth: astropy takes longer to make a table than the device to draw a galaxy."""
        if name != "truth" or "_tabulate" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        object.__setattr__(self, "truth", vars(self)["_tabulate"]())
        return self.truth


@keywords_of(SimulationOptions)
def simulate(survey: Survey, *, key: jax.Array, **options: Any) -> Blend:
    """Simulate one blend, drawn by GalSim or on the device.

    Sources are drawn from the catalogue, none twice in a blend before all were tried, placed by the layout (by
    default uniformly in a square about the stamp centre), and kept if they pass the selection. Everything follows
    from `key`; the scene is the same with and without noise.

    Parameters
    ----------
    survey : Survey
        See `jaxblend.io.surveys.get_survey`.
    key : typed JAX key
        ``jax.random.key(seed)``.
    **options
        `n_sources`, `catalog`, `max_sources`, `max_offset`, `selection`, `layout`, `rotate`, `shear`,
        `shear_positions`, `dither`, `stamp_size`, `psf`, `noise`, `noise_correlation`, `variance`, `artefacts`,
        `gsparams`, `decentring`, `backend`: see `SimulationOptions`.

    Returns
    -------
    Blend
        The observation and its truth.

    Raises
    ------
    ValueError
        If no source of the catalogue passes the selection, or an argument is out of range.
    TypeError
        If `key` is not a typed key, or there is no such option.
    """
    survey, key = _checked_survey(survey), checked_key(key)
    stage, camera = _prepared(survey, parse_options(SimulationOptions, options))
    return next(_draw(stage, camera, [[Streams.of(key)]]))


@keywords_of(SimulationOptions)
def simulate_blends(survey: Survey, n: int, *, key: jax.Array, batch_size: int = 32, **options: Any) -> Iterator[Blend]:
    """Simulate n blends, one after the other.

    Blend i depends on ``jax.random.fold_in(key, i)`` alone: it is the same whatever n, and the same as
    ``simulate(survey, key=jax.random.fold_in(key, i), ...)``.

    Parameters
    ----------
    survey : Survey
        See `simulate`.
    n : int
        How many blends.
    key : typed JAX key
        ``jax.random.key(seed)``.
    batch_size : int
        Blends that are drawn together with ``backend="device"``: they do not depend on it.
    **options
        As in `simulate`; a `catalog` is read once.

    Returns
    -------
    iterator of Blend
        Each is drawn when it, or the first of its batch, is asked for.

    Raises
    ------
    ValueError, TypeError
        As `simulate`.
    """
    survey, key = _checked_survey(survey), checked_key(key)
    if batch_size < 1:
        raise ValueError(f"Got batch_size={batch_size}, expected at least one blend.")
    stage, camera = _prepared(survey, parse_options(SimulationOptions, options))
    size = batch_size if stage.options.backend == "device" else 1
    batches = (Streams.numbered(key, first, min(size, n - first)) for first in range(0, n, size))
    return _draw(stage, camera, batches)


@keywords_of(ObservingOptions)
def observe(
    sources: SkySources, offsets: np.ndarray | Sequence, survey: Survey, *, key: jax.Array, **options: Any
) -> Blend:
    """Draw given sources at given places as one survey sees them.

    With the sources and offsets of a blend, it shows the same sky to another instrument.

    Parameters
    ----------
    sources : SkySources
        The n sources, with magnitudes in all bands of the survey.
    offsets : (n, 2) array
        Places along x and y from the stamp centre, arcsec.
    survey : Survey
        What observes.
    key : typed JAX key
        Seeds the noise.
    **options
        `stamp_size`, `psf`, `noise`, `noise_correlation`, `variance`, `artefacts`, `gsparams`, `decentring`,
        `backend`: see `ObservingOptions`.

    Returns
    -------
    Blend
        The observation and its truth.

    Raises
    ------
    ValueError, TypeError
        As `simulate`.
    """
    chosen = parse_options(ObservingOptions, options)
    places = np.asarray(offsets, float).reshape(len(sources), 2)
    camera, random = Camera.of(_checked_survey(survey), chosen), Streams.of(checked_key(key))
    return next(_seen(camera, _backend(camera), [random], [Scene(sources, places, np.zeros(2))], [{}]))


def _prepared(survey: Survey, options: SimulationOptions) -> tuple[Stage, Camera]:
    stage = Stage.of(survey, options)
    if options.backend == "device" and stage.catalog is not None:
        check_drawable(stage.catalog.sources)
    return stage, Camera.of(survey, options)


def _draw(stage: Stage, camera: Camera, batches: Iterable[Sequence[Streams]]) -> Iterator[Blend]:
    """Draw blends, one batch of scenes after the other."""
    backend = _backend(camera)
    for random in batches:
        scenes = [stage.draw(each) for each in random]
        yield from _seen(camera, backend, random, scenes, map(stage.about, scenes))


def _backend(camera: Camera) -> Backend:
    return DeviceBackend.of(camera).draw if camera.options.backend == "device" else draw_scenes


def _seen(
    camera: Camera,
    backend: Backend,
    random: Sequence[Streams],
    scenes: Sequence[Scene],
    about: Iterable[Mapping[str, object]],
) -> Iterator[Blend]:
    cameras = [camera.for_blend(each) for each in random]
    return map(_finished, cameras, random, scenes, backend(cameras, random, scenes), about)


def _finished(
    camera: Camera,
    random: Streams,
    scene: Scene,
    pixels: Pixels,
    about: Mapping[str, object],
) -> Blend:
    """The blend of isolated images (n, C, H, W), of their sum and of the image with noise: weight, truth, seeds."""
    survey, options, (isolated, model, image) = camera.survey, camera.options, pixels
    positions = camera.positions(scene.offsets)
    variance = camera.variance(model)
    weight = camera.weight(variance)
    if options.artefacts is not None:
        image, bad = options.artefacts.draw(random.generator(streams.ARTEFACTS), image, survey.sky_level)
        weight = np.where(bad, 0.0, weight)
    band = survey.band_index(survey.reference_band)
    tabulate = partial(
        truth_table,
        scene.sources,
        positions,
        survey,
        snr=signal_to_noise(isolated[:, band], variance[band]),
        blended=blendedness(isolated[:, band]),
        about={"variance": options.variance_kind, **about},
    )
    rng = random.generator(streams.SEEDS)
    seeds = draw_seeds(options.decentring, positions, image, weight, psfs=camera.psfs, survey=survey, rng=rng)
    return Blend.untabulated(
        tabulate,
        observation=camera.observation(image, weight),
        isolated=isolated.astype(np.float32, copy=False),
        positions=positions,
        sources=scene.sources,
        offsets=scene.offsets,
        seeds=seeds.positions,
        detected=seeds.detected,
    )


def _checked_survey(survey: Any) -> Survey:
    if not isinstance(survey, Survey):
        raise TypeError(f'Got survey={survey!r}, expected a Survey: make it with jaxblend.get_survey("LSST").')
    return survey
