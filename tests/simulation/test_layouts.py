import jax
import numpy as np
import pytest
from scipy import stats

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import simulate, simulate_blends
from jaxblend.simulation.candidates import Candidates
from jaxblend.simulation.layouts import Density, Isolated, Pair, Uniform
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.sample import Selection

KEY = jax.random.key(3)
STAMP = 24
FAINT = Selection(max_magnitude=30.0, min_snr=0.0)


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="gri")


@pytest.fixture(scope="module")
def pool(survey):
    return draw_population(np.random.default_rng(5), 60, survey, max_magnitude=24.0)


def candidates(pool, survey, selection=FAINT):
    return Candidates.of(pool, survey, selection, psfs=survey_psfs(survey), stamp_size=STAMP)


def place(layout, pool, survey, selection=FAINT, seed=0):
    return layout.place(candidates(pool, survey, selection), np.random.default_rng(seed))


def magnitude(sources):
    return sources.in_bands(("i",)).magnitude[:, 0]


def test_the_options_of_the_default_layout_are_those_of_uniform(survey):
    by_options = simulate(survey, key=KEY, stamp_size=STAMP, max_sources=2, max_offset=1.5)
    layout = Uniform(max_sources=2, max_offset=1.5)
    by_layout = simulate(survey, key=KEY, stamp_size=STAMP, layout=layout)
    np.testing.assert_array_equal(by_layout.observation.image, by_options.observation.image)


def test_numbers_of_density_are_those_of_a_poisson_process():
    side = 4.8
    per_arcmin2 = 1.5 / (side / 60) ** 2
    assert Density(per_arcmin2).mean(side) == pytest.approx(1.5)
    rng = np.random.default_rng(0)
    count = [Density(per_arcmin2, allow_empty=True).draw_count(rng, side) for _ in range(2000)]
    assert stats.chisquare(np.bincount(np.minimum(count, 5)), 2000 * poisson_up_to_5(1.5)).pvalue > 1e-3
    count = [Density(per_arcmin2).draw_count(rng, side) for _ in range(2000)]
    expected = poisson_up_to_5(1.5)[1:] / -np.expm1(-1.5)
    assert stats.chisquare(np.bincount(np.minimum(count, 5))[1:], 2000 * expected).pvalue > 1e-3
    assert Density(1e-9).draw_count(rng, 1e-3) == 1


def poisson_up_to_5(mean):
    few = stats.poisson.pmf(np.arange(5), mean)
    return np.append(few, 1.0 - few.sum())


def test_density_fills_its_square(pool, survey):
    sources, offsets = place(Density(60_000.0, side=2.0), pool, survey)
    assert len(sources) == len(offsets) > 40
    assert stats.kstest(offsets.ravel(), "uniform", args=(-1.0, 2.0)).pvalue > 1e-3
    with pytest.raises(ValueError, match=r"side=9\.0 arcsec on a stamp of 4\.8"):
        place(Density(60.0, side=9.0), pool, survey)


def test_a_stamp_may_be_empty_sky(survey):
    blend = simulate(survey, key=KEY, stamp_size=STAMP, layout=Density(1e-3, allow_empty=True))
    assert len(blend.truth) == len(blend.sources) == 0
    assert blend.isolated.shape == (0, 3, STAMP, STAMP)
    noise = blend.observation.image * np.sqrt(blend.observation.weight)
    assert noise.std() == pytest.approx(1.0, abs=0.1)
    assert "flux_r" in blend.truth.colnames


def test_a_pair_has_its_separation_and_flux_ratio(pool, survey):
    angles = []
    for seed in range(20):
        sources, offsets = place(Pair(1.2, 0.25), pool, survey, seed=seed)
        step = offsets[1] - offsets[0]
        np.testing.assert_array_equal(offsets[0], 0.0)
        assert np.hypot(*step) == pytest.approx(1.2)
        assert np.diff(magnitude(sources))[0] == pytest.approx(2.5 * np.log10(4.0))
        whole = pool.take(sources.row)
        np.testing.assert_allclose(np.diff(sources.magnitude), np.diff(whole.magnitude), atol=1e-12)
        np.testing.assert_array_equal(sources.magnitude[0], whole.magnitude[0])
        angles.append(np.arctan2(step[1], step[0]))
    assert stats.kstest(angles, "uniform", args=(-np.pi, 2 * np.pi)).pvalue > 1e-3


def test_ranges_of_a_pair(pool, survey):
    layout = Pair((0.5, 2.0), (0.1, 10.0), centre="middle")
    drawn = [place(layout, pool, survey, seed=seed) for seed in range(60)]
    offsets = np.stack([offset for _, offset in drawn])
    np.testing.assert_allclose(offsets.sum(axis=1), 0.0, atol=1e-15)
    separation = np.hypot(*(offsets[:, 1] - offsets[:, 0]).T)
    assert stats.kstest(separation, "uniform", args=(0.5, 1.5)).pvalue > 1e-3
    ratio = [-0.4 * np.diff(magnitude(sources))[0] for sources, _ in drawn]
    assert stats.kstest(ratio, "uniform", args=(-1.0, 2.0)).pvalue > 1e-3


def test_the_second_of_a_pair_is_chosen_by_its_magnitude(pool, survey):
    for seed in range(10):
        sources, _ = place(Pair(1.0, magnitude_difference=(0.5, 1.0)), pool, survey, seed=seed)
        assert 0.5 <= np.diff(magnitude(sources))[0] <= 1.0
        np.testing.assert_array_equal(sources.magnitude, pool.take(sources.row).magnitude)


def test_a_pair_passes_the_selection_as_it_is_drawn(pool, survey):
    selection = Selection(max_magnitude=23.5, min_snr=20.0)
    blends = simulate_blends(
        survey, 3, key=KEY, catalog=pool, stamp_size=STAMP, layout=Pair(1.0, 0.2), selection=selection
    )
    for blend in blends:
        assert (blend.truth["mag_i"].value < 23.5).all()
        assert (blend.truth["snr"] >= 20.0).all()
    with pytest.raises(ValueError, match="no two sources passed"):
        place(Pair(1.0, 1e-6), pool, survey, selection)


def test_an_isolated_source_is_in_the_middle(survey):
    blend = simulate(survey, key=KEY, stamp_size=STAMP + 1, layout=Isolated())
    np.testing.assert_array_equal(blend.positions, [[12.0, 12.0]])
    assert blend.truth["blendedness"][0] == 0.0


def test_wrong_layouts_are_refused(pool, survey):
    for make, message in [
        (lambda: Uniform(n_sources=0), "at least one source"),
        (lambda: Uniform(max_offset=-1.0), r"max_offset=-1\.0"),
        (lambda: Density(0.0), r"per_arcmin2=0\.0"),
        (lambda: Density(60.0, side=np.inf), "side=inf"),
        (lambda: Pair(0.0), r"separation=0\.0"),
        (lambda: Pair((2.0, 1.0)), "lower first"),
        (lambda: Pair(1.0, -0.5), r"flux_ratio=-0\.5"),
        (lambda: Pair(1.0, 0.5, magnitude_difference=(0.0, 1.0)), "give one of them"),
        (lambda: Pair(1.0, magnitude_difference=(1.0, 0.0)), r"expected \(least, largest\)"),
        (lambda: Pair(1.0, centre="second"), "centre='second'"),
        (lambda: place(Pair(3.0), pool, survey), "a source would lie beyond"),
        (lambda: place(Pair(0.5), pool, survey, Selection(min_separation=1.0)), "min_separation of 1"),
        (lambda: simulate(survey, key=KEY, layout=Isolated(), n_sources=2), "of the default layout"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(TypeError, match="'pair'"):
        simulate(survey, key=KEY, layout="pair")
