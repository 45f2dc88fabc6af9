"""The whole of ``deblend`` on a crowded frame that GalSim drew: found, parted, and measured within the error bars."""

import jax
import numpy as np
import pytest
from scipy.spatial import KDTree

import jaxblend as jb
from jaxblend.simulation import draw_population, observe

N_SOURCES, SIDE, SEED = 12, 128, 7
HALF = 9.0  # arcsec, of the square that they lie in
APART = 1.2  # arcsec, one and a half times the FWHM: what lies closer may be one detection


def scattered(rng):
    """Places (n, 2) in arcsec from the middle, none closer to another than ``APART``."""
    places = []
    while len(places) < N_SOURCES:
        place = rng.uniform(-HALF, HALF, 2)
        if all(np.hypot(*(place - other)) > APART for other in places):
            places.append(place)
    return np.array(places)


@pytest.fixture(scope="module")
def crowd():
    """Blend and scene: galaxies and stars of i < 24.5 in r as LSST sees them, S/N 29 and more."""
    survey, rng = jb.get_survey("LSST", bands="r"), np.random.default_rng(SEED)
    sources = draw_population(rng, N_SOURCES, survey, min_magnitude=22.0, max_magnitude=24.5, star_fraction=0.15)
    blend = observe(
        sources,
        scattered(rng),
        survey,
        key=jax.random.key(SEED),
        stamp_size=SIDE,
        psf="kolmogorov",
        variance="model",
    )
    return blend, jb.deblend(blend.observation)


# More than a minute where nothing is compiled yet: every size of group and stamp is a program of its own.
@pytest.mark.slow
def test_every_source_is_found_once(crowd):
    blend, scene = crowd
    found = np.stack([scene.catalog[name].value for name in ("x", "y")], 1)
    distance, match = KDTree(found).query(blend.positions)
    assert len(found) == N_SOURCES
    assert len(set(match)) == N_SOURCES
    assert distance.max() < 0.5
    assert blend.truth["blendedness"].max() > 0.3
    assert np.bincount(scene.groups).max() > 1


@pytest.mark.slow
def test_fluxes_are_within_their_error_bars(crowd):
    blend, scene = crowd
    found = np.stack([scene.catalog[name].value for name in ("x", "y")], 1)
    rows = scene.catalog[KDTree(found).query(blend.positions)[1]]
    error = np.asarray(rows["flux_r_err"])
    pulls = (np.asarray(rows["flux_r"]) - blend.truth["flux_r"].value) / error
    assert np.mean(np.abs(pulls) < 3) >= 0.8
    assert np.abs(pulls).max() < 10
    # Not more than blending and an unknown shape cost: the S/N of a known shape, alone, is the most there can be.
    relative = error / blend.truth["flux_r"].value * blend.truth["snr"]
    assert relative.min() > 0.9
    assert np.median(relative) < 3


@pytest.mark.slow
def test_what_is_left_is_noise(crowd):
    blend, scene = crowd
    chi2 = np.mean(scene.residual**2 * blend.observation.weight)
    assert abs(chi2 - 1) < 5 * np.sqrt(2 / SIDE**2)
