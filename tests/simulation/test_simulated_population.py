import numpy as np
import pytest

from jaxblend.io.surveys import get_survey, list_surveys
from jaxblend.simulation.population import draw_population


@pytest.fixture(scope="module")
def population():
    return draw_population(np.random.default_rng(0), 20_000, get_survey("LSST"), star_fraction=0.2)


def test_counts_follow_the_published_slope(population):
    magnitude = population.magnitude[~population.is_star, 3]
    counts = [np.sum(magnitude < limit) for limit in (22.3, 25.3)]
    assert np.log10(counts[1] / counts[0]) / 3 == pytest.approx(0.31, abs=0.01)
    assert magnitude.max() <= 25.3
    assert magnitude.min() >= 18


def test_median_size_follows_the_published_relation(population):
    magnitude = population.magnitude[:, 3]
    disk = (population.disk_radius > 0) & (abs(magnitude - 25) < 0.1)
    axis_ratio = (1 - np.hypot(*population.disk_g.T)) / (1 + np.hypot(*population.disk_g.T))
    scale_length = population.disk_radius / 1.678347 / np.sqrt(axis_ratio)
    assert np.median(scale_length[disk]) == pytest.approx(np.exp(-1.145 - 0.269 * 2), rel=0.05)


def test_fractions(population):
    star = population.is_star
    assert star.mean() == pytest.approx(0.2, abs=0.02)
    galaxy_fraction = population.bulge_fraction[~star]
    assert np.mean(galaxy_fraction[:, 3] == 1) == pytest.approx(0.1, abs=0.02)
    assert galaxy_fraction.min() >= 0
    assert galaxy_fraction.max() <= 1
    assert not population.disk_fraction[star].any()
    assert not population.half_light_radius("i")[star].any()


def test_bulges_are_redder_than_disks(population):
    colour = population.magnitude[:, 1] - population.magnitude[:, 3]
    near = (population.redshift < 1) & ~population.is_star
    bulge = near & (population.bulge_fraction[:, 3] == 1)
    assert np.median(colour[bulge]) > np.median(colour[near & ~bulge]) + 0.5


@pytest.mark.parametrize("name", list_surveys())
def test_every_survey_gets_finite_magnitudes(name):
    sources = draw_population(np.random.default_rng(1), 50, (get_survey(name), get_survey("Euclid_VIS")))
    assert np.isfinite(sources.magnitude).all()
    assert np.hypot(*sources.shape(sources.bands[0]).T).max() < 0.81


def test_wrong_ranges_are_refused():
    survey = get_survey("LSST", bands="r")
    with pytest.raises(ValueError, match="smaller"):
        draw_population(np.random.default_rng(0), 3, survey, min_magnitude=26.0)
    with pytest.raises(ValueError, match="probability"):
        draw_population(np.random.default_rng(0), 3, survey, star_fraction=2.0)
