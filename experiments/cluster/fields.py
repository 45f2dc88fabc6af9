"""Cores of clusters of galaxies as LSST sees them: a red sequence about its brightest member, drawn by GalSim."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import numpy as np

import jaxblend as jb
from jaxblend.simulation.blend import Blend, observe
from jaxblend.simulation.layouts import Cluster, RedSequence
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey

SEED = 20261128
SURVEY, BANDS, BAND, PSF = "LSST", "gri", "r", "kolmogorov"
SIDE = 96  # pixels
MARGIN = 10  # pixels: sources nearer to the edge are in the image, and in no statistic
REDSHIFT = 0.3
LAYOUTS = {
    profile: Cluster(
        richness=20,
        radius=5.0,
        profile=profile,
        red_sequence=RedSequence(redshift=REDSHIFT),
        field_per_arcmin2=30.0,
    )
    for profile in ("beta", "nfw")
}
SELECTION = Selection(max_magnitude=24.5, magnitude_band="i", min_snr=10.0, snr_band="r")
POOL = 1000  # galaxies and stars, of which a field is made
NOISE, VARIANCE = "poisson", "sky"
GAIN = 1.0  # photons per unit of flux: images are in electrons
# Of the galaxy in the middle, an elliptical: the brightest of as few members as fit on the stamp is no cD galaxy.
CENTRAL_MAGNITUDE, CENTRAL_RADIUS = 18.5, 2.0  # i; half-light, arcsec


@functools.cache
def survey() -> Survey:
    return jb.get_survey(SURVEY, BANDS)


def draw_field(number: int) -> Blend:
    """Field ``number``, of the profiles in turn: the same whatever else is drawn.

    Weights are of the sky alone, and a gain is given: light adds its photon noise, which for the central galaxy is
    above the sky's, and a deblender has to take it from its own model as it would in a survey.
    """
    key, how = jax.random.fold_in(jax.random.key(SEED), number), {"stamp_size": SIDE, "psf": PSF}
    scene = jb.simulate(
        survey(),
        key=key,
        catalog=_sources(number),
        layout=LAYOUTS[profile_of(number)],
        rotate=True,
        selection=SELECTION,
        noise=False,
        **how,
    )
    sources = with_elliptical(scene.sources)
    blend = observe(sources, scene.offsets, survey(), key=key, noise=NOISE, variance=VARIANCE, **how)
    return dataclasses.replace(blend, observation=blend.observation.replace(gain=np.full(len(BANDS), GAIN)))


def with_elliptical(sources: SkySources) -> SkySources:
    """Make the first source, which is the member in the middle, a large and bright elliptical of its colours."""
    first = np.arange(len(sources)) == 0
    brighter = CENTRAL_MAGNITUDE - sources.magnitude[0, sources.bands.index("i")]
    return dataclasses.replace(
        sources,
        magnitude=sources.magnitude + np.where(first, brighter, 0.0)[:, None],
        bulge_fraction=np.where(first[:, None], 1.0, sources.bulge_fraction),
        bulge_radius=np.where(first, CENTRAL_RADIUS, sources.bulge_radius),
        bulge_g=np.where(first[:, None], sources.shape(BAND), sources.bulge_g),
        disk_radius=np.where(first, 0.0, sources.disk_radius),
    )


def profile_of(number: int) -> str:
    return tuple(LAYOUTS)[number % len(LAYOUTS)]


def memberships(evaluation: jb.Evaluation, results: Sequence, blends: Sequence[Blend]) -> dict[str, np.ndarray]:
    """Which sources are members, which are in the middle, their true g-r, and arcsec from the middle."""
    truths = [blend.truth for blend in blends]
    member = np.concatenate([(t["kind"] == "galaxy") & (np.asarray(t["redshift"]) == REDSHIFT) for t in truths])
    colour = np.concatenate([t["mag_g"].value - t["mag_r"].value for t in truths])
    radius = np.concatenate([np.hypot(*blend.offsets.T) for blend in blends])
    return {"member": member, "central": member & (radius == 0), "true_colour": colour, "radius_in_cluster": radius}


def _sources(number: int) -> SkySources:
    rng = np.random.default_rng([SEED, number])
    return draw_population(rng, POOL, survey(), max_magnitude=SELECTION.max_magnitude)
