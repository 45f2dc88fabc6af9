"""Simulated blends: an observation together with everything that is true about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxblend.forward.observation import Observation
from jaxblend.simulation import streams
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.noise import noisy
from jaxblend.simulation.options import ObservingOptions, SimulationOptions, keywords_of, parse_options
from jaxblend.simulation.psf import observation_psf, survey_psfs
from jaxblend.simulation.sample import checked_key
from jaxblend.simulation.scene import Stage
from jaxblend.simulation.seeds import draw_seeds
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.truth import truth_table
from jaxblend.simulation.varying_psf import VaryingPSF

if TYPE_CHECKING:
    import astropy.table


@dataclass(frozen=True, eq=False)
class Blend:
    """A simulated blend and its truth.

    Attributes
    ----------
    observation : Observation
        Image, weight and PSF, in electrons over the full exposure, sky subtracted.
    truth : QTable
        One row per source; see `jaxblend.simulation.truth.truth_table`.
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


@keywords_of(SimulationOptions)
def simulate(survey: Survey, *, key: jax.Array, **options: Any) -> Blend:
    """Simulate one blend, drawn by GalSim.

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
        `gsparams`, `decentring`: see `SimulationOptions`.

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
    return _simulate(Stage.of(survey, parse_options(SimulationOptions, options)), key)


@keywords_of(SimulationOptions)
def simulate_blends(survey: Survey, n: int, *, key: jax.Array, **options: Any) -> Iterator[Blend]:
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
    **options
        As in `simulate`; a `catalog` is read once.

    Returns
    -------
    iterator of Blend
        Each is drawn when it is asked for.

    Raises
    ------
    ValueError, TypeError
        As `simulate`.
    """
    survey, key = _checked_survey(survey), checked_key(key)
    stage = Stage.of(survey, parse_options(SimulationOptions, options))
    return (_simulate(stage, jax.random.fold_in(key, i)) for i in range(n))


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
        `stamp_size`, `psf`, `noise`, `noise_correlation`, `variance`, `artefacts`, `gsparams`, `decentring`: see
        `ObservingOptions`.

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
    return _observe(sources, places, _checked_survey(survey), checked_key(key), chosen, {})


def _simulate(stage: Stage, key: jax.Array) -> Blend:
    scene = stage.draw(key)
    about = {
        "layout": repr(stage.options.effective_layout),
        "shear": {"g1": float(scene.shear[0]), "g2": float(scene.shear[1])},
    }
    return _observe(scene.sources, scene.offsets, stage.survey, key, stage.options, about)


def _observe(
    sources: SkySources,
    offsets: np.ndarray,
    survey: Survey,
    key: jax.Array,
    options: ObservingOptions,
    about: dict[str, object],
) -> Blend:
    shape = (options.stamp_size, options.stamp_size)
    positions = offsets / survey.pixel_scale + 0.5 * (options.stamp_size - 1)
    kind = options.psf
    if isinstance(kind, VaryingPSF):
        kind = kind.draw(streams.generator(key, streams.PSF), survey)
    psfs = survey_psfs(survey, kind)
    isolated = draw_isolated(sources, positions, survey, psfs=psfs, shape=shape, gsparams=options.gsparams)
    model = isolated.sum(axis=0)
    sky = survey.sky_level[:, None, None]
    variance = np.broadcast_to(sky, model.shape) if options.variance == "sky" else sky + np.maximum(model, 0.0)
    image, weight = _detected(model, 1.0 / variance, survey, key, options)
    observation = Observation(
        image.astype(np.float32),
        weight.astype(np.float32),
        observation_psf(survey, kind),
        pixel_scale=survey.pixel_scale,
        bands=survey.bands,
        zero_point=survey.zero_point,
        survey=survey.name,
        noise_correlation=options.noise_correlation,
    )
    truth = truth_table(
        sources, positions, isolated, survey, variance=variance, variance_from=options.variance, about=about
    )
    rng = streams.generator(key, streams.SEEDS)
    seeds = draw_seeds(options.decentring, positions, image, weight, psfs=psfs, survey=survey, rng=rng)
    return Blend(
        observation,
        truth,
        isolated.astype(np.float32),
        positions,
        sources,
        offsets,
        seeds=seeds.positions,
        detected=seeds.detected,
    )


def _detected(
    model: np.ndarray, weight: np.ndarray, survey: Survey, key: jax.Array, options: ObservingOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Image and weight with noise and the detector's defects."""
    image, kind = model, options.noise_kind
    if kind is not None:
        rng = streams.generator(key, streams.NOISE)
        image = noisy(rng, model, survey.sky_level, kind=kind, correlation=options.noise_correlation)
    if options.artefacts is None:
        return image, weight
    image, bad = options.artefacts.draw(streams.generator(key, streams.ARTEFACTS), image, survey.sky_level)
    return image, np.where(bad, 0.0, weight)


def _checked_survey(survey: Any) -> Survey:
    if not isinstance(survey, Survey):
        raise TypeError(f'Got survey={survey!r}, expected a Survey: make it with jaxblend.get_survey("LSST").')
    return survey
