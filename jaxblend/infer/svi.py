"""Variational inference with NumPyro's guides, in coordinates in which the Laplace approximation is N(0, 1)."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxblend.infer.each import each

__all__ = ["Variational", "svi"]

_PARTICLES = 8
_FIRST_STEP, _LAST_STEP = 0.03, 0.001  # of Adam: the whitened posterior is about one wide


class Variational(eqx.Module):
    """S draws of z from a fitted guide; ln of target over guide at each, and the evidence lower bound of every step."""

    z: Float[Array, "S n"]
    log_weights: Float[Array, " S"]
    bound: Float[Array, " steps"]


def svi(potential: Callable, size: int, key, *, n_draws: int, steps: int, guide: Callable | None = None) -> Variational:
    """Fit a guide to ``exp(-potential(z))`` and draw from it.

    Parameters
    ----------
    potential
        Of one z (n,).
    size
        n.
    n_draws
        S.
    steps
        Of the optimiser (Adam, with a step that shrinks).
    guide
        Makes a guide of a model, such as a class of ``numpyro.infer.autoguide``; by default
        ``AutoMultivariateNormal``, which begins at N(0, 1).
    """
    try:
        import numpyro
        from numpyro import distributions as dist
        from numpyro.infer import SVI, Trace_ELBO
        from numpyro.infer.autoguide import AutoMultivariateNormal
        from numpyro.infer.initialization import init_to_value
    except ImportError as error:
        raise ImportError("method='svi' needs NumPyro: pip install 'jaxblend[nuts]'") from error

    def model():
        z = numpyro.sample("z", dist.ImproperUniform(dist.constraints.real_vector, (), (size,)))
        numpyro.factor("density", -potential(z))

    start = init_to_value(values={"z": jnp.zeros(size)})
    family = AutoMultivariateNormal(model, init_loc_fn=start, init_scale=1.0) if guide is None else guide(model)
    if not hasattr(family, "get_posterior"):
        raise ValueError(f"guide must have a posterior in closed form, as AutoMultivariateNormal has, got {family!r}")
    optimiser = numpyro.optim.Adam(lambda i: _FIRST_STEP * (_LAST_STEP / _FIRST_STEP) ** (i / steps))
    fitted = SVI(model, family, optimiser, Trace_ELBO(num_particles=_PARTICLES))
    begin, end = jax.random.split(key)
    state, losses = jax.lax.scan(lambda s, _: fitted.stable_update(s), fitted.init(begin), length=steps)
    posterior = family.get_posterior(fitted.get_params(state))
    posterior = posterior.to_event(len(posterior.batch_shape))  # that of a diagonal guide is one per number
    z, between = posterior.sample_with_intermediates(end, (n_draws,))
    log_guide = posterior.log_prob(z, between) if between else posterior.log_prob(z)
    return Variational(z, -each(potential, z) - log_guide, -losses)
