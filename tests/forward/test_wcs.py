import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from jaxblend.forward.wcs import local_frame, project, unproject


def tangent_wcs(cd, *, centre=(150.0, 2.0), pixel=(33.0, 41.0)):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = centre
    wcs.wcs.crpix = pixel
    wcs.wcs.cd = cd
    return wcs


NORTH_UP = np.array([[-0.2, 0.0], [0.0, 0.2]]) / 3600
ANGLE = 0.7
TURNED = NORTH_UP @ np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
SHEARED = np.array([[-0.2, 0.03], [0.02, 0.18]]) / 3600
MIRRORED = np.array([[0.2, 0.0], [0.0, 0.2]]) / 3600


def test_north_up_has_u_along_x():
    frame = local_frame(tangent_wcs(NORTH_UP), (64, 80))
    np.testing.assert_allclose(frame.jacobian, 0.2 * np.eye(2), atol=1e-6)
    np.testing.assert_allclose(frame.origin, frame.centre, atol=1e-6)


@pytest.mark.parametrize("cd", [NORTH_UP, TURNED, SHEARED, MIRRORED])
@pytest.mark.parametrize("centre", [(150.0, 2.0), (0.001, -60.0), (359.999, 80.0)])
def test_sky_offsets_agree_with_astropy(cd, centre):
    wcs = tangent_wcs(cd, centre=centre)
    frame = local_frame(wcs, (64, 80))
    middle = SkyCoord(*wcs.pixel_to_world_values(*frame.centre), unit="deg")
    pixels = np.array([[10.0, 50.0], [70.0, 5.0]])
    there = SkyCoord(*wcs.pixel_to_world_values(*pixels.T), unit="deg")
    east, north = middle.spherical_offsets_to(there)
    expected = np.stack([-east.to_value(u.arcsec), north.to_value(u.arcsec)], -1)
    np.testing.assert_allclose(frame.pixel_to_sky(pixels), expected, atol=5e-3)


def test_galsim_has_the_same_signs():
    import galsim

    wcs = tangent_wcs(TURNED)
    frame = local_frame(wcs, (64, 80))
    theirs = galsim.AstropyWCS(wcs=wcs).local(galsim.PositionD(*(frame.centre + 1)))
    np.testing.assert_allclose(frame.jacobian, theirs.jacobian().getMatrix(), atol=1e-6)


def test_projection_and_back():
    centre = (359.9999, -45.0)
    sky = np.array([[0.0, 0.0], [30.0, -20.0], [-1000.0, 500.0]])
    radec = unproject(sky, centre)
    assert ((radec[:, 0] >= 0) & (radec[:, 0] < 360)).all()
    np.testing.assert_allclose(project(radec, centre), sky, atol=1e-7)
    offset = SkyCoord(*centre, unit="deg").skyoffset_frame()
    astropy = SkyCoord(*radec.T, unit="deg").transform_to(offset)
    np.testing.assert_allclose(-np.tan(astropy.lon.rad), np.deg2rad(sky[:, 0] / 3600), atol=1e-9)


def test_another_tangent_point():
    wcs = tangent_wcs(NORTH_UP)
    centre = wcs.pixel_to_world_values(5.0, 6.0)
    frame = local_frame(wcs, (64, 80), centre=np.array(centre))
    np.testing.assert_allclose(frame.origin, [5, 6], atol=1e-6)


def test_wrong_wcs_are_refused():
    with pytest.raises(ValueError, match="pixel_to_world_values"):
        local_frame("TAN", (8, 8))
    with pytest.raises(ValueError, match="celestial"):
        local_frame(tangent_wcs(NORTH_UP), (8, 8), centre=(np.nan, 0.0))
