"""Normal equations and low wavenumbers of a blend whose noise is correlated."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from against_jacobian import check_normal_equations
from compiled import exact_normal_equations, low_normal_equations, objective

from jaxblend.forward.frame import Frame
from jaxblend.forward.galaxies import Exponential
from jaxblend.forward.likelihood import Exposure
from jaxblend.forward.psf import GaussianPSF
from jaxblend.forward.render import render
from jaxblend.forward.whitening import Whitening
from jaxblend.infer.low_modes import low_modes
from jaxblend.infer.posterior import Blend
from jaxblend.priors import population_prior

SHAPE = (24, 24)
CORRELATION = np.stack([np.outer([0.3, 1, 0.3], [0.3, 1, 0.3]), np.outer([-0.1, 1, -0.1], [0.4, 1, 0.4])])


def make_blend(weight, image):
    """Two sources in two bands."""
    frame, model = Frame(SHAPE, 0.2), Exponential()
    prior = population_prior(model, "ri", zero_point=[27.0, 27.0], position_scatter=0.2)
    whitening = jax.tree.map(jnp.asarray, Whitening.of(CORRELATION, weight > 0))
    transfer = GaussianPSF(fwhm=np.array([0.8, 0.7])).transfer(frame)
    exposure = Exposure(jnp.asarray(image), jnp.sqrt(jnp.asarray(weight)), transfer, frame, whitening)
    seeds, both = jnp.asarray([[-0.6, 0.1], [0.5, -0.2]]), jnp.ones(2, bool)
    return Blend((exposure,), seeds, both, ~both, prior, model, ((0, 1),))


def test_normal_equations_match_automatic_differentiation():
    with jax.enable_x64(True):
        rng = np.random.default_rng(3)
        weight = rng.uniform(0.5, 2, size=(2, *SHAPE)) * (rng.random((2, *SHAPE)) > 0.1)
        blend = make_blend(weight, rng.normal(size=(2, *SHAPE)))
        u = jnp.asarray(0.3 * rng.normal(size=(2, blend.prior.size)))
        check_normal_equations(blend, u)


def test_low_wavenumbers_weigh_as_whitened_pixels_do():
    rng = np.random.default_rng(7)
    blend = make_blend(np.full((2, *SHAPE), 400.0), np.zeros((2, *SHAPE)))
    u, there = (jnp.asarray(0.3 * rng.normal(size=(2, blend.prior.size)), jnp.float32) for _ in range(2))
    drawn = render(blend.sources(there), blend.exposures[0].frame, blend.exposures[0].transfer)
    blend = eqx.tree_at(lambda b: b.exposures[0].image, blend, drawn)

    def falls(blend):
        modes = tuple(low_modes(e, jnp.zeros_like(e.image)) for e in blend.exposures)
        low = [low_normal_equations(at, blend, modes) for at in (u, there)]
        ratio = jnp.diagonal(low[0][0]) / jnp.diagonal(exact_normal_equations(u, blend)[0])
        return low[0][2] - low[1][2], objective(u, blend) - objective(there, blend), ratio

    few, all_of_it, ratio = falls(blend)
    np.testing.assert_allclose(few, all_of_it, rtol=0.1)
    assert 0.8 < np.median(ratio) < 1.25
    white = eqx.tree_at(lambda b: b.exposures[0].whitening, blend, None, is_leaf=lambda leaf: leaf is None)
    assert falls(white)[1] > 1.3 * all_of_it
