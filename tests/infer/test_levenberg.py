"""Steps that learn the curvature, against SciPy's BFGS update and a valley with a known end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import BFGS

from jaxblend.infer.levenberg import Point, _corrected, descend


def test_the_correction_is_that_of_scipy():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    hessian, step = root @ root.T + np.eye(4), rng.normal(size=4)
    change = (hessian + 0.3 * np.eye(4)) @ step
    theirs = BFGS(init_scale=hessian)
    theirs.initialize(4, "hess")
    theirs.update(step, change)
    np.testing.assert_allclose(_corrected(*map(jnp.asarray, (hessian, step, change))), theirs.get_matrix(), rtol=1e-4)


@pytest.mark.parametrize("change", [[-3.0, 0.5], [0.0, 0.0], [np.nan, 1.0], [1e30, -1e30]])
def test_what_it_learns_stays_positive(change):
    hessian = jnp.diag(jnp.array([4.0, 1e-3]))
    found = _corrected(hessian, jnp.array([1.0, 0.2]), jnp.array(change))
    assert np.isfinite(found).all()
    assert np.linalg.eigvalsh(np.asarray(found, float)).min() > 0


def valley(u):
    """Half the squares of Rosenbrock's residuals: a bent valley whose end is at (1, 1)."""
    x, y = u[0]
    return 0.5 * jnp.sum(jnp.stack([10 * (y - x**2), 1 - x]) ** 2)


@pytest.mark.parametrize("learn", [True, False])
def test_a_bent_valley_is_followed_further_with_what_was_learned(learn):
    u = jnp.array([[-1.2, 1.0]])

    def evaluate(u):
        value, slope = jax.value_and_grad(valley)(u)
        return Point(u, value, slope.reshape(-1), hessian)

    hessian = jnp.array([[577.0, 240.0], [240.0, 100.0]])  # J^T J at the beginning
    state = jax.jit(lambda: descend(evaluate, evaluate(u), 80, 1e-6, learn=learn))()
    assert (float(state.point.value) < 1e-3) == learn
    if learn:
        np.testing.assert_allclose(state.point.u, [[1.0, 1.0]], atol=1e-3)
