import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.forward.galaxies import BulgeDisk, Sersic
from jaxblend.priors import Population, population_prior
from jaxblend.priors.wavelengths import band_wavelength


@pytest.mark.parametrize("model", [BulgeDisk(), Sersic()])
def test_bijection_goes_there_and_back(model):
    with jax.enable_x64(True):
        prior = population_prior(model, "gri", zero_point=[27.0, 27.1, 27.2], position_scatter=0.2)
        u = jnp.asarray(np.random.default_rng(1).normal(size=prior.size))
        np.testing.assert_allclose(prior.whitened(prior.physical(u)), u, atol=1e-7)
        _, log_det = prior.bijection.transform_and_log_det(u)
        dense = jnp.linalg.slogdet(jax.jacfwd(prior.physical)(u))[1]
        np.testing.assert_allclose(log_det, dense, atol=1e-7)


def test_draws_have_the_population_they_were_asked_for():
    population = Population(magnitude=23.0, magnitude_scatter=1.5, log_radius_slope=-0.2)
    prior = population_prior(BulgeDisk(), "ri", zero_point=[27.0, 27.0], position_scatter=0.2, population=population)
    u = jax.random.normal(jax.random.key(0), (20000, prior.size))
    draws = np.asarray(jax.vmap(prior.physical)(u))
    magnitude = 27 - 2.5 / np.log(10) * draws[:, 2]
    assert abs(magnitude.mean() - 23.0) < 0.05
    assert abs(magnitude.std() - 1.5) < 0.05
    assert abs(draws[:, 0].std() - 0.2) < 0.01
    slope = np.polyfit(magnitude, draws[:, prior.names.index("log_radius")], 1)[0]
    assert abs(slope + 0.2) < 0.01, "brighter galaxies are larger"
    g = draws[:, prior.names.index("g1") :][:, :2]
    assert np.hypot(*g.T).max() < 0.95
    assert 0.2 < g[:, 0].std() < 0.26


def test_unknown_shape_parameter_is_refused():
    class Odd(Sersic):
        shape_names = ("log_radius", "wiggle")

    with pytest.raises(ValueError, match="no default prior"):
        population_prior(Odd(), "r", zero_point=[27.0], position_scatter=0.1)


def test_the_mean_radius_is_that_of_the_mean_magnitude():
    def typical(**changes):
        prior = population_prior(
            BulgeDisk(), "ri", zero_point=[27.0, 27.0], position_scatter=0.2, population=Population(**changes)
        )
        return dict(zip(prior.names, np.asarray(prior.physical(jnp.zeros(prior.size))), strict=True))

    default = Population()
    np.testing.assert_allclose(typical()["log_radius"], default.log_radius, rtol=1e-5)
    brighter = default.log_radius + default.log_radius_slope * (20.0 - 24.0)
    np.testing.assert_allclose(typical(magnitude=20.0)["log_radius"], brighter, rtol=1e-5)


@pytest.mark.parametrize("name", ["LSST", "HSC", "Euclid_VIS", "Euclid_NISP", "DES", "Roman_WFI"])
def test_bands_of_surveys_have_the_wavelengths_that_their_filters_have(name):
    survey = jb.get_survey(name)
    for band, wavelength in zip(survey.bands, survey.effective_wavelength, strict=True):
        assert band_wavelength(band) == pytest.approx(wavelength, rel=0.06)
