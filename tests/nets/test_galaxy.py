"""Galaxies of decoders: what they are, how they are stored, and that they are fitted as any other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.io.weights import read_weights, write_weights
from jaxblend.nets.decoder import SplatDecoder
from jaxblend.nets.flow import CouplingSize, FlowSize, make_coupling, make_flow
from jaxblend.nets.galaxy import NeuralGalaxy
from jaxblend.nets.storage import KIND, add_population, write_galaxy
from jaxblend.priors import population_prior

nnx = pytest.importorskip("flax.nnx")
LATENT, SIZE = 4, FlowSize(layers=2, width=8, knots=4)
FLUX = 40 * 8 * np.pi


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    decoder = SplatDecoder(latent=LATENT, splats=6, components=2, hidden=8, rngs=nnx.Rngs(0))
    flow = make_flow(LATENT, SIZE, jax.random.key(1))
    return write_galaxy(decoder, flow, SIZE, {"note": "untrained"}, tmp_path_factory.mktemp("w") / "galaxy.safetensors")


@pytest.fixture(scope="module")
def galaxy(path):
    return NeuralGalaxy.load(path)


def test_components_have_unit_flux_and_turn_with_the_frame(galaxy):
    shape = jnp.array([np.log(0.7), 0.2, -0.1, 0.3, -1.0, 0.5, 2.0])
    k = jnp.linspace(-6, 6, 13)[None]
    waves = galaxy.amplitudes(shape, k, 0.3 * k)
    np.testing.assert_allclose(waves[:, 0, 6], 1.0, atol=1e-6)
    larger = galaxy.amplitudes(shape.at[0].add(np.log(2.0)), 0.5 * k, 0.15 * k)
    np.testing.assert_allclose(larger, waves, atol=1e-5)
    assert galaxy.half_light_radius(shape, jnp.array([0.5, 0.5])) > 0


def test_its_prior_carries_the_latent_vector_through_the_flow(galaxy):
    prior = population_prior(galaxy, "gr", zero_point=[27.0, 27.0], position_scatter=0.2)
    u = jax.random.normal(jax.random.key(0), (prior.size,))
    vector = prior.physical(u)
    latent = [prior.names.index(name) for name in galaxy.latent_names]
    np.testing.assert_allclose(vector[jnp.array(latent)], galaxy.flow.transform(u[jnp.array(latent)]), rtol=1e-6)
    np.testing.assert_allclose(prior.whitened(vector), u, atol=1e-4)


def test_what_was_written_is_read(path, galaxy, tmp_path):
    z = jnp.array([0.3, -1.0, 0.5, 2.0])
    flow = make_flow(LATENT, SIZE, jax.random.key(1))  # whose layers are permuted at random, by another key than 0
    np.testing.assert_array_equal(galaxy.flow.transform(z), flow.transform(z))
    whole = tmp_path / "whole.safetensors"
    whole.write_bytes(path.read_bytes())
    size = CouplingSize(width=8, knots=3)
    coupling = make_coupling(LATENT, size, jax.random.key(3))
    add_population(jb.Population(magnitude=22.0, coupling=coupling), size, {}, whole)
    loaded = NeuralGalaxy.load(whole)
    assert loaded.identity == galaxy.identity == loaded.population.coupling.galaxies
    assert loaded.population.magnitude == 22.0
    u = jnp.linspace(-1, 1, len(coupling.names))
    np.testing.assert_array_equal(loaded.population.coupling.flow.transform(u), coupling.flow.transform(u))
    arrays, card = read_weights(whole)
    first = next(name for name in arrays if name.startswith("decoder"))
    write_weights({**arrays, first: arrays[first] + 1}, card, whole)
    with pytest.raises(ValueError, match="learned with other galaxies"):
        NeuralGalaxy.load(whole)


def test_files_that_are_not_weights_are_named(path, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        NeuralGalaxy.load(tmp_path / "no.safetensors")
    (tmp_path / "a.safetensors").write_text("no")
    with pytest.raises(ValueError, match="has no weights of jaxblend"):
        NeuralGalaxy.load(tmp_path / "a.safetensors")
    arrays, card = read_weights(path)
    write_weights(arrays, {**card, "kind": "encoder"}, tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match=f"expected '{KIND}'"):
        NeuralGalaxy.load(tmp_path / "b.safetensors")
    first = next(iter(arrays))
    write_weights({**arrays, first: arrays[first][:1]}, card, tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match="other arrays than its card says"):
        NeuralGalaxy.load(tmp_path / "c.safetensors")
    write_weights({**arrays, first: arrays[first] * np.nan}, card, tmp_path / "d.safetensors")
    with pytest.raises(ValueError, match="not finite"):
        NeuralGalaxy.load(tmp_path / "d.safetensors")


def test_numpyro_draws_its_latent_vector_through_the_flow(galaxy):
    numpyro = pytest.importorskip("numpyro")
    noise = np.random.default_rng(0).normal(size=(1, 16, 16))
    observation = jb.Observation(noise, 1.0, jb.GaussianPSF(0.7), pixel_scale=0.2, bands="r", zero_point=27.0)
    model = jb.numpyro_model(observation, [[8.0, 8.0]], model=galaxy)

    @jax.jit
    def density(key):
        sites = numpyro.handlers.trace(numpyro.handlers.seed(model, key)).get_trace()
        latent = sites["latent"]["value"]
        return latent, sites["latent"]["fn"].log_prob(latent), galaxy.flow.inverse_and_log_det(latent[0])

    latent, found, (u, log_det) = density(jax.random.key(2))
    assert latent.shape == (1, LATENT)
    np.testing.assert_allclose(found, [jax.scipy.stats.norm.logpdf(u).sum() + log_det], rtol=1e-4)


def blobs(side, *places):
    """Round Gaussians of light with a flux of `FLUX`, in noise of 1."""
    y, x = np.mgrid[:side, :side]
    light = sum(40.0 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 8) for a, b in places)
    image = (light + np.random.default_rng(0).normal(size=light.shape))[None]
    return jb.Observation(image, 1.0, jb.GaussianPSF(0.6), pixel_scale=0.2, bands="r", zero_point=27.0)


@pytest.mark.slow
def test_frames_are_deblended_with_it(galaxy):
    places = np.array([[14.0, 20.0], [27.0, 19.0]])
    scene = jb.deblend(blobs(40, *places), model=galaxy)
    assert len(scene.catalog) == 2
    found = np.stack([scene.catalog["x"].value, scene.catalog["y"].value], axis=1)
    np.testing.assert_allclose(found[np.argsort(found[:, 0])], places, atol=0.3)
    np.testing.assert_allclose(scene.catalog["flux_r"], FLUX, rtol=0.2)
    np.testing.assert_allclose(np.std(scene.residual), 1.0, atol=0.1)


@pytest.mark.slow
def test_it_is_sampled_and_compared(galaxy):
    """A round Gaussian of light, which an untrained decoder is no better at than a disk."""
    observation = blobs(24, (11.6, 12.2))
    fit = jb.fit(observation, [[11.0, 12.0]], model=galaxy)
    posterior = jb.sample(fit, key=jax.random.key(0), method="importance")
    assert posterior.diagnostics["k_hat"] < 0.7
    flux, sigma = (float(posterior.summary()[name][0]) for name in ("flux_r", "flux_r_err"))
    assert abs(flux - FLUX) < 4 * sigma < FLUX
    hypotheses = [
        jb.Hypothesis("disk", [[11.0, 12.0]], model=jb.Exponential()),
        jb.Hypothesis("trained", [[11.0, 12.0]], model=galaxy),
    ]
    table = jb.compare_models(observation, hypotheses, method="laplace", key=jax.random.key(1)).table
    assert np.isfinite(table["log_evidence"]).all()
