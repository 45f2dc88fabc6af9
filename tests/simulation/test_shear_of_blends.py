import galsim
import jax
import numpy as np
import pytest
from scipy import stats

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import simulate, simulate_blends
from jaxblend.simulation.geometry import rotation_matrix, shear_matrix, shear_shapes
from jaxblend.simulation.layouts import Isolated, Pair
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.shear import draw_shear

KEY = jax.random.key(3)
STAMP = 24
OPTIONS = {"stamp_size": STAMP, "max_sources": 2, "max_offset": 1.0}


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="ri")


@pytest.fixture(scope="module")
def plain(survey):
    return simulate(survey, key=KEY, **OPTIONS)


def test_shear_is_galsims():
    e, g = np.array([[0.3, -0.2], [-0.5, 0.1]]), np.array([0.05, -0.1])
    for before, after in zip(e, shear_shapes(e, g), strict=True):
        total = galsim.Shear(g1=g[0], g2=g[1]) + galsim.Shear(g1=before[0], g2=before[1])
        np.testing.assert_allclose(after, [total.g1, total.g2])
    np.testing.assert_allclose(shear_matrix(g), galsim.Shear(g1=g[0], g2=g[1]).getMatrix())


def test_shear_of_a_blend_shears_what_the_key_means(survey, plain):
    shear = (0.06, -0.03)
    seen = simulate(survey, key=KEY, shear=shear, **OPTIONS)
    assert seen.truth.meta["shear"] == {"g1": 0.06, "g2": -0.03}
    assert plain.truth.meta["shear"] == {"g1": 0.0, "g2": 0.0}
    np.testing.assert_array_equal(seen.truth["catalog_row"], plain.truth["catalog_row"])
    np.testing.assert_allclose(seen.offsets, plain.offsets @ shear_matrix(np.array(shear)).T)
    np.testing.assert_allclose(seen.sources.disk_g, shear_shapes(plain.sources.disk_g, np.array(shear)))
    np.testing.assert_array_equal(seen.sources.magnitude, plain.sources.magnitude)
    shapes_only = simulate(survey, key=KEY, shear=shear, shear_positions=False, **OPTIONS)
    np.testing.assert_array_equal(shapes_only.offsets, plain.offsets)
    np.testing.assert_array_equal(shapes_only.truth["g1"], seen.truth["g1"])


def test_a_sheared_scene_is_the_sheared_image_of_the_scene(survey):
    """GalSim shears the whole pair at once."""
    shear, psf = (0.1, 0.05), galsim.Gaussian(fwhm=0.4)
    options = {"layout": Pair(1.0), "stamp_size": 48, "psf": psf, "noise": False}
    pool = draw_population(np.random.default_rng(3), 5, survey, max_magnitude=22.0, star_fraction=0.0)
    before = simulate(survey, key=KEY, catalog=pool, **options)
    after = simulate(survey, key=KEY, catalog=pool, shear=shear, **options)
    profiles = []
    for index in range(2):
        flux = before.truth["flux_r"][index].value
        bulge, disk = before.sources.bulge_fraction[index, 0], before.sources.disk_fraction[index, 0]
        b = galsim.DeVaucouleurs(half_light_radius=before.sources.bulge_radius[index], flux=max(bulge, 1e-9))
        d = galsim.Exponential(half_light_radius=before.sources.disk_radius[index], flux=disk)
        (b1, b2), (d1, d2) = before.sources.bulge_g[index], before.sources.disk_g[index]
        whole = flux * (b.shear(g1=b1, g2=b2) + d.shear(g1=d1, g2=d2))
        profiles.append(whole.shift(*before.offsets[index]))
    scene = galsim.Convolve(galsim.Sum(profiles).shear(g1=shear[0], g2=shear[1]), psf)
    expected = scene.drawImage(nx=48, ny=48, scale=0.2, dtype=float).array
    drawn = after.isolated[:, 0].sum(axis=0)
    np.testing.assert_allclose(drawn, expected, atol=1e-3 * expected.max())


def test_shears_are_drawn_from_a_table_or_a_function(survey):
    table = np.array([[0.02, 0.0], [-0.02, 0.0], [0.0, 0.02]])
    rng = np.random.default_rng(0)
    drawn = [tuple(draw_shear(table, rng)) for _ in range(300)]
    counts = [drawn.count(tuple(row)) for row in table]
    assert stats.chisquare(counts).pvalue > 1e-3
    blends = simulate_blends(survey, 8, key=KEY, shear=table, layout=Isolated(), stamp_size=16)
    assert len({tuple(blend.truth.meta["shear"].values()) for blend in blends}) > 1

    def by_a_function(rng):
        return rng.normal(0.0, 0.01, 2)

    one, again = (
        simulate(survey, key=KEY, shear=by_a_function, layout=Isolated(), stamp_size=16).truth.meta["shear"]
        for _ in range(2)
    )
    assert one == again
    assert 0 < abs(one["g1"]) < 0.1


def test_rotation_turns_shapes_and_nothing_else(survey, plain):
    turned = simulate(survey, key=KEY, rotate=True, **OPTIONS)
    np.testing.assert_array_equal(turned.offsets, plain.offsets)
    np.testing.assert_array_equal(turned.truth["catalog_row"], plain.truth["catalog_row"])
    for name in ("bulge_g", "disk_g"):
        before, after = (np.hypot(*getattr(blend.sources, name).T) for blend in (plain, turned))
        np.testing.assert_allclose(after, before)
    assert not np.allclose(turned.sources.disk_g, plain.sources.disk_g)
    sources = plain.sources.take([0, 0, 0, 0]).rotated(np.pi / 4 * np.arange(4))
    g = plain.sources.disk_g[0]
    np.testing.assert_allclose(sources.disk_g, [g, [-g[1], g[0]], -g, [g[1], -g[0]]], atol=1e-15)
    turn = galsim.Exponential(half_light_radius=1.0).shear(g1=0.3, g2=0.1).rotate(20 * galsim.degrees)
    (matrix,) = rotation_matrix(np.radians([20.0]))
    np.testing.assert_allclose(turn.jac, matrix @ galsim.Shear(g1=0.3, g2=0.1).getMatrix(), atol=1e-12)


def test_angles_are_uniform(survey):
    angles = []
    pool = draw_population(np.random.default_rng(3), 1, survey, max_magnitude=22.0, star_fraction=0.0)
    for blend in simulate_blends(survey, 40, key=KEY, catalog=pool, rotate=True, layout=Isolated(), stamp_size=8):
        angles.append(np.arctan2(*blend.sources.disk_g[0][::-1]))
    assert stats.kstest(angles, "uniform", args=(-np.pi, 2 * np.pi)).pvalue > 1e-3


def test_dither_moves_the_scene_within_a_pixel(survey, plain):
    moved = simulate(survey, key=KEY, dither=True, **OPTIONS)
    step = moved.offsets - plain.offsets
    np.testing.assert_allclose(step - step[0], 0.0, atol=1e-12)
    shifts = [
        blend.positions[0] - 0.5 * 7
        for blend in simulate_blends(survey, 40, key=KEY, dither=True, layout=Isolated(), stamp_size=8)
    ]
    assert np.abs(shifts).max() <= 0.5
    assert stats.kstest(np.ravel(shifts), "uniform", args=(-0.5, 1.0)).pvalue > 1e-3


def test_wrong_shears_are_refused(survey):
    for shear in [(0.8, 0.8), (0.1,), np.zeros((2, 3)), np.zeros((0, 2)), (np.nan, 0.0), ((0.1, 0.2), (0.3,))]:
        with pytest.raises(ValueError, match="Got shear="):
            simulate(survey, key=KEY, shear=shear, **OPTIONS)
    with pytest.raises(ValueError, match="expected reduced shears"):
        simulate(survey, key=KEY, shear=lambda rng: (1.0, 0.0), **OPTIONS)
    with pytest.raises(ValueError, match=r"expected \(g1, g2\)\."):
        simulate(survey, key=KEY, shear=lambda rng: np.zeros((3, 2)), **OPTIONS)
