"""One likelihood of two images with WCSs of their own, also where right ascension passes through 0."""

import jax
import numpy as np
import pytest
from astropy.wcs import WCS

import jaxblend as jb
from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.forward.render import render
from jaxblend.priors.sources import sources_of

STARS = np.array([False, True])
FLUXES = {"r": np.array([3000.0, 1500.0]), "i": np.array([5000.0, 1200.0])}
SCALES = {"r": 0.2, "i": 0.3}
PIXELS = np.array([[11.3, 13.8], [21.1, 17.6]])  # in the image in r


def tan_wcs(scale, centre, middle):
    """North up, east left; ``centre`` (ra, dec) lies at the pixel ``middle``, counted from 0."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = centre
    wcs.wcs.crpix = np.array(middle) + 1
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    return wcs


def observe(band, sky, wcs):
    """A galaxy and a star at ``sky`` (2, 2) in degrees: 32 x 32 pixels of noise 1."""
    psf = jb.MoffatPSF(fwhm={"r": 0.8, "i": 0.9}[band], beta=3.0)
    frame = jb.Frame((32, 32), SCALES[band], oversampling=2)
    seeds = frame.pixel_to_sky(np.stack(wcs.world_to_pixel_values(*sky.T), -1))
    vectors = [[0, 0, np.log(f), np.log(0.5), 0.15, -0.1, np.log(0.5), 0.5, -1.5] for f in FLUXES[band]]
    slots = jax.tree.map(jax.numpy.asarray, (np.float32(vectors), np.float32(seeds), np.ones(2, bool), STARS))
    image = np.asarray(render(sources_of(*slots, model=BulgeDisk(), n_bands=1), frame, psf.transfer(frame)))
    image = image + np.random.default_rng(ord(band)).normal(size=image.shape)
    return jb.Observation(image, 1.0, psf, wcs=wcs, bands=[band], zero_point=27.0)


def draw_at(ra):
    """Images in r and i about a right ascension, and where the sources are in degrees."""
    wcs = {"r": tan_wcs(0.2, (ra, -20.0), (15.5, 15.5)), "i": tan_wcs(0.3, (ra, -20.0), (16.2, 14.9))}
    sky = np.stack(wcs["r"].pixel_to_world_values(*PIXELS.T), -1)
    return [observe(b, sky, wcs[b]) for b in "ri"], sky


@pytest.fixture(scope="module")
def joint():
    observations, sky = draw_at(150.0)
    return jb.fit(observations, sky, stars=STARS)


def assert_recovered(fit, sky):
    table = fit.catalog
    for band, fluxes in FLUXES.items():
        pull = (table[f"flux_{band}"] - fluxes) / table[f"flux_{band}_err"]
        assert np.abs(pull).max() < 5
        assert (table[f"flux_{band}_err"] < 0.1 * fluxes).all()
    turn = (np.stack([table["ra"].value, table["dec"].value], -1) - sky + 180) % 360 - 180
    assert np.abs(turn * 3600).max() < 0.03
    np.testing.assert_allclose(fit.chi2, 1.0, atol=0.15)


def test_fluxes_and_places_of_both_images_are_recovered(joint):
    assert_recovered(joint, draw_at(150.0)[1])
    np.testing.assert_allclose(joint.positions, PIXELS, atol=0.15)


def test_bands_stand_in_the_order_of_the_images(joint):
    assert joint.bands == ("r", "i")
    names = joint.catalog.colnames
    assert [n for n in names if n.startswith("flux_") and not n.endswith("_err")] == ["flux_r", "flux_i"]
    assert list(joint.catalog.meta["chi2_per_pixel"]) == ["r", "i"]


def test_positions_of_the_star_are_better_than_from_either_image(joint):
    observations, sky = draw_at(150.0)
    alone = []
    for observation in observations:
        pixels = np.stack(observation.wcs.world_to_pixel_values(*sky.T), -1)
        alone.append(jb.fit(observation, pixels, stars=STARS).errors[:, :2])
    both = joint.errors[:, :2]
    assert (both < alone[0]).all()
    assert (both < alone[1]).all()
    combined = 1 / np.sqrt(alone[0] ** -2 + alone[1] ** -2)
    np.testing.assert_allclose(both[1], combined[1], rtol=0.05)


@pytest.mark.parametrize("ra", [359.9999, 0.0001])
def test_right_ascension_may_pass_through_0(joint, ra):
    observations, sky = draw_at(ra)
    assert np.ptp(sky[:, 0]) > 359  # the sources lie on both sides
    fit = jb.fit(observations, sky, stars=STARS)
    assert_recovered(fit, sky)
    for band in "ri":
        np.testing.assert_allclose(fit.catalog[f"flux_{band}"], joint.catalog[f"flux_{band}"], rtol=5e-3)
