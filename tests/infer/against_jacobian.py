"""The normal equations of a blend against automatic differentiation of its residuals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from compiled import exact_normal_equations, objective, slope

from jaxblend.forward.likelihood import weighted_residual
from jaxblend.infer.posterior import in_bands


@eqx.filter_jit
def jacobian(u, blend):
    """Of all residuals, (n, K D)."""

    def residual(u):
        parts = [weighted_residual(in_bands(blend.sources(u), bands), e) for e, bands in blend.with_bands()]
        return jnp.concatenate([part.reshape(-1) for part in (*parts, u)])

    return jax.jacfwd(residual)(u).reshape(-1, u.size)


def check_normal_equations(blend, u):
    """In float64."""
    columns = jacobian(u, blend)
    hessian, gradient, value = exact_normal_equations(u, blend)
    scale = np.abs(columns.T @ columns).max()
    np.testing.assert_allclose(hessian, columns.T @ columns, atol=1e-9 * scale)
    np.testing.assert_allclose(value, objective(u, blend))
    np.testing.assert_allclose(gradient, slope(u, blend).reshape(-1), atol=1e-9 * scale)
