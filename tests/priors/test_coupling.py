"""Populations with a coupling: bijections of any bands and models, and the same galaxies in all of them."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.forward.galaxies import AbstractLatentGalaxy
from jaxblend.nets.flow import CouplingSize, make_coupling
from jaxblend.priors.coupling import OWN_NAMES, Coupling, coordinates

SIZE = CouplingSize(width=24, knots=4)


class Latent(AbstractLatentGalaxy):
    """Stands for a trained galaxy: two exponential disks of one size, whatever its two latent numbers are."""

    n_components: ClassVar[int] = 2
    shape_names: ClassVar[tuple[str, ...]] = ("log_radius", "g1", "g2", "z0", "z1")
    latent_names: ClassVar[tuple[str, ...]] = ("z0", "z1")
    latent_bijection: ClassVar[None] = None
    identity: ClassVar[str] = "these"

    def without_prior(self):
        return self

    def amplitudes(self, shape, kx, ky):
        return jnp.repeat(jb.Exponential().amplitudes(shape[:3], kx, ky), 2, axis=0)

    def half_light_radius(self, shape, fractions):
        return jb.Exponential().half_light_radius(shape[:3], fractions)

    def shear(self, shape, fractions):
        return jb.Exponential().shear(shape[:3], fractions)


def coupled(model, bands, coupling, **numbers):
    population = jb.Population(coupling=coupling, **numbers)
    zero_point = np.full(len(bands), 27.0)
    return jb.population_prior(model, bands, zero_point=zero_point, position_scatter=0.2, population=population)


def made(seed=1, identity=""):
    """As it is before training: smooth, random, and not the identity."""
    untrained = make_coupling(2, SIZE, jax.random.key(seed))
    return Coupling(untrained.flow, untrained.names, identity, galaxies="these")


def _compiled(function):
    return jax.jit(lambda x: function(x))


@pytest.fixture(scope="module")
def coupling():
    return made()


@pytest.mark.parametrize(("model", "bands"), [(Latent(), "ugri"), (jb.BulgeDisk(), "r")])
def test_it_goes_there_and_back_with_its_determinant(model, bands):
    with jax.enable_x64(True):
        prior = coupled(model, tuple(bands), made())
        u = jnp.asarray(np.random.default_rng(1).normal(size=prior.size))
        physical, log_det = _compiled(prior.bijection.transform_and_log_det)(u)
        np.testing.assert_allclose(_compiled(prior.whitened)(physical), u, atol=1e-7)
        dense = jnp.linalg.slogdet(_compiled(jax.jacfwd(prior.physical))(u))[1]
        np.testing.assert_allclose(log_det, dense, atol=1e-7)


def test_principal_components_are_those_of_the_population(coupling):
    population, bands = jb.Population(), tuple("ugrizy")
    covariances = population.magnitude_covariance(bands), population.logit_covariance(6)
    names = jb.population_prior(Latent(), bands, zero_point=np.zeros(6), position_scatter=1.0).names
    at = coordinates(Latent(), bands, covariances, names, "these")
    assert set(at.where) == set(coupling.names)
    rotations = at.to_population.bijections
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
    vectors = [np.asarray(_compiled(prior.physical)(jnp.asarray(u, float))) for prior in (latent, plain)]
    shared = [name for name in latent.names if name in plain.names and name != "log_radius"]  # that of the disk
    rows = [[prior.names.index(name) for name in shared] for prior in (latent, plain)]
    np.testing.assert_allclose(vectors[0][rows[0]], vectors[1][rows[1]], rtol=1e-5, atol=1e-6)


def test_the_numbers_of_a_population_still_count(coupling):
    def magnitude(**numbers):
        prior = coupled(jb.BulgeDisk(), ("r",), coupling, **numbers)
        return 27 - 2.5 / np.log(10) * float(_compiled(prior.physical)(jnp.zeros(prior.size))[2])

    assert magnitude(magnitude=20.0) == pytest.approx(magnitude() - 4.0, abs=1e-4)


def test_populations_with_a_coupling_are_told_apart(coupling):
    other = made(2)
    assert jb.Population(coupling=coupling) == jb.Population(coupling=coupling) != jb.Population(coupling=other)
    assert len({jb.Population(coupling=coupling), jb.Population(coupling=other), jb.Population()}) == 3
    assert dataclasses.replace(jb.Population(coupling=coupling), magnitude=20.0).coupling is coupling
    assert jb.Population(coupling=made(1, "a")) == jb.Population(coupling=made(1, "a"))
    assert jb.Population(coupling=made(1, "a")) != jb.Population(coupling=made(1, "b"))


@pytest.mark.parametrize(
    ("model", "bands", "known"),
    [
        (Latent(), "gri", (*OWN_NAMES, "z0", "z1")),
        (Latent(), ("g", "r_1", "r_2"), (*OWN_NAMES[:-1], "z0", "z1")),
        (Latent(), ("LSST_r", "HSC-R"), (*OWN_NAMES[:5], "z0", "z1")),
        (Latent(), ("g", "odd"), (*OWN_NAMES[:5], "z0", "z1")),
        (jb.FreeForm(), "gri", OWN_NAMES),
        (jb.Sersic(), "r", OWN_NAMES[:4]),
    ],
)
def test_only_what_was_learned_is_coupled(model, bands, known):
    population, bands = jb.Population(), tuple(bands)
    prior = jb.population_prior(model, bands, zero_point=np.zeros(len(bands)), position_scatter=1.0)
    covariances = population.magnitude_covariance(bands), population.logit_covariance(len(bands))
    at = coordinates(model, bands, covariances, prior.names, "these")
    assert set(at.where) == set(known)
    assert len(set(at.where.values())) == len(known)


def test_the_order_of_bands_makes_no_difference(coupling):
    """Of a galaxy with these coordinates, whichever band is first."""
    found = []
    for bands in (("g", "r", "i"), ("i", "g", "r")):
        prior = coupled(Latent(), bands, coupling)
        u = np.zeros(prior.size)
        u[2:5], u[5:8] = (0.4, -0.7, 0.2), (0.3, 0.1, -0.5)
        names = [name for name in sorted(prior.names) if not name.startswith("logit")]
        physical = dict(zip(prior.names, np.asarray(_compiled(prior.physical)(jnp.asarray(u, float))), strict=True))
        found.append([physical[name] for name in names])
    np.testing.assert_allclose(*found, atol=2e-4)


def test_the_radius_of_a_disk_is_that_of_the_whole_without_its_bulge(coupling):
    """A bulge and a disk of one exponential size have the radius that a galaxy without parts has."""
    prior = coupled(jb.BulgeDisk(), ("r",), coupling, log_ratio=0.0)
    plain = coupled(jb.Exponential(), ("r",), coupling)
    for value in (-1.0, 0.5):
        radii = []
        for one in (prior, plain):
            u = jnp.zeros(one.size).at[one.names.index("log_radius")].set(value)
            radii.append(float(_compiled(one.physical)(u)[one.names.index("log_radius")]))
        assert radii[0] == pytest.approx(radii[1], abs=1e-5)


def test_a_coupling_of_another_kind_is_refused():
    observation = jb.Observation(np.zeros((1, 16, 16)), 1.0, jb.GaussianPSF(0.7), pixel_scale=0.2, bands="r")
    population = jb.Population()
    object.__setattr__(population, "coupling", jb.Population())  # which the checks of types in tests refuse
    with pytest.raises(ValueError, match=r"population.coupling must be a Coupling"):
        jb.fit(observation, [[8.0, 8.0]], population=population)
