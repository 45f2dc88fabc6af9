"""Where the search ends: from crude starts, beside bright neighbours, and at a minimum of its own objective."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import objective, slope

import jaxblend as jb
from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.forward.render import render
from jaxblend.infer.each import each
from jaxblend.infer.flags import Flag, Outcome
from jaxblend.priors.sources import sources_of

FRAME = jb.Frame((32, 32), 0.2)
PSF = jb.MoffatPSF(fwhm=0.8, beta=3.0)
ZERO_POINT = 30.0


def typical_radius(flux):
    """Arcsec: the prior's mean."""
    p = jb.Population()
    return np.exp(p.log_radius + p.log_radius_slope * (ZERO_POINT - 2.5 * np.log10(flux) - p.magnitude))


def vector(flux, radius):
    """Physical vector of a galaxy at its seed: offset, log flux, shape, logit of the bulge's share."""
    return [0.0, 0.0, np.log(flux), np.log(radius), 0.15, -0.1, np.log(0.5), 0.5, -1.5]


def observe(vectors, positions, stars=None, seed=0):
    """Stamp of 32 pixels with noise 1."""
    n = len(positions)
    stars = np.zeros(n, bool) if stars is None else np.asarray(stars)
    seeds = FRAME.pixel_to_sky(np.asarray(positions, float))
    slots = jax.tree.map(jnp.asarray, (np.float32(vectors), np.float32(seeds), np.ones(n, bool), stars))
    sources = sources_of(*slots, model=BulgeDisk(), n_bands=1)
    image = np.asarray(render(sources, FRAME, PSF.transfer(FRAME)))
    image = image + np.random.default_rng(seed).normal(size=image.shape)
    return jb.Observation(image, 1.0, PSF, pixel_scale=0.2, bands="r", zero_point=ZERO_POINT)


def on_device(tree):
    return jax.tree.map(lambda x: jnp.asarray(x) if eqx.is_array(x) else x, tree)


def pulls(fit, fluxes):
    return np.asarray((fit.catalog["flux_r"] - np.asarray(fluxes)) / fit.catalog["flux_r_err"])


@pytest.mark.parametrize("shift", [(1.0, 0.0), (0.0, -1.0), (0.7, 0.7)])
def test_a_start_one_pixel_off_finds_the_flux(shift):
    where = np.array([[15.3, 16.1]])
    obs = observe([vector(3000.0, typical_radius(3000.0))], where)
    fit = jb.fit(obs, where + np.array(shift))
    assert fit.outcome is Outcome.CONVERGED
    assert np.abs(pulls(fit, [3000.0])).max() < 4
    assert np.abs(fit.positions - where).max() < 0.2


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_size_far_from_the_priors_mean_is_found(factor):
    where, radius = np.array([[15.3, 16.1]]), factor * typical_radius(3000.0)
    fit = jb.fit(observe([vector(3000.0, radius)], where), where)
    assert fit.outcome is Outcome.CONVERGED
    assert np.abs(pulls(fit, [3000.0])).max() < 4
    nearer = np.abs(np.log(fit.catalog["radius"].value / radius)) < np.log(1.4)
    assert nearer.all()


@pytest.fixture(scope="module")
def beside_bright():
    """A faint galaxy six pixels from one twenty times brighter: fit, fluxes, physical vectors at the seeds."""
    fluxes = [20000.0, 1000.0]
    where = np.array([[13.0, 15.2], [19.0, 15.8]])
    vectors = [vector(f, r) for f, r in zip(fluxes, (0.6, 0.4), strict=True)]
    return jb.fit(observe(vectors, where), where), fluxes, np.array(vectors)


def test_a_neighbour_twenty_times_brighter_leaves_both_fluxes(beside_bright):
    fit, fluxes, _ = beside_bright
    assert fit.outcome is Outcome.CONVERGED
    assert np.abs(pulls(fit, fluxes)).max() < 4
    assert fit.catalog["flux_r_err"][1] < 0.3 * fluxes[1]  # else four of them are no test


def test_the_end_is_a_minimum(beside_bright):
    fit = beside_bright[0]
    blend = on_device(fit.item).blend()
    u = jnp.asarray(fit.result.u)
    gradient = np.asarray(slope(u, blend), float).reshape(-1)
    decrement = 0.5 * gradient @ np.linalg.solve(np.asarray(fit.result.hessian, float), gradient)
    assert decrement < 0.1
    assert fit.result.decrement < 0.1
    np.testing.assert_allclose(fit.result.objective, objective(u, blend), rtol=1e-4)


def test_the_end_is_not_above_the_truth(beside_bright):
    fit, _, vectors = beside_bright
    blend = on_device(fit.item).blend()
    truth = jax.vmap(blend.prior.whitened)(jnp.asarray(vectors, jnp.float32))
    at_truth = float(objective(truth, blend))
    assert float(fit.result.objective) < at_truth
    assert at_truth < float(fit.result.objective) + 50  # it is the truth: chi2 of a few dozen parameters


@pytest.mark.parametrize("is_star", [False, True])
def test_a_bright_source_alone_has_one_mode(is_star):
    where = np.array([[15.3, 16.1]])
    obs = observe([vector(5000.0, typical_radius(5000.0))], where, [is_star], seed=1)
    fit = jb.fit(obs, where, stars=np.array([is_star]))
    assert not fit.flags[0] & Flag.SECOND_MODE
    assert np.abs(pulls(fit, [5000.0])).max() < 4


def test_each_is_vmap():
    """Of a function that ends at another step for every entry, on a tree of arrays."""

    def halvings(entry):
        start, limit = entry
        value, steps = jax.lax.while_loop(lambda c: c[0] > limit, lambda c: (c[0] / 2, c[1] + 1), (start, 0))
        return {"value": value, "steps": steps}

    values = jnp.array([1.0, 10.0, 1000.0]), jnp.array([2.0, 1.0, 3.0])
    got, expected = each(halvings, values), jax.vmap(halvings)(values)
    assert got["steps"].tolist() == [0, 4, 9]
    for name in ("value", "steps"):
        np.testing.assert_array_equal(got[name], expected[name])
