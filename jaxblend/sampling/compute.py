"""The compiled programs: draws of one blend by each method, as NumPy arrays."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxblend.fitting.prepare import Item
from jaxblend.fitting.result import Fit
from jaxblend.infer import laplace
from jaxblend.infer.mixture import LaplaceMixture
from jaxblend.infer.nuts import nuts
from jaxblend.infer.posterior import objective
from jaxblend.infer.smc import importance_in_steps
from jaxblend.infer.summary import quantities
from jaxblend.infer.surrogate import Surrogate

__all__ = ["Task", "importance_draws", "laplace_draws", "nuts_draws"]

_CHECKED = 16  # draws at which the stand-in for the objective is compared with the objective
_SIDE_BY_SIDE = 8
_AS_SCATTER = 2.5  # a fifth more curvature, error bars narrower by a tenth, counts as half a nat


class Task(eqx.Module):
    """A fitted blend, and the Laplace approximations that its sampling begins from."""

    item: Item
    centre: Float[Any, "K D"]
    root: Float[Any, "KD KD"]
    proposal: LaplaceMixture

    @classmethod
    def of(cls, fit: Fit) -> Task:
        """Of a fit that has kept its images; its second mode joins where one is within reach."""
        if fit.item is None:
            raise ValueError("this fit has no images to sample from: fit with keep_observations=True")
        result = fit.result
        modes = [(result.u, result.objective, result.hessian)]
        if np.any(result.second_mode):
            modes.append((result.second_u, result.second_objective, result.second_hessian))
        proposal = LaplaceMixture.of(*map(list, zip(*modes, strict=True)))
        task = cls(fit.item, result.u, laplace.root(np.asarray(result.hessian)), proposal)
        return jax.tree.map(lambda x: _like_default(x) if eqx.is_array(x) else x, task)

    def surrogate(self) -> Surrogate:
        """The cheap posterior density, built on the device."""
        return Surrogate.at(self.centre, self.root, self.item.blend())


def _like_default(leaf):
    real = np.issubdtype(leaf.dtype, np.floating)
    return jnp.asarray(leaf, dtype=float) if real else jnp.asarray(leaf)


@eqx.filter_jit
def laplace_draws(task: Task, key, reference: int, n_draws: int):
    """Draws of the approximation about the best mode, pushed through the prior: fluxes are positive as they are."""
    with jax.default_matmul_precision("highest"):
        z = jax.random.normal(key, (n_draws, task.centre.size), task.centre.dtype)
        u = task.centre + (z @ task.root.T).reshape(-1, *task.centre.shape)
        return u, _quantities(u, task.item.blend(), reference)


@eqx.filter_jit
def importance_draws(task: Task, key, reference: int, n_draws: int):
    """Draws (S, K, D), quantities (S, K, Q), the swarm, and the error of the stand-in."""
    with jax.default_matmul_precision("highest"):
        surrogate = task.surrogate()
        swarm = importance_in_steps(surrogate, task.proposal, key, n_draws=n_draws)
        u, values, error = _reported(swarm.z, surrogate, task, reference)
        return u, values, swarm, error


@eqx.filter_jit
def nuts_draws(task: Task, key, reference: int, n_draws: int, warmup: int, chains: int, exact: bool):
    """Draws (chains, S, K, D), quantities (chains, S, K, Q), the chains, and the error of the stand-in.

    ``exact`` samples the objective in pixels, at some fifty times the cost.
    """
    with jax.default_matmul_precision("highest"):
        surrogate = task.surrogate()
        potential = _InPixels(surrogate, task.item) if exact else surrogate
        first, then = jax.random.split(key)
        starts = jax.vmap(task.proposal.draw)(jax.random.split(first, chains))
        found = nuts(potential, starts, then, n_draws=n_draws, warmup=warmup)
        u, values, error = _reported(found.z.reshape(-1, found.z.shape[-1]), surrogate, task, reference)
        u, values = (x.reshape(chains, n_draws, *x.shape[1:]) for x in (u, values))
        return u, values, found, jnp.zeros_like(error) if exact else error


class _InPixels(eqx.Module):
    """The objective itself in the coordinates of the stand-in."""

    surrogate: Surrogate
    item: Item

    def __call__(self, z):
        return objective(self.surrogate.u(z), self.item.blend())


def _reported(z, surrogate: Surrogate, task: Task, reference: int):
    """Draws of u, their quantities, and how far the stand-in is from the objective among some of them."""
    blend = task.item.blend()
    u = jax.vmap(surrogate.u)(z)
    some = z[:: max(1, len(z) // _CHECKED)][:_CHECKED]
    ours = jax.lax.map(surrogate, some)
    pixels = jax.lax.map(lambda z: objective(surrogate.u(z), blend), some)
    # Too much curvature makes draws that lie too close together to show it.
    return u, _quantities(u, blend, reference), jnp.maximum(jnp.std(pixels - ours), _AS_SCATTER * surrogate.excess)


def _quantities(u, blend, reference):
    return jax.lax.map(lambda u: quantities(u, blend, reference), u, batch_size=_SIDE_BY_SIDE)
