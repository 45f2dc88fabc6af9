"""What tests of blends evaluate, each compiled as a whole: op by op, hundreds of small programs would be compiled."""

import equinox as eqx
import jax

from jaxblend.infer import columns, low_modes, posterior

objective = eqx.filter_jit(posterior.objective)
exact_normal_equations = eqx.filter_jit(columns.exact_normal_equations)
low_normal_equations = eqx.filter_jit(low_modes.low_normal_equations)


@eqx.filter_jit
def slope(u, blend):
    """Of the objective."""
    return jax.grad(posterior.objective)(u, blend)
