import galsim
import jax
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable
from scipy.integrate import quad

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.catsim import read_catsim, shear_from_axes
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.together import simulate_surveys

SHAPE = (32, 36)
PSF = galsim.Kolmogorov(fwhm=0.8)


def table(**changes):
    row = {
        "fluxnorm_bulge": 1.0,
        "fluxnorm_disk": 2.0,
        "fluxnorm_agn": 1.0,
        "a_b": 0.4,
        "b_b": 0.3,
        "a_d": 0.9,
        "b_d": 0.5,
        "pa_bulge": 30.0,
        "pa_disk": 30.0,
        "redshift": 0.5,
        "g_ab": 23.0,
        "r_ab": 22.5,
        "i_ab": 22.0,
        "z_ab": 21.8,
        "y_ab": 21.7,
        "u_ab": 24.0,
    }
    return QTable({name: [value] for name, value in (row | changes).items()})


def test_draws_what_the_blending_toolkit_draws():
    """Bulge, disk and nucleus built by hand as BTK builds them: q and position angle, flux by fluxnorm."""
    survey = get_survey("LSST", bands="r")
    flux = 10 ** (-0.4 * (22.5 - survey.zero_point[0]))
    angle = 30.0 * galsim.degrees
    bulge = galsim.DeVaucouleurs(flux=flux / 4, half_light_radius=np.sqrt(0.4 * 0.3)).shear(q=0.3 / 0.4, beta=angle)
    disk = galsim.Exponential(flux=flux / 2, half_light_radius=np.sqrt(0.9 * 0.5)).shear(q=0.5 / 0.9, beta=angle)
    nucleus = galsim.Gaussian(flux=flux / 4, sigma=1e-8)
    x, y = 15.3, 17.8
    offset = galsim.PositionD(x - 0.5 * (SHAPE[1] - 1), y - 0.5 * (SHAPE[0] - 1))
    expected = (
        galsim.Convolve(bulge + disk + nucleus, PSF)
        .drawImage(nx=SHAPE[1], ny=SHAPE[0], scale=0.2, offset=offset, dtype=float)
        .array
    )
    drawn = draw_isolated(read_catsim(table(), survey), [(x, y)], survey, psfs=[PSF], shape=SHAPE)
    np.testing.assert_allclose(drawn[0, 0], expected, atol=1e-5 * expected.max())


def test_parameters_of_each_component():
    sources = read_catsim(table(), get_survey("LSST", bands="gr"))
    np.testing.assert_allclose(sources.magnitude, [[23.0, 22.5]])
    np.testing.assert_allclose(sources.bulge_fraction, 0.25)
    np.testing.assert_allclose(sources.point_fraction, 0.25)
    np.testing.assert_allclose(sources.disk_fraction, 0.5)
    np.testing.assert_allclose(sources.disk_radius, np.sqrt(0.45))
    assert not sources.is_star.any()


@pytest.mark.parametrize(("angle", "g"), [(0.0, (1, 0)), (45.0, (0, 1)), (90.0, (-1, 0)), (135.0, (0, -1))])
def test_position_angle_runs_from_x_to_y(angle, g):
    modulus = (2.0 - 1.0) / (2.0 + 1.0)
    np.testing.assert_allclose(
        shear_from_axes(np.array([2.0]), np.array([1.0]), np.array([angle]))[0], modulus * np.array(g), atol=1e-15
    )


def test_half_light_radius_of_the_sum_agrees_with_galsim():
    sources = read_catsim(table(fluxnorm_agn=0.0, b_b=0.4, b_d=0.9), get_survey("LSST", bands="r"))
    whole = galsim.DeVaucouleurs(half_light_radius=0.4) + 2.0 * galsim.Exponential(half_light_radius=0.9)
    radius = sources.half_light_radius("r")[0]
    light, _ = quad(lambda r: 2 * np.pi * r * whole.xValue(r, 0.0), 0.0, radius)
    assert light / whole.flux == pytest.approx(0.5, abs=1e-4)


def test_places_are_those_of_ra_and_dec():
    survey = get_survey("LSST", bands="r")
    assert read_catsim(table(), survey).place is None
    np.testing.assert_allclose(read_catsim(table(ra=10.0, dec=-5.0), survey).place, [[0.0, 0.0]], atol=1e-9)
    assert read_catsim(table(ra=np.nan, dec=-5.0), survey).place is None


def test_a_missing_band_is_interpolated_only_on_demand():
    survey = get_survey("Euclid_VIS")
    with pytest.raises(ValueError, match=r"no 'IE_ab'.*columns"):
        read_catsim(table(), survey)
    between = read_catsim(table(), survey, interpolate=True).magnitude[0, 0]
    assert 22.0 < between < 22.1
    assert read_catsim(table(), survey, columns={"IE": "z_ab"}).magnitude[0, 0] == 21.8
    with pytest.raises(ValueError, match="outside CATSIM's"):
        read_catsim(table(), get_survey("Euclid_NISP", bands=["HE"]), interpolate=True)


def test_surveys_together_interpolate_the_bands_between():
    surveys = [get_survey("LSST", bands="r"), get_survey("Euclid_VIS")]
    options = {"catalog": table(), "n_sources": 1, "stamp_size": 24, "noise": False}
    _, blend = simulate_surveys(surveys, key=jax.random.key(0), **options)
    assert 22.0 < blend.truth["mag_IE"].value[0] < 22.1


@pytest.mark.parametrize("magnitude", [np.nan, 99.0, MaskedColumn([22.0], mask=[True])])
def test_rows_without_a_magnitude_are_refused(magnitude):
    rows = table()
    rows["r_ab"] = magnitude
    with pytest.raises(
        ValueError, match=r"1 rows have no magnitude between .* all of \['g', 'r'\], the first at row 0"
    ):
        read_catsim(rows, get_survey("LSST", bands="gr"))
    assert len(read_catsim(rows, get_survey("LSST", bands="g"))) == 1


def test_rows_without_light_or_size_are_refused():
    survey = get_survey("LSST", bands="r")
    with pytest.raises(ValueError, match="no light"):
        read_catsim(table(fluxnorm_bulge=0.0, fluxnorm_disk=0.0, fluxnorm_agn=0.0), survey)
    with pytest.raises(ValueError, match="light in the bulge but no size"):
        read_catsim(table(b_b=0.0), survey)


def test_sample_file(shared_data):
    sources = read_catsim(shared_data / "catsim_sample.fits", get_survey("LSST"))
    assert len(sources) == 50
    has_bulge = sources.bulge_fraction[:, 0] > 0
    assert has_bulge.any()
    assert not has_bulge.all()
    np.testing.assert_array_equal(sources.bulge_radius > 0, has_bulge)
    assert np.hypot(*sources.shape("r").T).max() < 1
