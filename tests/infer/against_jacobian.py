"""The normal equations of a blend against automatic differentiation of its residuals."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxblend.forward.likelihood import weighted_residual
from jaxblend.infer.columns import exact_normal_equations
from jaxblend.infer.posterior import in_bands, objective


def check_normal_equations(blend, u):
    """In float64."""

    def residual(u):
        parts = [weighted_residual(in_bands(blend.sources(u), bands), e) for e, bands in blend.with_bands()]
        return jnp.concatenate([part.reshape(-1) for part in (*parts, u)])

    jacobian = jax.jacfwd(residual)(u).reshape(-1, u.size)
    hessian, gradient, value = exact_normal_equations(u, blend)
    scale = np.abs(jacobian.T @ jacobian).max()
    np.testing.assert_allclose(hessian, jacobian.T @ jacobian, atol=1e-9 * scale)
    np.testing.assert_allclose(value, objective(u, blend))
    np.testing.assert_allclose(gradient, jax.grad(objective)(u, blend).reshape(-1), atol=1e-9 * scale)
