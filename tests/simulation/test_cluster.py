import jax
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import simulate
from jaxblend.simulation.candidates import Candidates
from jaxblend.simulation.layouts import Cluster, RedSequence
from jaxblend.simulation.layouts.radial import beta_radius, nfw_number, nfw_radius
from jaxblend.simulation.population import draw_population, elliptical_spectrum
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.together import simulate_surveys

KEY = jax.random.key(3)
STAMP = 64
FAINT = Selection(max_magnitude=30.0, min_snr=0.0)
CORE, EDGE = 3.0, 8.0

# Mean g-r, r-i and i-z of the red sequence in the Dark Energy Survey, at redshifts (the polynomials in the
# diagnostics of cosmoDC2, Korytov et al. 2019).
RED_COLOURS = {0.3: (1.46, 0.48, 0.33), 0.4: (1.60, 0.60, 0.34), 0.5: (1.68, 0.75, 0.36), 0.6: (1.71, 0.91, 0.40)}


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="griz")


@pytest.fixture(scope="module")
def pool(survey):
    return draw_population(np.random.default_rng(5), 400, survey, max_magnitude=25.0, star_fraction=0.2)


def place(layout, pool, survey, selection=FAINT, seed=0, stamp_size=STAMP):
    options = {"psfs": survey_psfs(survey), "stamp_size": stamp_size}
    return layout.place(Candidates.of(pool, survey, selection, **options), np.random.default_rng(seed))


def projected_number(density, radius):
    """Galaxies within a projected radius, from those per volume: along the line of sight, then over rings."""

    def column(ring):
        return 2.0 * ring * quad(lambda z: density(np.hypot(ring, z)), 0.0, np.inf)[0]

    return quad(column, 0.0, radius)[0]


@pytest.mark.parametrize("beta", [0.7, 1.0, 1.4])
def test_the_beta_model_is_its_number_per_volume_in_projection(beta):
    def density(r):
        return (1.0 + (r / CORE) ** 2) ** (-1.5 * beta)

    radius = beta_radius(0.4, core_radius=CORE, beta=beta, max_radius=EDGE)
    assert projected_number(density, radius) / projected_number(density, EDGE) == pytest.approx(0.4, rel=1e-5)


def test_nfw_is_its_number_per_volume_in_projection():
    def density(r):
        return 1.0 / (r / CORE * (1.0 + r / CORE) ** 2)

    for quantile in (0.1, 0.5):
        radius = nfw_radius(quantile, scale_radius=CORE, max_radius=EDGE)
        share = projected_number(density, radius) / projected_number(density, EDGE)
        assert share == pytest.approx(quantile, rel=1e-4)
    assert nfw_number(1 - 0.9e-5) == pytest.approx(nfw_number(1 - 1.1e-5), rel=1e-4)
    assert nfw_number(1 + 0.9e-5) == pytest.approx(nfw_number(1 + 1.1e-5), rel=1e-4)
    assert nfw_radius(0.0, scale_radius=CORE, max_radius=EDGE) == 0.0


@pytest.mark.parametrize("profile", ["beta", "nfw"])
def test_members_follow_the_profile(pool, survey, profile):
    layout = Cluster(200, 2.0, profile=profile, max_radius=6.0, central=False)
    sources, offsets = place(layout, pool, survey)
    assert len(sources) == 200
    assert not sources.is_star.any()
    radius = np.sort(np.hypot(*offsets.T))

    def share(r):
        if profile == "nfw":
            return np.array([nfw_number(x / 2.0) for x in r]) / nfw_number(3.0)
        return np.log1p((r / 2.0) ** 2) / np.log1p(9.0)

    assert stats.kstest(radius, share).pvalue > 1e-3
    angle = np.arctan2(offsets[:, 1], offsets[:, 0])
    assert stats.kstest(angle, "uniform", args=(-np.pi, 2 * np.pi)).pvalue > 1e-3


def test_the_brightest_is_in_the_middle(pool, survey):
    selection = Selection(max_magnitude=25.0, min_snr=5.0, min_separation=0.3)
    sources, offsets = place(Cluster(30, 2.0), pool, survey, selection)
    np.testing.assert_array_equal(offsets[0], 0.0)
    magnitude = sources.in_bands(("i",)).magnitude[:, 0]
    assert magnitude.argmin() == 0
    assert len(set(sources.row)) == 30
    distance = np.hypot(*(offsets[:, None] - offsets[None]).transpose(2, 0, 1)) + 9.0 * np.eye(30)
    assert distance.min() >= 0.3
    alone, _ = place(Cluster(1, 2.0), pool, survey)
    assert len(alone) == 1


def test_members_beyond_the_stamp_are_not_drawn(pool, survey):
    sources, offsets = place(Cluster(100, 4.0, max_radius=30.0), pool, survey)
    assert 5 < len(sources) < 60
    assert np.abs(offsets).max() <= 6.4


def test_the_field_is_added_to_the_cluster(pool, survey):
    area = (STAMP * survey.pixel_scale / 60) ** 2
    sources, offsets = place(Cluster(10, 1.0, max_radius=2.0, field_per_arcmin2=200 / area), pool, survey)
    assert 10 + 140 < len(sources) < 10 + 260
    assert sources.is_star[10:].any()
    assert stats.kstest(offsets[10:].ravel(), "uniform", args=(-6.4, 12.8)).pvalue > 1e-3


def test_the_red_sequence_has_its_colours_slope_and_scatter(pool, survey):
    galaxies = pool.take(~pool.is_star)
    rng = np.random.default_rng(0)
    for redshift, colours in RED_COLOURS.items():
        sequence = RedSequence(redshift=redshift, slope=0.0, scatter=0.0)
        red = sequence.coloured(galaxies, survey, "i", rng)
        np.testing.assert_array_equal(red.magnitude[:, 2], galaxies.magnitude[:, 2])
        np.testing.assert_allclose(-np.diff(red.magnitude)[0], colours, atol=0.15)
        assert np.ptp(np.diff(red.magnitude), axis=0).max() < 1e-9
        assert (red.redshift == redshift).all()
    red = RedSequence(redshift=0.4, slope=-0.05, scatter=0.04).coloured(galaxies, survey, "i", rng)
    fit = stats.linregress(red.magnitude[:, 2], red.magnitude[:, 0] - red.magnitude[:, 1])
    assert fit.slope == pytest.approx(-0.05, abs=4 * fit.stderr)
    residual = red.magnitude[:, 0] - red.magnitude[:, 1] - fit.slope * red.magnitude[:, 2]
    assert residual.std() == pytest.approx(0.04, rel=0.15)


def test_members_are_red_and_the_field_is_not(pool, survey):
    layout = Cluster(20, 2.0, red_sequence=RedSequence(redshift=0.4), field_per_arcmin2=2000.0)
    sources, _ = place(layout, pool, survey)
    assert len(sources) > 40
    colour = sources.magnitude[:, 0] - sources.magnitude[:, 1]
    assert colour[:20].std() < 0.15 < colour[20:].std()
    assert (sources.redshift[:20] == 0.4).all()


def test_a_cluster_is_drawn(survey):
    layout = Cluster(6, 1.0, profile="nfw", red_sequence=RedSequence(redshift=0.3))
    blend = simulate(survey, key=KEY, layout=layout, stamp_size=32)
    assert len(blend.truth) == 6
    assert (blend.truth["snr"] >= 10).all()


def test_members_are_red_in_the_bands_of_all_surveys(survey):
    surveys = [survey.only("g", "r"), get_survey("Euclid_VIS")]
    layout = Cluster(3, 1.0, red_sequence=RedSequence(redshift=0.3, slope=0.0, scatter=0.0), field_per_arcmin2=400.0)
    seen, again = simulate_surveys(surveys, key=KEY, layout=layout, stamp_size=32, noise=False)
    assert again.truth.meta["bands"] == ["IE"]
    spectrum = elliptical_spectrum(np.append(surveys[0].effective_wavelength, surveys[1].effective_wavelength), 0.3)
    magnitude = np.stack([seen.truth["mag_g"].value, seen.truth["mag_r"].value, again.truth["mag_IE"].value], axis=1)
    expected = -2.5 * np.log10(spectrum[1:] / spectrum[:-1])
    np.testing.assert_allclose(np.diff(magnitude)[:3], np.tile(expected, (3, 1)))
    assert seen.truth.meta["layout"] == repr(layout)


def test_wrong_clusters_are_refused(pool, survey):
    for make, message in [
        (lambda: Cluster(0, 1.0), "richness=0"),
        (lambda: Cluster(5, 1.0, profile="king"), "profile='king'"),
        (lambda: Cluster(5, -1.0), r"radius=-1\.0"),
        (lambda: Cluster(5, 1.0, max_radius=0.0), r"max_radius=0\.0"),
        (lambda: Cluster(5, 1.0, beta=0.3), r"beta=0\.3"),
        (lambda: Cluster(5, 1.0, field_per_arcmin2=-1.0), "field_per_arcmin2=-1"),
        (lambda: RedSequence(redshift=-0.1), "redshift"),
        (lambda: RedSequence(redshift=0.1, scatter=np.nan), "finite"),
        (lambda: place(Cluster(5, 1.0), pool.take(pool.is_star), survey), "is a galaxy"),
        (lambda: place(Cluster(40, 1.0), pool, survey, Selection(min_separation=3.0)), "lower the richness"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
