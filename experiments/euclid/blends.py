"""Small galaxies of 23 to 25 mag in Euclid's visible band, alone and with neighbours."""

import functools
from collections.abc import Sequence

import jax
import numpy as np
from astropy.table import Table

import jaxblend as jb
from jaxblend.simulation.blend import Blend, observe
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.tables import read_sources

SEED = 20261128
SURVEY, BAND = "Euclid_VIS", "IE"
SIDE = 64  # pixels of 0.1"
MAGNITUDES = (23.0, 25.0)
BULGE_RADII, DISK_RADII = (0.01, 0.03), (0.05, 0.35)  # half-light, arcsec
BULGE_FRACTIONS, AXIS_RATIOS = (0.0, 1.0), (0.3, 1.0)
NEIGHBOURS = (1, 3)  # fewest and most, of a blended galaxy; every other galaxy has none
DISTANCES = (0.2, 1.0)  # arcsec from the central galaxy
NOISE, VARIANCE = "poisson", "model"  # weights hold the variance of sky and sources, as a survey's variance map does
MATCHED_WITHIN = 0.3  # arcsec, three pixels: centres of merged or lopsided detections are off
DECENTRING = "pixel"  # the centres that are given are within a pixel of the true ones


@functools.cache
def survey() -> Survey:
    return jb.get_survey(SURVEY)


def galaxies(rng: np.random.Generator, n: int) -> Table:
    """Every parameter uniform in its range, bulge and disk of one shape."""
    ranges = {
        f"mag_{BAND}": MAGNITUDES,
        "bulge_fraction": BULGE_FRACTIONS,
        "bulge_radius": BULGE_RADII,
        "disk_radius": DISK_RADII,
    }
    table = Table({name: rng.uniform(*ends, n) for name, ends in ranges.items()})
    ratio, angle = rng.uniform(*AXIS_RATIOS, n), rng.uniform(0.0, 180.0, n)
    for part in ("bulge", "disk"):
        table[f"{part}_axis_ratio"], table[f"{part}_position_angle"] = ratio, angle
    return table


def draw_blend(number: int) -> Blend:
    """Blend ``number``, the same whatever else is drawn: even ones are a galaxy alone, odd ones have neighbours."""
    rng = np.random.default_rng([SEED, number])
    n = rng.integers(NEIGHBOURS[0], NEIGHBOURS[1] + 1) if number % 2 else 0
    distance, angle = rng.uniform(*DISTANCES, n), rng.uniform(0.0, 2.0 * np.pi, n)
    centre = rng.uniform(-0.5, 0.5, (1, 2)) * survey().pixel_scale
    around = centre + distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return observe(
        read_sources(galaxies(rng, n + 1), survey()),
        np.concatenate([centre, around]),
        survey(),
        key=jax.random.fold_in(jax.random.key(SEED), number),
        stamp_size=SIDE,
        noise=NOISE,
        variance=VARIANCE,
        decentring=DECENTRING,
    )


def counts(evaluation: jb.Evaluation, results: Sequence, blends: Sequence[Blend]) -> dict[str, np.ndarray]:
    """How many galaxies the blend of each source has."""
    return {"n_sources": np.concatenate([np.full(len(b.positions), len(b.positions)) for b in blends])}
