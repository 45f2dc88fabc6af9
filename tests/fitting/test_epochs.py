"""Exposures of one band share its flux, whatever their PSFs, pixels and zero points."""

import galsim
import numpy as np
import pytest

import jaxblend as jb

SKY = np.array([[-0.6, 0.2], [0.9, -0.3]])  # arcsec
FLUX = np.array([4000.0, 2500.0])  # at zero point 27
EPOCHS = (
    {"scale": 0.2, "fwhm": 0.7, "zero_point": 27.0, "seed": 1},
    {"scale": 0.26, "fwhm": 0.9, "zero_point": 28.5, "seed": 2},
)
NOISE = 2.0  # of a pixel, at zero point 27


def exposure(scale, fwhm, zero_point, seed, *, band="r", survey=None, given=True):
    """32 x 32 pixels of two round exponential galaxies, drawn by GalSim."""
    gain = 10 ** (0.4 * (zero_point - 27))
    image = galsim.Image(32, 32, scale=scale)
    psf = galsim.Moffat(beta=3.0, fwhm=fwhm)
    for (u, v), flux in zip(SKY, FLUX, strict=True):
        galaxy = galsim.Exponential(half_light_radius=0.4, flux=flux).shift(u, v)
        galsim.Convolve(galaxy, psf).drawImage(image, add_to_image=True)
    data = gain * (image.array + np.random.default_rng(seed).normal(0, NOISE, (32, 32)))
    options = {"zero_point": zero_point} if given else {}
    psf = jb.MoffatPSF(fwhm=fwhm, beta=3.0)
    return jb.Observation(
        data[None], (gain * NOISE) ** -2, psf, pixel_scale=scale, bands=[band], survey=survey, **options
    )


@pytest.fixture(scope="module")
def epochs():
    return [exposure(**e) for e in EPOCHS]


@pytest.fixture(scope="module")
def joint(epochs):
    return jb.fit(epochs, SKY)


def test_one_flux_in_the_unit_of_the_first_exposure(joint):
    table = joint.catalog
    assert joint.bands == ("r",)
    assert np.abs((table["flux_r"] - FLUX) / table["flux_r_err"]).max() < 4
    assert (table["flux_r_err"] < 0.1 * FLUX).all()
    np.testing.assert_allclose(table["mag_r"].value, 27 - 2.5 * np.log10(table["flux_r"]), rtol=1e-6)


def test_images_are_in_the_unit_of_their_own_exposure(joint, epochs):
    for i, observation in enumerate(epochs):
        pull = (observation.image - joint.image_of(i).sum(0)) * np.sqrt(observation.weight)
        assert abs(np.mean(pull**2) - 1) < 5 * np.sqrt(2 / pull.size)
    assert joint.chi2.shape == (1,)
    assert abs(joint.chi2[0] - 1) < 5 * np.sqrt(2 / 2048)


@pytest.mark.slow
def test_each_exposure_adds_to_what_is_known(joint, epochs):
    alone = [
        jb.fit([observation], [(31 / 2 + p / e["scale"]) for p in SKY]).catalog
        for observation, e in zip(epochs, EPOCHS, strict=True)
    ]
    errors = [alone[0]["flux_r_err"], alone[1]["flux_r_err"] / 10 ** (0.4 * 1.5)]
    assert (joint.catalog["flux_r_err"] < 0.95 * np.minimum(*errors)).all()


@pytest.mark.slow
def test_the_same_exposure_twice_weighs_twice(epochs):
    first = epochs[0]
    twice = jb.fit([first, first], SKY)
    deeper = jb.fit(first.replace(weight=2 * first.weight), 31 / 2 + SKY / 0.2)
    sigma = deeper.errors
    np.testing.assert_allclose(twice.quantities, deeper.quantities, atol=0.05 * sigma.max(), rtol=0)
    np.testing.assert_allclose(twice.errors, sigma, rtol=0.05)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"survey": "HSC"}, "of survey None and 'HSC'"),
        ({"given": False}, "only some of them have a zero point"),
    ],
)
def test_a_band_that_may_be_another_is_refused(epochs, changes, expected):
    with pytest.raises(ValueError, match=expected):
        jb.fit([epochs[0], exposure(**EPOCHS[1], **changes)], SKY)


def test_bands_without_names_are_not_taken_for_one(epochs):
    nameless = [o.replace(bands=("band0",)) for o in epochs]
    with pytest.raises(ValueError, match="name them with bands="):
        jb.fit(nameless, SKY)


def test_a_cutout_far_from_the_middle_of_its_frame_loses_no_digits(epochs):
    observation = epochs[0]
    far = np.array([1e5, -1e5])  # where the middle of the frame lies, in pixels of the cutout
    frame = jb.Frame(observation.shape, 0.2, origin=far, oversampling=observation.frame.oversampling)
    here, there = (jb.fit(o, 31 / 2 + SKY / 0.2) for o in (observation, observation.replace(frame=frame)))
    np.testing.assert_allclose(there.positions, here.positions, atol=1e-5)
    np.testing.assert_allclose(there.quantities, here.quantities, atol=1e-5)
