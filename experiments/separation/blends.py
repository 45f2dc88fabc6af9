"""BLISS's pair of galaxies on the pixels of SDSS, drawn by GalSim."""

import dataclasses
import functools

import jax
import numpy as np

import jaxblend as jb
from jaxblend.simulation.blend import Blend, observe
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey

SEED = 20261125
SURVEY, BAND = "SDSS", "r"
SIDE = 40  # pixels
SEPARATIONS = tuple(range(1, 13))  # pixels
FLUXES = {"bright": (2e5, 1e5), "faint": (2e4, 1e4)}  # electrons; the bright ones are BLISS's
MAJOR_AXES = (1.5, 1.0)  # arcsec, half-light
AXIS_RATIO = 0.7
CASES = len(SEPARATIONS) * len(FLUXES)


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """A blend, how far apart its two galaxies are (pixels), and the name of their brightness."""

    blend: Blend
    separation: int
    brightness: str


@functools.cache
def survey() -> Survey:
    return jb.get_survey(SURVEY, BAND)


def draw_pair(number: int) -> Pair:
    """Every separation and brightness in turn; direction, place in the pixel and noise are each blend's own."""
    brightness = tuple(FLUXES)[number % len(FLUXES)]
    separation = SEPARATIONS[number // len(FLUXES) % len(SEPARATIONS)]
    rng = np.random.default_rng([SEED, number])
    angle, middle = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(-0.5, 0.5, 2)
    arm = 0.5 * separation * np.array([np.cos(angle), np.sin(angle)])
    blend = observe(
        galaxies(FLUXES[brightness]),
        survey().pixel_scale * np.stack([middle - arm, middle + arm]),
        survey(),
        key=jax.random.fold_in(jax.random.key(SEED), number),
        stamp_size=SIDE,
        noise="poisson",
        variance="model",
        decentring="pixel",
    )
    return Pair(blend, separation, brightness)


def galaxies(fluxes: tuple[float, float]) -> SkySources:
    """Two exponential disks, each along the other's minor axis, the first 1.5 times as large."""
    none, n = np.zeros((2, 1)), np.zeros(2)
    g = (1.0 - AXIS_RATIO) / (1.0 + AXIS_RATIO) * np.array([[0.0, 1.0], [0.0, -1.0]])
    return SkySources(
        bands=survey().bands,
        magnitude=survey().magnitude(np.array(fluxes)[:, None]),
        bulge_fraction=none,
        point_fraction=none,
        bulge_radius=n,
        disk_radius=np.sqrt(AXIS_RATIO) * np.array(MAJOR_AXES),
        bulge_g=g,
        disk_g=g,
        redshift=n + np.nan,
        row=np.arange(2),
    )
