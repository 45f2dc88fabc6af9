"""Populations with a coupling: bijections of any bands and models, and the same galaxies in all of them."""

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.forward.galaxies import AbstractLatentGalaxy
from jaxblend.nets.flow import CouplingSize, make_coupling
from jaxblend.priors.coupling import coordinates

SIZE = CouplingSize(width=24, knots=4)


class Latent(AbstractLatentGalaxy):
    """Stands for a trained galaxy: two latent numbers."""

    n_components: ClassVar[int] = 2
    shape_names: ClassVar[tuple[str, ...]] = ("log_radius", "g1", "g2", "z0", "z1")
    latent_names: ClassVar[tuple[str, ...]] = ("z0", "z1")
    latent_bijection: ClassVar[None] = None

    def without_prior(self):
        return self

    def amplitudes(self, shape, kx, ky):
        raise NotImplementedError

    def half_light_radius(self, shape, fractions):
        raise NotImplementedError

    def shear(self, shape, fractions):
        raise NotImplementedError


def coupled(model, bands, coupling, **numbers):
    population = jb.Population(coupling=coupling, **numbers)
    zero_point = np.full(len(bands), 27.0)
    return jb.population_prior(model, bands, zero_point=zero_point, position_scatter=0.2, population=population)


@pytest.fixture(scope="module")
def coupling():
    """As it is before training: smooth, random, and not the identity."""
    return make_coupling(2, SIZE, jax.random.key(1))


@pytest.mark.parametrize(
    ("model", "bands"), [(Latent(), "r"), (Latent(), "ugri"), (jb.BulgeDisk(), "gr"), (jb.Sersic(), ("VIS", "odd"))]
)
def test_it_goes_there_and_back_with_its_determinant(model, bands):
    with jax.enable_x64(True):
        prior = coupled(model, tuple(bands), make_coupling(2, SIZE, jax.random.key(1)))
        u = jnp.asarray(np.random.default_rng(1).normal(size=prior.size))
        physical, log_det = eqx.filter_jit(prior.bijection.transform_and_log_det)(u)
        np.testing.assert_allclose(eqx.filter_jit(prior.whitened)(physical), u, atol=1e-7)
        dense = jnp.linalg.slogdet(eqx.filter_jit(jax.jacfwd(prior.physical))(u))[1]
        np.testing.assert_allclose(log_det, dense, atol=1e-7)


def test_principal_components_are_those_of_the_population(coupling):
    population, bands = jb.Population(), tuple("ugrizy")
    covariances = population.magnitude_covariance(bands), population.logit_covariance(6)
    names = jb.population_prior(Latent(), bands, zero_point=np.zeros(6), position_scatter=1.0).names
    where, rotations = coordinates(Latent(), bands, covariances, names)
    assert set(where) == set(coupling.names)
    for rotation, covariance in zip(rotations, covariances, strict=True):
        turn = np.asarray(rotation.bijection.matrix, float)
        np.testing.assert_allclose(turn @ turn.T, np.eye(6), atol=1e-5)
        axes = np.linalg.cholesky(covariance) @ turn
        np.testing.assert_allclose(axes @ axes.T, covariance, rtol=1e-4, atol=1e-5)
        lengths = np.linalg.norm(axes, axis=0)
        assert (np.diff(lengths) < 1e-5).all(), "the strongest first"
    axes = np.linalg.cholesky(covariances[0]) @ np.asarray(rotations[0].bijection.matrix)
    assert (axes[:, 0] > 0).all()
    assert axes[0, 1] < 0 < axes[-1, 1], "the second is positive where galaxies are red"


def test_what_comes_last_does_not_change_what_comes_before(coupling):
    """A bulge and a disk have the same coupling without the latent numbers."""
    u = np.zeros(2 + 6 + 5 + 6)
    u[2:5] = 0.3, -0.8, 0.5  # magnitude, colour and curvature
    latent, plain = (coupled(model, tuple("ugrizy"), coupling) for model in (Latent(), jb.BulgeDisk()))
    vectors = [np.asarray(eqx.filter_jit(prior.physical)(jnp.asarray(u, float))) for prior in (latent, plain)]
    shared = [name for name in latent.names if name in plain.names]
    rows = [[prior.names.index(name) for name in shared] for prior in (latent, plain)]
    np.testing.assert_allclose(vectors[0][rows[0]], vectors[1][rows[1]], rtol=1e-5, atol=1e-6)


def test_the_numbers_of_a_population_still_count(coupling):
    def magnitude(**numbers):
        prior = coupled(jb.BulgeDisk(), ("r",), coupling, **numbers)
        return 27 - 2.5 / np.log(10) * float(eqx.filter_jit(prior.physical)(jnp.zeros(prior.size))[2])

    assert magnitude(magnitude=20.0) == pytest.approx(magnitude() - 4.0, abs=1e-4)


def test_populations_with_a_coupling_are_told_apart(coupling):
    other = make_coupling(2, SIZE, jax.random.key(2))
    assert jb.Population(coupling=coupling) == jb.Population(coupling=coupling) != jb.Population(coupling=other)
    assert len({jb.Population(coupling=coupling), jb.Population(coupling=other), jb.Population()}) == 3
    assert dataclasses.replace(jb.Population(coupling=coupling), magnitude=20.0).coupling is coupling
