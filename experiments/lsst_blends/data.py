"""The LSST set: blends of 1 to 5 galaxies within 2.4 arcsec of the stamp centre, drawn by GalSim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike

import jax

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import Blend, simulate_blends
from jaxblend.simulation.sample import Selection

MAX_SOURCES = 5
MAX_OFFSET = 2.4  # arcsec
STAMP_SIZE = 64  # pixels
SELECTION = Selection(max_magnitude=25.3, magnitude_band="i", min_snr=10.0, snr_band="r")


def lsst_blends(
    catalog_path: str | PathLike, n: int = 100, seed: int = 0, bands: str | Sequence[str] = "ugrizy"
) -> Iterator[Blend]:
    """Yield the blends of the experiment, one by one.

    Galaxies with i < 25.3 and S/N > 10 in r from a CATSIM table, none twice in a blend, at LSST's full depth,
    with Kolmogorov PSFs. Blend i is the same whatever n, and the same galaxies stand in the same places whatever
    the bands, as long as these hold i and r.

    Parameters
    ----------
    catalog_path : path
        CATSIM table in FITS.
    n : int
        How many blends.
    seed : int
        Seed of the set.
    bands : str or sequence of str
        LSST bands; they must hold i and r, in which the galaxies are selected.

    Yields
    ------
    Blend
        The observation, its truth and the isolated images.
    """
    survey = get_survey("LSST", bands=bands)
    yield from simulate_blends(
        survey,
        n,
        key=jax.random.key(seed),
        catalog=catalog_path,
        max_sources=MAX_SOURCES,
        max_offset=MAX_OFFSET,
        stamp_size=STAMP_SIZE,
        selection=SELECTION,
        psf="kolmogorov",
    )
