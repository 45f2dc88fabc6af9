"""The LSST set: blends of 1 to 5 galaxies within 2.4 arcsec of the stamp centre, drawn by GalSim."""

from os import PathLike

import jax

from jaxblend.forward.observation import Observation
from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import Blend, simulate_blends
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.survey import Survey

BANDS = "ugrizy"
NUMBER, SEED = 100, 0
MAX_SOURCES = 5
MAX_OFFSET = 2.4  # arcsec
STAMP_SIZE = 64  # pixels
SELECTION = Selection(max_magnitude=25.3, magnitude_band="i", min_snr=10.0, snr_band="r")


def lsst_survey() -> Survey:
    """LSST at its full depth."""
    return get_survey("LSST", bands=BANDS)


def lsst_blends(catalog: str | PathLike, n: int = NUMBER, *, variance: str = "model") -> list[Blend]:
    """Galaxies with i < 25.3 and S/N > 10 in r from a CATSIM table, none twice in a blend, with Kolmogorov PSFs.

    Blend i is the same whatever n. ``variance`` says what the weights hold: "sky", or "model" for the sky and the
    photons of the sources.
    """
    blends = simulate_blends(
        lsst_survey(),
        n,
        key=jax.random.key(SEED),
        catalog=catalog,
        max_sources=MAX_SOURCES,
        max_offset=MAX_OFFSET,
        stamp_size=STAMP_SIZE,
        selection=SELECTION,
        psf="kolmogorov",
        variance=variance,
    )
    return list(blends)


def one_band(observation: Observation, band: str) -> Observation:
    """The same pixels in one band alone."""
    i = observation.bands.index(band)
    return Observation(
        observation.image[i : i + 1],
        observation.weight[i : i + 1],
        jax.tree.map(lambda x: x[i : i + 1], observation.psf),
        pixel_scale=float(observation.frame.pixel_scale),
        bands=(band,),
        zero_point=observation.zero_point[i : i + 1],
    )
