from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import simulate, simulate_blends
from jaxblend.simulation.layouts import Groups
from jaxblend.simulation.layouts.friends import friends_of_friends
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.sky import tangent_plane

KEY = jax.random.key(3)
STAMP = 32
FAINT = Selection(max_magnitude=30.0, min_snr=0.0)


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="ri")


@pytest.fixture(scope="module")
def catalog(survey):
    """A chain of three, a pair, and two who are alone."""
    sources = draw_population(np.random.default_rng(5), 7, survey, max_magnitude=23.0, star_fraction=0.0)
    place = np.array([[0, 0], [50, 50], [1, 1], [50.5, 50], [100, 0], [2, 0], [-100, 0]], float)
    return replace(sources, place=place)


def test_friends_of_friends_are_those_of_a_search_by_hand():
    places = np.random.default_rng(0).uniform(0, 10, (80, 2))
    distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    group = np.arange(80)
    for _ in range(80):  # every point takes the lowest number among its friends, until nothing changes
        group = np.array([group[near].min() for near in distance <= 0.8])
    found = friends_of_friends(places, 0.8)
    assert sorted(tuple(g) for g in found) == sorted(tuple(np.flatnonzero(group == i)) for i in set(group))
    assert 10 < len(found) < 70


def test_a_group_stands_as_in_the_catalogue(catalog, survey):
    seen = set()
    options = {"catalog": catalog, "layout": Groups(1.6), "stamp_size": STAMP, "selection": FAINT}
    for blend in simulate_blends(survey, 8, key=KEY, **options):
        rows = list(blend.truth["catalog_row"])
        seen.add(tuple(sorted(rows)))
        np.testing.assert_allclose(blend.offsets.mean(axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(np.diff(blend.offsets, axis=0), np.diff(catalog.place[rows], axis=0))
        assert (np.diff(blend.truth["mag_i"].value) >= 0).all()
    assert seen == {(0, 2, 5), (1, 3)}


def test_numbers_of_members(catalog, survey):
    options = {"catalog": catalog, "stamp_size": STAMP, "selection": FAINT}
    for layout, expected in [(Groups(1.6, min_members=3), {3}), (Groups(1.6, 1, 1), {1})]:
        drawn = simulate_blends(survey, 6, key=KEY, layout=layout, **options)
        assert {len(blend.truth) for blend in drawn} == expected


def test_members_that_do_not_pass_are_left_out(catalog, survey):
    selection = Selection(max_magnitude=30.0, min_snr=0.0, min_separation=1.45)
    blend = simulate(survey, key=KEY, catalog=catalog, layout=Groups(1.6, 2), stamp_size=STAMP, selection=selection)
    assert sorted(blend.truth["catalog_row"]) == [0, 5]  # 2 is near to both, and the faintest
    assert catalog.magnitude[2, 1] > catalog.magnitude[[0, 5], 1].max()
    small = {"catalog": catalog, "stamp_size": 8, "selection": FAINT}
    with pytest.raises(ValueError, match=r"None of 1 groups .* enlarge"):
        simulate(survey, key=KEY, layout=Groups(1.6, 3), **small)


def test_wrong_groups_are_refused(catalog, survey):
    for make, message in [
        (lambda: Groups(0.0), r"linking_length=0\.0"),
        (lambda: Groups(1.0, 3, 2), "1 <= min <= max"),
        (lambda: simulate(survey, key=KEY, layout=Groups(1.0)), "needs the positions"),
        (lambda: simulate(survey, key=KEY, layout=Groups(0.1), catalog=catalog), "make 7 groups, none"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()


def test_tangent_plane_has_east_to_the_left():
    from astropy.coordinates import SkyCoord

    ra, dec = np.array([359.9, 0.1, 0.05]), np.array([30.0, 30.1, 29.9])
    x, y = tangent_plane(ra, dec).T
    assert x[0] > x[1]
    assert y[1] > y[2]
    sky = SkyCoord(ra, dec, unit="deg")
    separation = sky[:, None].separation(sky[None]).arcsec
    np.testing.assert_allclose(np.hypot(x[:, None] - x, y[:, None] - y), separation, rtol=1e-5, atol=1e-9)
    for bad in ([0.0, np.nan], [0.0, 40.0]):
        with pytest.raises(ValueError, match="smaller part of the sky"):
            tangent_plane(np.array(bad), np.zeros(2))
    about_the_pole = tangent_plane(np.array([0.0, 180.0]), np.full(2, 89.9))
    np.testing.assert_allclose(np.hypot(*about_the_pole.T), 360.0, rtol=1e-5)
