"""The analytic Jacobian against automatic differentiation of the residual, and the cheap metric against it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from against_jacobian import check_normal_equations
from compiled import exact_normal_equations, low_normal_equations, objective, slope

from jaxblend.forward.frame import Frame
from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.forward.likelihood import Exposure
from jaxblend.forward.psf import GaussianPSF
from jaxblend.forward.render import render
from jaxblend.infer.low_modes import low_modes
from jaxblend.infer.posterior import Blend
from jaxblend.priors import population_prior


def make_blend(rng, weight):
    frame = Frame((16, 24), 0.2)
    prior = population_prior(BulgeDisk(), "ri", zero_point=[27.0, 27.0], position_scatter=0.2)
    exposure = Exposure(
        jnp.asarray(rng.normal(size=(2, 16, 24))),
        jnp.sqrt(jnp.asarray(weight)),
        GaussianPSF(fwhm=np.array([0.8, 0.7])).transfer(frame),
        frame,
    )
    seeds = jnp.asarray([[-0.6, 0.1], [0.5, -0.2], [0.0, 0.0]])
    present = jnp.array([True, True, False])
    return Blend(
        (exposure,),
        seeds,
        present,
        jnp.array([False, True, False]),
        prior,
        BulgeDisk(),
        (tuple(range(len(exposure.image))),),
    )


def test_normal_equations_match_automatic_differentiation():
    with jax.enable_x64(True):
        rng = np.random.default_rng(3)
        blend = make_blend(rng, rng.uniform(0, 2, size=(2, 16, 24)))
        u = jnp.asarray(0.3 * rng.normal(size=(3, blend.prior.size)))
        check_normal_equations(blend, u)


def test_an_absent_source_changes_neither_value_nor_gradient():
    rng = np.random.default_rng(4)
    blend = make_blend(rng, np.ones((2, 16, 24)))
    u = jnp.asarray(0.3 * rng.normal(size=(3, blend.prior.size)), jnp.float32).at[2].set(0.0)
    moved = u.at[2].set(1.5)
    np.testing.assert_allclose(objective(moved, blend) - objective(u, blend), 0.5 * 1.5**2 * u.shape[1], rtol=1e-3)
    np.testing.assert_allclose(slope(moved, blend)[2], 1.5, rtol=1e-5)


def modes_of(blend):
    return tuple(low_modes(e, jnp.zeros_like(e.image)) for e in blend.exposures)


@eqx.filter_jit
def low_slope(u, blend, modes):
    return jax.grad(lambda u: low_normal_equations(u, blend, modes)[2])(u)


def test_low_modes_are_close_to_the_truth_for_a_white_weight():
    rng = np.random.default_rng(5)
    blend = make_blend(rng, np.full((2, 16, 24), 0.7))
    u = jnp.asarray(0.3 * rng.normal(size=(3, blend.prior.size)), jnp.float32)
    ratio = np.diagonal(low_normal_equations(u, blend, modes_of(blend))[0]) / np.diagonal(
        exact_normal_equations(u, blend)[0]
    )
    assert 0.8 < np.median(ratio) < 1.25


def test_low_modes_differentiate_their_own_value():
    with jax.enable_x64(True):
        rng = np.random.default_rng(6)
        blend = make_blend(rng, rng.uniform(0, 2, size=(2, 16, 24)))
        u = jnp.asarray(0.3 * rng.normal(size=(3, blend.prior.size)))
        modes = modes_of(blend)
        gradient = low_slope(u, blend, modes).reshape(-1)
        np.testing.assert_allclose(
            low_normal_equations(u, blend, modes)[1], gradient, atol=1e-9 * np.abs(gradient).max()
        )


def test_low_modes_and_pixels_agree_on_the_way_to_the_truth():
    """Between two points, most of the fall of the objective is in the low wavenumbers."""
    rng = np.random.default_rng(7)
    blend = make_blend(rng, np.full((2, 16, 24), 400.0))
    u = jnp.asarray(0.3 * rng.normal(size=(3, blend.prior.size)), jnp.float32)
    there = jnp.asarray(0.3 * rng.normal(size=(3, blend.prior.size)), jnp.float32)
    exposure = blend.exposures[0]
    drawn = render(blend.sources(there), exposure.frame, exposure.transfer)
    blend = eqx.tree_at(lambda b: b.exposures[0].image, blend, drawn)
    modes = modes_of(blend)
    low = [low_normal_equations(at, blend, modes)[2] for at in (u, there)]
    falls = low[0] - low[1], objective(u, blend) - objective(there, blend)
    assert falls[1] > 10
    np.testing.assert_allclose(falls[0], falls[1], rtol=0.1)
