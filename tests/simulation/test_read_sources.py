import astropy.units as u
import galsim
import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.tables import read_sources
from jaxblend.simulation.vectors import bulge_disk_vectors


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="ri")


def table(**columns):
    return Table({"mag_r": [22.0, 23.0], "mag_i": [21.5, 22.5]} | columns)


def test_names_and_a_map_of_columns(survey):
    data = Table({"R": [22.0], "I": [21.0], "hlr": [0.7], "e1": [0.1], "e2": [-0.2], "bt": [0.3], "z": [0.4]})
    columns = {"mag_r": "R", "mag_i": "I", "radius": "hlr", "g1": "e1", "g2": "e2", "bulge_fraction": "bt"}
    sources = read_sources(data, survey, columns=columns | {"redshift": "z"})
    np.testing.assert_array_equal(sources.magnitude, [[22.0, 21.0]])
    np.testing.assert_array_equal(sources.bulge_fraction, [[0.3, 0.3]])
    assert sources.bulge_radius == sources.disk_radius == 0.7
    np.testing.assert_array_equal(sources.bulge_g, [[0.1, -0.2]])
    np.testing.assert_array_equal(sources.disk_g, sources.bulge_g)
    assert sources.redshift == 0.4
    assert sources.place is None


def test_bulge_and_disk_of_their_own(survey):
    data = table(
        bulge_fraction_r=[0.2, 0.0],
        bulge_fraction_i=[0.4, 0.0],
        point_fraction=[0.1, 0.0],
        bulge_radius=[0.3, np.nan],
        a=[0.8, 0.9],
        b=[0.5, 0.4],
        position_angle=[45.0, 90.0],
        bulge_axis_ratio=[1.0, 1.0],
        bulge_position_angle=[0.0, 0.0],
    )
    sources = read_sources(data, survey)
    np.testing.assert_array_equal(sources.bulge_fraction, [[0.2, 0.4], [0.0, 0.0]])
    np.testing.assert_allclose(sources.disk_fraction[0], [0.7, 0.5])
    np.testing.assert_array_equal(sources.bulge_radius, [0.3, 0.0])
    np.testing.assert_allclose(sources.disk_radius, np.sqrt([0.4, 0.36]))
    np.testing.assert_allclose(sources.disk_g, [[0, 0.3 / 1.3], [-0.5 / 1.3, 0]], atol=1e-15)
    np.testing.assert_array_equal(sources.bulge_g, 0.0)


def test_units_are_converted_and_stars_need_no_size(survey):
    data = table(radius=[0.01, 0.0] * u.arcmin, is_star=[False, True])
    sources = read_sources(data, survey)
    np.testing.assert_allclose(sources.disk_radius, [0.6, 0.0])
    np.testing.assert_array_equal(sources.is_star, [False, True])
    a_and_ratio = table(a=[1.0, 2.0], axis_ratio=[0.25, 1.0], position_angle=np.radians([30.0, 0.0]) * u.rad)
    turned = read_sources(a_and_ratio, survey)
    np.testing.assert_allclose(turned.disk_radius, [0.5, 2.0])
    np.testing.assert_allclose(turned.disk_g[0], 0.6 * np.array([0.5, np.sqrt(0.75)]))


def test_places(survey):
    flat = read_sources(table(radius=[0.5, 0.5], x=[1.0, 2.0] * u.arcmin, y=[0.0, 3.0]), survey)
    np.testing.assert_allclose(flat.place, [[60.0, 0.0], [120.0, 3.0]])
    sky = read_sources(table(radius=[0.5, 0.5], ra=[10.0, 10.0], dec=[0.0, 0.01]), survey)
    np.testing.assert_allclose(sky.place, [[0.0, -18.0], [0.0, 18.0]], atol=1e-4)


def test_a_sersic_index_is_drawn_or_rounded(survey):
    data = table(radius=[0.6, 0.6], sersic_index=[2.0, 3.3], g1=[0.2, 0.2], g2=[0.1, 0.1])
    sources = read_sources(data, survey)
    np.testing.assert_array_equal(sources.bulge_fraction[:, 0], [0.0, 1.0])
    images = draw_isolated(sources, [(19.5, 19.5)] * 2, survey, psfs=survey_psfs(survey), shape=(40, 40))[:, 0]
    for index, image in zip((2.0, 3.3), images, strict=True):
        flux = sources.flux(survey)[0 if index == 2.0 else 1, 0]
        profile = galsim.Sersic(n=index, half_light_radius=0.6, flux=flux).shear(g1=0.2, g2=0.1)
        seen = galsim.Convolve(profile, survey_psfs(survey)[0])
        expected = seen.drawImage(nx=40, ny=40, scale=0.2, dtype=float).array
        np.testing.assert_allclose(image, expected, atol=1e-4 * expected.max())
    rounded = read_sources(data, survey, sersic="round")
    assert rounded.profile is None
    assert np.isfinite(bulge_disk_vectors(rounded, survey)).all()
    np.testing.assert_array_equal(rounded.half_light_radius("r").round(6), 0.6)


def test_galaxies_of_one_profile_and_of_two_in_one_table(survey):
    data = table(radius=[0.6, 0.5], sersic_index=[1.0, np.nan], bulge_fraction=[0.0, 0.4])
    sources = read_sources(data, survey)
    assert sources.profile is not None
    assert sources.profile[1] is None
    np.testing.assert_array_equal(sources.bulge_fraction[:, 0], [0.0, 0.4])
    np.testing.assert_array_equal(sources.disk_radius, [0.6, 0.5])


def test_wrong_tables_are_refused(survey):
    masked = MaskedColumn([21.0, 22.0], mask=[False, True])
    for data, columns, message in [
        (table(radius=[0.5, 0.5]), {"radios": "radius"}, r"columns for \['radios'\]"),
        (table(radius=[0.5, 0.5]), {"mag_r": "R"}, "no 'R'"),
        (Table({"mag_r": [22.0], "radius": [0.5]}), None, "no 'mag_i'"),
        (table(), None, "no size"),
        (table(radius=[0.5, 0.0]), None, r"1 rows have light but no `disk_radius` above 0, the first at row 1"),
        (table(radius=[0.5, 0.5], axis_ratio=[0.5, 0.5]), None, "no angle"),
        (table(radius=[0.5, 0.5], axis_ratio=[0.5, -1.0], position_angle=[0.0, 0.0]), None, "first at row 1"),
        (table(radius=[0.5, 0.5], g1=[0.9, 0.0], g2=[0.9, 0.0]), None, "1 or more"),
        (table(radius=[0.5, 0.5], bulge_fraction=[0.5, 1.2]), None, "parts of the total flux, the first at row 1"),
        (table(radius=[0.5, 0.5], bulge_fraction=[np.nan, 0.2]), None, "parts of the total flux, the first at row 0"),
        (table(radius=[0.5, 0.5] * u.s), None, "expected a unit like arcsec"),
        (Table({"mag_r": masked, "mag_i": masked, "radius": [0.5, 0.5]}), None, "no magnitude between"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_sources(data, survey, columns=columns)
    with pytest.raises(ValueError, match="sersic='no'"):
        read_sources(table(radius=[0.5, 0.5]), survey, sersic="no")
