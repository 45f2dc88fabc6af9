import galsim
import jax
import numpy as np
import pytest
from astropy.table import Table

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import simulate
from jaxblend.simulation.cosmos import read_cosmos
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.vectors import bulge_disk_vectors

SHAPE = (48, 48)


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="ri")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """In GalSim's format: bulge and disk, Sersic 1.37, Sersic 4.2, nothing, no magnitude in r."""
    n = 5
    sersic, bulge = np.zeros((n, 8)), np.zeros((n, 16))
    sersic[:, 2], sersic[:, 3], sersic[:, 7] = [1.0, 1.37, 4.2, 1.0, 1.0], 0.6, 0.4
    bulge[:, 3], bulge[:, 7], bulge[:, 11], bulge[:, 15] = 0.4, 1.1, 0.8, 0.9
    table = Table(
        {
            "IDENT": np.arange(n),
            "fit_status": np.ones((n, 5), int),
            "sersicfit": sersic,
            "bulgefit": bulge,
            "use_bulgefit": [1, 0, 0, 0, 1],
            "viable_sersic": [1, 1, 1, 0, 1],
            "hlr": np.tile([0.5, 0.3, 0.7], (n, 1)),
            "flux": np.tile([10.0, 4.0, 6.0], (n, 1)),
            "mag_auto": np.full(n, 22.0),
            "zphot": np.full(n, 0.7),
            "HSC_r": [22.5, 22.5, 22.5, 22.5, 99.0],
            "HSC_i": np.full(n, 22.1),
        }
    )
    folder = tmp_path_factory.mktemp("cosmos")
    table.write(folder / "cosmos_fits.fits")
    return galsim.COSMOSCatalog("cosmos_fits.fits", dir=str(folder), use_real=False, exclusion_level="none")


def test_fits_are_drawn_as_galsim_draws_them(catalog, survey):
    sources = read_cosmos(catalog, survey)
    np.testing.assert_array_equal(sources.row, [0, 1, 2])
    np.testing.assert_allclose(sources.magnitude, [[22.5, 22.1]] * 3)
    images = draw_isolated(sources, [(23.5, 23.5)] * 3, survey, psfs=survey_psfs(survey), shape=SHAPE)
    for i in range(3):
        profile = catalog.makeGalaxy(i, gal_type="parametric").withFlux(sources.flux(survey)[i, 0])
        seen = galsim.Convolve(profile, survey_psfs(survey)[0])
        expected = seen.drawImage(nx=48, ny=48, scale=survey.pixel_scale, dtype=float).array
        np.testing.assert_allclose(images[i, 0], expected, atol=1e-4 * expected.max())


def test_numbers_of_the_fits_are_in_the_truth(catalog, survey):
    sources = read_cosmos(catalog, survey)
    np.testing.assert_allclose(sources.bulge_fraction[:, 0], [0.4, 0.0, 1.0])
    np.testing.assert_allclose(sources.half_light_radius("r")[1:], 0.5)
    modulus = 0.4 / 1.6
    np.testing.assert_allclose(sources.shape("r")[1:], [[modulus * np.cos(0.8), modulus * np.sin(0.8)]] * 2)
    np.testing.assert_array_equal(sources.redshift, 0.7)


def test_sersic_profiles_can_be_rounded_to_what_the_device_draws(catalog, survey):
    exact, rounded = (read_cosmos(catalog, survey, sersic=kind) for kind in ("exact", "round"))
    assert rounded.profile is None
    for name in ("bulge_radius", "disk_radius", "bulge_g", "disk_g", "bulge_fraction"):
        np.testing.assert_array_equal(getattr(rounded, name), getattr(exact, name))
    assert np.isfinite(bulge_disk_vectors(rounded, survey)).all()
    with pytest.raises(ValueError, match='sersic="round"'):
        bulge_disk_vectors(exact, survey)


def test_bands(catalog):
    hst = get_survey("COSMOS")
    np.testing.assert_array_equal(read_cosmos(catalog, hst).magnitude, 22.0)
    with pytest.raises(ValueError, match="no 'HSC_g' for the band 'g'"):
        read_cosmos(catalog, get_survey("LSST", bands="gr"))
    vis = get_survey("Euclid_VIS")
    np.testing.assert_array_equal(read_cosmos(catalog, vis, columns={"IE": "HSC_i"}).magnitude, 22.1)
    with pytest.raises(ValueError, match="sersic='both'"):
        read_cosmos(catalog, hst, sersic="both")


def test_images_of_the_sample(shared_data, survey):
    folder = str(shared_data / "cosmos")
    catalog = galsim.COSMOSCatalog("real_galaxy_catalog.fits", dir=folder, exclusion_level="none")
    with pytest.raises(ValueError, match="none of the fits"):
        read_cosmos(catalog, survey)
    sources = read_cosmos(catalog, survey, real=True)
    assert len(sources) == 50
    one = int(sources.magnitude[:, 1].argmin())
    image = draw_isolated(sources.take([one]), [(23.5, 23.5)], survey, psfs=survey_psfs(survey), shape=SHAPE)[0, 1]
    galaxy = catalog.makeGalaxy(one, gal_type="real", noise_pad_size=0).withFlux(sources.flux(survey)[one, 1])
    seen = galsim.Convolve(galaxy, survey_psfs(survey)[1])
    expected = seen.drawImage(nx=48, ny=48, scale=survey.pixel_scale, dtype=float).array
    np.testing.assert_allclose(image, expected, atol=1e-5 * expected.max())
    selection = Selection(max_magnitude=24.5)
    options = {"catalog": sources, "selection": selection, "rotate": True, "stamp_size": 32}
    blend = simulate(survey, key=jax.random.key(0), **options)
    assert np.isnan(blend.truth["radius"]).all()
    assert (blend.truth["mag_i"].value < 24.5).all()
    np.testing.assert_array_equal(
        read_cosmos(catalog, get_survey("COSMOS"), real=True).magnitude[:, 0], catalog.real_cat.mag
    )
