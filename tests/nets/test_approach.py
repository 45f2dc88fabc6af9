"""Models of a blend that find together what fits: against the fit in pixels, and with nothing to go by."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.fitting.prepare import prepare
from jaxblend.nets.approach import approach


@pytest.fixture(scope="module")
def blend():
    options = {"n_sources": 2, "stamp_size": 32, "noise": "sky", "max_offset": 1.2}
    return jb.simulate(jb.get_survey("LSST", "r"), key=jax.random.key(3), **options)


@pytest.fixture(scope="module")
def fit(blend):
    return jb.fit(blend.observation, blend.positions)


@eqx.filter_jit
def approached(u, item):
    return approach(u, item.blend())


def test_marginal_errors_are_those_of_the_fit(fit):
    found = approached(jnp.asarray(fit.result.u), fit.item)
    d = fit.item.prior.size
    covariance = fit.whitened_covariance.reshape(2, d, 2, d)
    expected = np.sqrt(np.stack([np.diagonal(covariance[i, :, i]) for i in range(2)]))
    np.testing.assert_allclose(found.found.errors(), expected, rtol=0.1)
    np.testing.assert_allclose(found.found.mean, fit.result.u, atol=0.5 * expected.max())
    np.testing.assert_allclose(found.light[:, :, :32, :32], fit.images, atol=0.05 * fit.images.max())


def test_an_image_of_nothing_leaves_the_prior(blend, fit):
    empty = blend.observation.replace(weight=np.full_like(blend.observation.weight, 1e-12))
    item = prepare((empty,), blend.positions, model=jb.BulgeDisk(), prior=fit.item.prior)
    found = approached(jnp.zeros_like(fit.result.u), item).found
    assert np.isfinite(found.mean).all()
    np.testing.assert_allclose(found.errors(), 1.0, rtol=0.2)
