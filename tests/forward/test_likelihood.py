import jax
import jax.numpy as jnp
import numpy as np

from jaxblend.forward.galaxies import Exponential
from jaxblend.forward.likelihood import Exposure, weighted_residual
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.forward.render import render
from jaxblend.forward.scene import Sources


def test_residual_is_weighted_and_zero_where_masked():
    rng = np.random.default_rng(0)
    image, weight = rng.normal(size=(2, 10, 12)), rng.uniform(1, 2, (2, 10, 12))
    mask = rng.random((10, 12)) < 0.2
    observation = Observation(image, weight, GaussianPSF(0.7), pixel_scale=0.2, mask=mask)
    exposure = Exposure.of(observation)
    one = Sources(
        jnp.zeros((1, 2)), jnp.array([[-1.0, 0.1, 0.0]]), jnp.ones((1, 1, 2)), jnp.ones(1, bool), Exponential()
    )
    residual = weighted_residual(one, exposure)
    model = render(one, exposure.frame, exposure.transfer)
    np.testing.assert_allclose(residual, np.where(mask, 0, (model - image) * np.sqrt(weight)), atol=1e-5)
    assert np.isfinite(jax.grad(lambda s: (weighted_residual(s, exposure) ** 2).sum(), allow_int=True)(one).shape).all()
