"""Choosing the sources of a blend and their places: seeded by a JAX key, one blend at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxblend.simulation.catsim import read_catsim
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.psf import effective_psf_images
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.truth import signal_to_noise

if TYPE_CHECKING:
    import astropy.table
    import galsim

MAX_TRIES = 2000
POOL_SIZE = 256


@dataclass(frozen=True)
class Selection:
    """Which sources may enter a blend.

    Attributes
    ----------
    max_magnitude : float
        Faintest AB magnitude in `magnitude_band`.
    magnitude_band : str, optional
        By default i where the survey has it, else the survey's reference band.
    min_snr : float
        Lowest S/N of the isolated source in `snr_band`, against the noise of the sky
        alone; see `jaxblend.simulation.truth.signal_to_noise`.
    snr_band : str, optional
        By default the survey's reference band.
    min_separation : float
        Smallest distance between the centres of two sources, arcsec.
    """

    max_magnitude: float = 25.3
    magnitude_band: str | None = None
    min_snr: float = 10.0
    snr_band: str | None = None
    min_separation: float = 0.0

    def bands_in(self, survey: Survey) -> tuple[str, str]:
        """Name the magnitude and the S/N band for a survey."""
        default = "i" if "i" in survey.bands else survey.reference_band
        magnitude_band = default if self.magnitude_band is None else self.magnitude_band
        snr_band = survey.reference_band if self.snr_band is None else self.snr_band
        survey.band_index(magnitude_band)
        survey.band_index(snr_band)
        return magnitude_band, snr_band

    def bright_enough(self, sources: SkySources, survey: Survey) -> np.ndarray:
        """Say whether each source passes the cut in magnitude, (n,)."""
        band, _ = self.bands_in(survey)
        return sources.in_bands((band,)).magnitude[:, 0] < self.max_magnitude


def checked_key(key: Any) -> jax.Array:
    """Return a key as it is.

    Raises
    ------
    TypeError
        If it is not a single typed key.
    """
    is_key = hasattr(key, "dtype") and jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not is_key or key.shape != ():
        raise TypeError(f"Got key={key!r}, expected one typed key: make it with jax.random.key(seed).")
    return key


def numpy_generator(key: jax.Array) -> np.random.Generator:
    """Make a NumPy generator that depends on one typed JAX key and on nothing else.

    Raises
    ------
    TypeError
        If `key` is not a single typed key.
    """
    words = np.asarray(jax.random.key_data(checked_key(key))).ravel()
    return np.random.default_rng([int(word) for word in words])


def draw_offset(rng: np.random.Generator, max_offset: float) -> np.ndarray:
    """Draw a place, uniform in a square about the stamp centre, (2,) arcsec along x and y."""
    return rng.uniform(-max_offset, max_offset, 2)


def separated(offset: np.ndarray, others: list[np.ndarray], min_separation: float) -> bool:
    """Say whether a place is far enough from all the others, in arcsec."""
    return all(np.hypot(*(offset - other)) >= min_separation for other in others)


def draw_count(rng: np.random.Generator, n_sources: int | None, max_sources: int) -> int:
    """Draw the number of sources: as asked, else uniform between 1 and `max_sources`.

    Raises
    ------
    ValueError
        If the number asked for, or the largest, is below 1.
    """
    count = max_sources if n_sources is None else n_sources
    if count < 1:
        raise ValueError(f"Got n_sources={n_sources}, max_sources={max_sources}: a blend has at least one source.")
    return int(rng.integers(1, max_sources + 1)) if n_sources is None else n_sources


def make_pool(
    rng: np.random.Generator,
    catalog: str | PathLike | astropy.table.Table | SkySources | None,
    survey: Survey,
    selection: Selection,
) -> SkySources:
    """Collect the sources that are bright enough to be drawn."""
    if catalog is None:
        # The cut may be in another band than i, or in another survey's i.
        pool = draw_population(rng, POOL_SIZE, survey, max_magnitude=selection.max_magnitude + 0.5)
    elif isinstance(catalog, SkySources):
        pool = catalog
    else:
        pool = read_catsim(catalog, survey)
    passed = selection.bright_enough(pool, survey)
    if not np.any(passed):
        band, _ = selection.bands_in(survey)
        raise ValueError(
            f"None of the {len(pool)} sources is brighter than {selection.max_magnitude} in {band}: "
            "raise `max_magnitude` of the selection, or give another catalogue."
        )
    return pool.take(passed)


def _shuffled(rng: np.random.Generator, rows: np.ndarray) -> Iterator[int]:
    """Yield rows at random without end, each once before any comes again."""
    while True:
        yield from map(int, rng.permutation(rows))


def _largest_snr(pool: SkySources, survey: Survey, psf: galsim.GSObject) -> np.ndarray:
    """Compute the S/N (n,) that each source would have as a point in the only band of a survey: no shape has more."""
    (point,) = effective_psf_images([psf], pixel_scale=survey.pixel_scale, size=65)
    return pool.flux(survey)[:, 0] * signal_to_noise(point, survey.sky_level[0])


def choose_sources(
    rng: np.random.Generator,
    pool: SkySources,
    survey: Survey,
    selection: Selection,
    count: int,
    max_offset: float,
    *,
    psfs: Sequence[galsim.GSObject],
    shape: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows of the pool, (count,), and places, (count, 2) arcsec, of sources that pass the selection."""
    _, band = selection.bands_in(survey)
    index = survey.band_index(band)
    single = survey.only(band)
    centre = 0.5 * (np.array(shape[::-1]) - 1)
    reachable = np.flatnonzero(_largest_snr(pool, single, psfs[index]) >= selection.min_snr)
    if not len(reachable):
        raise ValueError(
            f"None of the {len(pool)} sources reaches S/N {selection.min_snr} in {band}, even if it were a point: "
            "lower `min_snr` of the selection, or give a brighter catalogue."
        )
    rows: list[int] = []
    offsets: list[np.ndarray] = []
    for row in islice(_shuffled(rng, reachable), MAX_TRIES):
        offset = draw_offset(rng, max_offset)
        if not separated(offset, offsets, selection.min_separation):
            continue
        image = draw_isolated(
            pool.take([row]), [offset / survey.pixel_scale + centre], single, psfs=psfs[index : index + 1], shape=shape
        )[0, 0]
        if signal_to_noise(image, single.sky_level[0]) < selection.min_snr:
            continue
        rows.append(row)
        offsets.append(offset)
        if len(rows) == count:
            return np.array(rows), np.array(offsets)
    raise ValueError(
        f"Only {len(rows)} of {count} sources passed {selection} within +-{max_offset} arcsec in {MAX_TRIES} tries: "
        "relax the selection, enlarge `max_offset`, or ask for fewer sources."
    )
