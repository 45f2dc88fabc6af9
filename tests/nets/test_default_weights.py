"""The weights that come with jaxblend: small, described, and galaxies that are fitted as any others."""

from importlib.resources import files

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.forward.render import images
from jaxblend.forward.scene import Sources
from jaxblend.io.weights import read_weights
from jaxblend.simulation.layouts import Pair
from jaxblend.simulation.population import draw_population

pytest.importorskip("flax")

PATH = files("jaxblend.nets").joinpath("weights", "default.safetensors")


@pytest.fixture(scope="module")
def galaxy():
    return jb.NeuralGalaxy.load("default")


def test_they_are_small_and_say_where_they_come_from():
    arrays, card = read_weights(str(PATH))
    assert sum(array.nbytes for array in arrays.values()) < 2e6
    assert {"data", "config", "versions", "figures", "limits"} <= set(card)


def test_typical_galaxies_are_centred_and_of_unit_size(galaxy):
    """The frame of training has the centre, the ellipticity and half of the light within a radius of 1."""
    z = jax.vmap(galaxy.flow.transform)(jax.random.normal(jax.random.key(0), (40, galaxy.latent)))
    splats = jax.vmap(galaxy.decoder)(z)
    share = np.asarray(splats.share).mean(1)
    centre = np.einsum("ng,ngi->ni", share, splats.place)
    assert np.median(np.hypot(*centre.T)) < 0.25
    fractions = jnp.array([0.5, 0.5])
    radius = jax.vmap(lambda z: galaxy.half_light_radius(jnp.concatenate([jnp.zeros(3), z]), fractions))(z)
    assert 0.8 < np.median(radius) < 1.2


def test_its_population_knows_that_bulges_are_red_and_bright_galaxies_large(galaxy):
    prior = jb.population_prior(
        jb.BulgeDisk(), "gri", zero_point=np.full(3, 27.0), position_scatter=0.2, population=galaxy.population
    )
    u = jax.random.normal(jax.random.key(0), (4000, prior.size))
    draws = dict(zip(prior.names, np.asarray(jax.jit(lambda u: jax.vmap(prior.physical)(u))(u)).T, strict=True))
    share, red = draws["logit_fraction0_r"], draws["log_flux_i"] - draws["log_flux_g"]
    assert np.corrcoef(share, red)[0, 1] > 0.3
    assert np.corrcoef(draws["log_radius"], draws["log_flux_r"])[0, 1] > 0.3
    for name in ("g1", "g2"):
        assert abs(draws[name].mean()) < 4 * draws[name].std() / np.sqrt(len(u)), "no direction is preferred"
    assert np.std(draws["log_flux_r"]) == pytest.approx(2.0 * np.log(10) / 2.5, rel=0.1), "magnitudes stay as broad"


def test_fits_take_its_population(galaxy):
    catalog = draw_population(np.random.default_rng(1), 50, jb.get_survey("LSST", "gri"), star_fraction=0.0)
    blend = jb.simulate(
        jb.get_survey("LSST", "gri"), key=jax.random.key(3), catalog=catalog, layout=Pair(2.0), stamp_size=32
    )
    fit = jb.fit(blend.observation, blend.seeds, population=galaxy.population)
    assert fit.outcome is jb.Outcome.CONVERGED
    off = np.asarray(fit.catalog["flux_r"]) - np.asarray(blend.truth["flux_r"])
    assert (np.abs(off) < 4 * np.asarray(fit.catalog["flux_r_err"])).all()
    with pytest.raises(ValueError, match="sites of a population with a coupling"):
        jb.numpyro_model(blend.observation, blend.seeds, population=galaxy.population)


@pytest.mark.slow
def test_a_galaxy_of_the_prior_is_fitted_and_a_mix_keeps_to_its_models(galaxy):
    psf = jb.MoffatPSF(fwhm=np.array([0.7, 0.7]), beta=np.array([3.0, 3.0]))
    frame = jb.Frame((40, 48), 0.2)
    z = galaxy.flow.transform(jax.random.normal(jax.random.key(4), (galaxy.latent,)))
    shape = jnp.concatenate([jnp.array([np.log(0.8), 0.2, -0.1]), z])
    places, fluxes = np.array([[18.3, 20.1], [31.0, 22.4]]), np.array([[6000.0, 9000.0], [2000.0, 2500.0]])
    parts = [galaxy.without_prior(), jb.BulgeDisk()]
    shapes = [shape, jnp.array([np.log(0.5), -0.1, 0.1, np.log(0.5), 1.0])]
    drawn = [
        images(
            Sources(
                jnp.asarray(frame.pixel_to_sky(places[i : i + 1]), float),
                shapes[i][None],
                jnp.asarray(fluxes[i] * np.array([[0.4], [0.6]]), float)[None],
                jnp.ones(1, bool),
                jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], parts[i]),
            ),
            frame,
            psf.transfer(frame),
        )[0]
        for i in range(2)
    ]
    noise = np.random.default_rng(1).normal(size=drawn[0].shape)
    obs = jb.Observation(
        np.asarray(sum(drawn)) + noise, np.ones_like(noise), psf, pixel_scale=0.2, bands="ri", zero_point=27.0
    )
    fit = jb.fit(obs, places, model=[galaxy, jb.BulgeDisk()])
    table = fit.catalog
    off = [(table[f"flux_{b}"] - fluxes[:, c]) / table[f"flux_{b}_err"] for c, b in enumerate("ri")]
    assert np.max(np.abs(off)) < 4
    assert np.all(fit.chi2 < 1.1)
    assert fit.context["models"] == ["NeuralGalaxy", "BulgeDisk"]
    u, names = np.asarray(fit.result.u), fit.item.prior.names
    latent = [i for i, name in enumerate(names) if name.startswith("z")]
    assert np.abs(u[0, latent]).max() > 0.1
    np.testing.assert_allclose(u[1, latent], 0.0, atol=1e-4)  # bulge and disk know nothing of it
    assert not np.any(fit.flags & jb.Flag.UNUSUAL)
