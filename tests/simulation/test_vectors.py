import numpy as np
import pytest

from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.io.surveys import get_survey
from jaxblend.priors.prior import parameter_names
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.vectors import bulge_disk_vectors

BANDS = ("g", "r")
NAMES = parameter_names(BulgeDisk(), BANDS)


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="gr")


def source(*, bulge=0.25, point=0.0, bulge_radius=0.2, disk_radius=0.5, bulge_g=(0.1, -0.2), disk_g=(0.1, -0.2)):
    return SkySources(
        bands=BANDS,
        magnitude=np.array([[24.0, 23.0]]),
        bulge_fraction=np.full((1, 2), bulge),
        point_fraction=np.full((1, 2), point),
        bulge_radius=np.array([bulge_radius]),
        disk_radius=np.array([disk_radius]),
        bulge_g=np.array([bulge_g], float),
        disk_g=np.array([disk_g], float),
        redshift=np.array([0.5]),
        row=np.array([0]),
    )


def vector(survey, **changes):
    return dict(zip(NAMES, bulge_disk_vectors(source(**changes), survey)[0], strict=True))


def test_what_the_model_holds_is_kept(survey):
    one = vector(survey)
    assert (one["du"], one["dv"]) == (0, 0)
    np.testing.assert_allclose(np.exp([one["log_flux_g"], one["log_flux_r"]]), survey.flux(np.array([24.0, 23.0])))
    assert np.exp(one["log_radius"]) == pytest.approx(0.5)
    assert np.exp(one["log_ratio"]) == pytest.approx(0.4)
    assert (one["g1"], one["g2"]) == pytest.approx((0.1, -0.2))
    assert 1 / (1 + np.exp(-one["logit_fraction0_r"])) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("bulge_g", "disk_g", "g", "ratio"),
    [
        ((0.1, 0.0), (0.2, 0.0), (0.2, 0.0), 0.5),
        ((0.1, 0.3), (0.2, 0.0), (0.2, 0.0), 0.5),  # only what lies along the disk's
        ((-0.1, 0.0), (0.2, 0.0), (0.2, 0.0), 0.01),
        ((0.2, 0.1), (0.2, 0.1), (0.2, 0.1), 0.99),
        ((0.5, 0.0), (0.1, 0.2), (0.1, 0.2), 0.99),
        ((0.5, 0.0), (0.1, 0.0), (0.2, 0.0), 0.99),  # the mean, a quarter of the light in the bulge
        ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), 0.99),
        ((0.0, 0.99), (0.0, 0.99), (0.0, 0.94), 0.99),
    ],
)
def test_bulge_and_disk_share_their_angle(survey, bulge_g, disk_g, g, ratio):
    one = vector(survey, bulge_g=bulge_g, disk_g=disk_g)
    assert (one["g1"], one["g2"]) == pytest.approx(g)
    assert one["shear_ratio"] == pytest.approx(ratio)


def test_a_bulge_alone_keeps_its_shear(survey):
    one = vector(survey, bulge=1.0, disk_radius=0.0, bulge_g=(0.3, 0.1), disk_g=(0.0, 0.0))
    assert (one["g1"], one["g2"], one["shear_ratio"]) == pytest.approx((0.3, 0.1, 0.99))
    assert vector(survey, bulge=0.0, bulge_radius=0.0)["shear_ratio"] == 0.5


def test_a_component_without_light_gets_a_thousandth(survey):
    disk = vector(survey, bulge=0.0, bulge_radius=0.0)
    assert disk["logit_fraction0_g"] == pytest.approx(np.log(1e-3 / 0.999))
    assert np.exp(disk["log_ratio"]) == pytest.approx(0.5)
    bulge = vector(survey, bulge=1.0, disk_radius=0.0)
    assert bulge["logit_fraction0_g"] == pytest.approx(-np.log(1e-3 / 0.999))
    assert np.exp(bulge["log_radius"] + bulge["log_ratio"]) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("changes", "bulge_radius"),
    [({}, 0.1), ({"bulge": 0.0, "bulge_radius": 0.0}, 0.025), ({"bulge": 0.01, "point": 0.49}, 0.025)],
)
def test_a_nucleus_joins_the_bulge_and_makes_it_smaller(survey, changes, bulge_radius):
    one = vector(survey, **({"point": 0.25} | changes))
    light = changes.get("bulge", 0.25) + changes.get("point", 0.25)
    assert 1 / (1 + np.exp(-one["logit_fraction0_r"])) == pytest.approx(light)
    assert np.exp(one["log_radius"] + one["log_ratio"]) == pytest.approx(bulge_radius)


def test_a_star_keeps_its_flux_and_is_finite(survey):
    one = vector(survey, bulge=0.0, point=1.0, bulge_radius=0.0, disk_radius=0.0, bulge_g=(0, 0), disk_g=(0, 0))
    assert np.isfinite(list(one.values())).all()
    np.testing.assert_allclose(np.exp(one["log_flux_r"]), survey.flux(np.array([24.0, 23.0]))[1])
