"""Simulated blends: an observation together with everything that is true about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

import jax
import numpy as np

from jaxblend.forward.observation import Observation
from jaxblend.simulation.catsim import read_catsim
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.psf import observation_psf, survey_psfs
from jaxblend.simulation.sample import Selection, choose_sources, draw_count, make_pool, numpy_generator
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.truth import truth_table

if TYPE_CHECKING:
    import astropy.table
    import galsim


SCENE_STREAM, NOISE_STREAM = 0, 1


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
    """

    observation: Observation
    truth: astropy.table.QTable
    isolated: np.ndarray
    positions: np.ndarray
    sources: SkySources
    offsets: np.ndarray


def simulate(
    survey: Survey,
    *,
    key: jax.Array,
    n_sources: int | None = None,
    catalog: str | PathLike | astropy.table.Table | SkySources | None = None,
    max_sources: int = 5,
    stamp_size: int = 64,
    max_offset: float = 2.4,
    selection: Selection | None = None,
    psf: str | galsim.GSObject | Sequence[galsim.GSObject] | None = None,
    noise: bool = True,
    variance: str = "sky",
    gsparams: galsim.GSParams | None = None,
) -> Blend:
    """Simulate one blend, drawn by GalSim.

    Sources are drawn from the catalogue, none twice in a blend before all were tried, placed uniformly in a square
    about the stamp centre, and kept if they pass the selection. Everything follows from `key`; the scene is the
    same with and without noise.

    Parameters
    ----------
    survey : Survey
        See `jaxblend.io.surveys.get_survey`.
    key : typed JAX key
        ``jax.random.key(seed)``.
    n_sources : int, optional
        Number of sources; by default uniform between 1 and `max_sources`.
    catalog : path, table or SkySources, optional
        A CATSIM table (see `read_catsim`), or sources made beforehand. By default a built-in population.
    max_sources : int
        Largest number of sources where `n_sources` is not given.
    stamp_size : int
        Width and height of the images, pixels.
    max_offset : float
        Largest distance of a source from the stamp centre along x and along y, arcsec.
    selection : Selection, optional
        Cuts; by default i < 25.3 and S/N > 10 in the reference band.
    psf : str, GalSim object or one per band, optional
        See `survey_psfs`.
    noise : bool
        Whether to add noise. The weight is that of a noisy image in either case.
    variance : {"sky", "model"}
        What the weight is made of: the sky background only, or the sky and the noiseless model. The noise itself
        is always Poisson noise of both.
    gsparams : galsim.GSParams, optional
        Accuracy of GalSim's drawing.

    Returns
    -------
    Blend
        The observation and its truth.

    Raises
    ------
    ValueError
        If no source of the catalogue passes the selection, or an argument is out of range.
    TypeError
        If `key` is not a typed key.
    """
    _check_survey(survey)
    selection = Selection() if selection is None else selection
    rng = numpy_generator(jax.random.fold_in(_checked(key), SCENE_STREAM))
    pool = make_pool(rng, catalog, survey, selection)
    count = draw_count(rng, n_sources, max_sources)
    rows, offsets = choose_sources(
        rng, pool, survey, selection, count, max_offset, psfs=survey_psfs(survey, psf), shape=(stamp_size, stamp_size)
    )
    return observe(
        pool.take(rows),
        offsets,
        survey,
        key=key,
        stamp_size=stamp_size,
        psf=psf,
        noise=noise,
        variance=variance,
        gsparams=gsparams,
    )


def simulate_blends(
    survey: Survey,
    n: int,
    *,
    key: jax.Array,
    n_sources: int | None = None,
    catalog: str | PathLike | astropy.table.Table | SkySources | None = None,
    max_sources: int = 5,
    stamp_size: int = 64,
    max_offset: float = 2.4,
    selection: Selection | None = None,
    psf: str | galsim.GSObject | Sequence[galsim.GSObject] | None = None,
    noise: bool = True,
    variance: str = "sky",
    gsparams: galsim.GSParams | None = None,
) -> Iterator[Blend]:
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
    n_sources, max_sources, stamp_size, max_offset, selection, psf, noise, variance, gsparams
        As in `simulate`.
    catalog : path, table or SkySources, optional
        As in `simulate`; read once.

    Yields
    ------
    Blend
    """
    _check_survey(survey)
    if catalog is not None and not isinstance(catalog, SkySources):
        catalog = read_catsim(catalog, survey)
    for i in range(n):
        yield simulate(
            survey,
            key=jax.random.fold_in(_checked(key), i),
            n_sources=n_sources,
            catalog=catalog,
            max_sources=max_sources,
            stamp_size=stamp_size,
            max_offset=max_offset,
            selection=selection,
            psf=psf,
            noise=noise,
            variance=variance,
            gsparams=gsparams,
        )


def observe(
    sources: SkySources,
    offsets: np.ndarray | Sequence,
    survey: Survey,
    *,
    key: jax.Array,
    stamp_size: int = 64,
    psf: str | galsim.GSObject | Sequence[galsim.GSObject] | None = None,
    noise: bool = True,
    variance: str = "sky",
    gsparams: galsim.GSParams | None = None,
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
    stamp_size, psf, noise, variance, gsparams
        As in `simulate`.

    Returns
    -------
    Blend
        The observation and its truth.
    """
    if variance not in ("sky", "model"):
        raise ValueError(f'Got variance={variance!r}, expected "sky" or "model".')
    offsets = np.asarray(offsets, float).reshape(len(sources), 2)
    positions = offsets / survey.pixel_scale + 0.5 * (stamp_size - 1)
    psfs = survey_psfs(survey, psf)
    isolated = draw_isolated(sources, positions, survey, psfs=psfs, shape=(stamp_size, stamp_size), gsparams=gsparams)
    model = isolated.sum(axis=0)
    sky = survey.sky_level[:, None, None]
    noise_variance = np.broadcast_to(sky, model.shape) if variance == "sky" else sky + np.maximum(model, 0.0)
    image = model
    if noise:
        image = _add_noise(numpy_generator(jax.random.fold_in(_checked(key), NOISE_STREAM)), model, sky)
    observation = Observation(
        image.astype(np.float32),
        (1.0 / noise_variance).astype(np.float32),
        observation_psf(survey, psf),
        pixel_scale=survey.pixel_scale,
        bands=survey.bands,
        zero_point=survey.zero_point,
        survey=survey.name,
    )
    truth = truth_table(sources, positions, isolated, survey, variance=noise_variance, variance_from=variance)
    return Blend(observation, truth, isolated.astype(np.float32), positions, sources, offsets)


def _check_survey(survey: Survey) -> None:
    if not isinstance(survey, Survey):
        raise TypeError(f'Got survey={survey!r}, expected a Survey: make it with jaxblend.get_survey("LSST").')


def _checked(key: jax.Array) -> jax.Array:
    numpy_generator(key)
    return key


def _add_noise(rng: np.random.Generator, model: np.ndarray, sky: np.ndarray) -> np.ndarray:
    """Draw Poisson noise of model and sky, and subtract the mean sky again."""
    return rng.poisson(np.maximum(model, 0.0) + sky) - sky
