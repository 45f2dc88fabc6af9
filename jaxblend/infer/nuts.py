"""No-U-turn sampling with NumPyro, in coordinates in which the Laplace approximation is N(0, 1)."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import Array, Bool, Float, Int

from jaxblend.infer.each import each

__all__ = ["Chains", "nuts"]

_TREE_DEPTH = 8


class Chains(eqx.Module):
    """Draws of z, and how each was come by."""

    z: Float[Array, "*chains S n"]
    potential: Float[Array, "*chains S"]
    diverging: Bool[Array, "*chains S"]
    leaps: Int[Array, "*chains S"]
    step: Float[Array, "*chains"]


def nuts(potential: Callable, starts: Float[Array, "chains n"], key, *, n_draws: int, warmup: int) -> Chains:
    """Sample ``exp(-potential(z))``, one chain from each start (Hoffman & Gelman 2014, J. Mach. Learn. Res. 15, 1593).

    Parameters
    ----------
    potential
        Of one z (n,); a pytree, so that another one of its shape needs no new program.
    starts
        Where chains begin.
    n_draws
        Kept in each chain.
    warmup
        Steps before, in which step size and scales adapt.
    """
    try:
        from numpyro.infer.hmc import hmc
    except ImportError as error:
        raise ImportError("method='nuts' needs NumPyro: pip install 'jaxblend[nuts]'") from error

    def chain(begin):
        start, key = begin
        set_out, onward = hmc(potential_fn_gen=lambda model: model, algo="NUTS")
        options = {"max_tree_depth": _TREE_DEPTH, "model_args": (potential,), "rng_key": key}
        state = set_out(start, warmup, step_size=0.5, find_heuristic_step_size=False, **options)

        def step(state, _):
            state = onward(state, model_args=(potential,))
            return state, (state.z, state.potential_energy, state.diverging, state.num_steps)

        state, _ = jax.lax.scan(lambda s, x: (step(s, x)[0], None), state, length=warmup)
        state, kept = jax.lax.scan(step, state, length=n_draws)
        return Chains(*kept, step=state.adapt_state.step_size)

    return each(chain, (starts, jax.random.split(key, len(starts))))
