"""The compiled programs: draws of stacked blends by each method."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblend.fitting.prepare import Item
from jaxblend.fitting.result import Fit
from jaxblend.infer import laplace
from jaxblend.infer.correction import corrected
from jaxblend.infer.each import each
from jaxblend.infer.mixture import LaplaceMixture
from jaxblend.infer.nuts import nuts
from jaxblend.infer.posterior import objective
from jaxblend.infer.ridges import with_ridges
from jaxblend.infer.smc import importance_in_steps
from jaxblend.infer.summary import quantities
from jaxblend.infer.surrogate import Surrogate
from jaxblend.infer.svi import svi

__all__ = ["CHECKED", "Drawn", "Task", "importance_draws", "laplace_draws", "nuts_draws", "svi_draws"]

_MODES = 4  # of a proposal, at most: as many as a fit has starts
_SHARE = 0.01  # of the posterior, below which a mode counts for nothing
CHECKED = 16  # draws at which the stand-in for the objective is compared with the objective
_UNCORRECTED = 0.25  # nats, of the stand-in's error: a divergence of 0.03
_SIDE_BY_SIDE = 8
_AS_SCATTER = 2.5  # a fifth more curvature, error bars narrower by a tenth, counts as half a nat


class Task(eqx.Module):
    """A fitted blend, and the Laplace approximations that its sampling begins from; NumPy arrays, which stack."""

    item: Item
    centre: Float[Any, "*B K D"]
    root: Float[Any, "*B KD KD"]
    proposal: LaplaceMixture
    reference: int = eqx.field(static=True)

    @classmethod
    def of(cls, fit: Fit) -> Task:
        """Of a fit that has kept its images, with all modes that its starts have found."""
        if fit.item is None:
            raise ValueError("this fit has no images to sample from: fit with keep_observations=True")
        r = fit.result
        curved = zip([r.u, *r.rival_u], [r.objective, *r.rival_objective], [r.hessian, *r.rival_hessian], strict=True)
        modes = [(u, *laplace.root_and_log_evidence(float(f), np.asarray(h))) for u, f, h in curved]
        # A rival without a curvature would make the whole mixture NaN.
        modes = [modes[0], *(mode for mode in modes[1:_MODES] if np.isfinite(mode[1]).all())]
        u, roots, evidence = (list(each) for each in zip(*modes, strict=True))
        empty = _MODES - len(modes)
        proposal = LaplaceMixture.of(u + u[:1] * empty, roots + roots[:1] * empty, evidence + [-np.inf] * empty)
        task = cls(fit.item, r.u, roots[0], proposal, fit.reference)
        dtype = jnp.asarray(0.0, dtype=float).dtype
        return jax.tree.map(lambda x: np.asarray(x, dtype) if _is_real(x) else x, task)

    @property
    def n_modes(self) -> int:
        """Solutions that have more than a hundredth of the posterior, by their Laplace evidences."""
        return int(np.sum(self.proposal.log_share > np.log(_SHARE)))

    def surrogate(self) -> Surrogate:
        """The cheap posterior density, built on the device."""
        return Surrogate.at(self.centre, self.root, self.item.blend())

    def widened(self, surrogate: Surrogate) -> LaplaceMixture:
        """The proposal, with what lies along the ridges of sources that fade."""
        blend = self.item.blend()
        flux = slice(2, 2 + blend.n_bands)

        def log_flux(z):
            return jax.vmap(blend.prior.physical)(surrogate.u(z))[:, flux].mean(1)

        return with_ridges(self.proposal, surrogate, surrogate.low_curvature, log_flux, blend.present)


class Drawn(eqx.Module):
    """Draws of ``u`` and of the catalogue's quantities, with axes chains and S; the error of the stand-in.

    ``evidence_shift`` is to be added to the log evidence under the stand-in; ``run`` is what the sampler itself tells.
    """

    u: Float[Array, "chains S K D"]
    quantities: Float[Array, "chains S K Q"]
    density_error: Float[Array, ""]
    evidence_shift: Float[Array, ""]
    run: Any


def _over_blends(program: Callable) -> Callable:
    """The program of one task and key, for stacked ones: one after the other on a CPU, side by side elsewhere."""

    @eqx.filter_jit
    @functools.wraps(program)
    def stacked(tasks: Task, keys, *options) -> Drawn:
        arrays, static = eqx.partition(tasks, eqx.is_array)

        def one(given):
            # Accelerators else multiply matrices with ten bits.
            with jax.default_matmul_precision("highest"):
                return program(eqx.combine(given[0], static), given[1], *options)

        return each(one, (jax.tree.map(jnp.asarray, arrays), keys))

    return stacked


@_over_blends
def laplace_draws(task: Task, key, n_draws: int) -> Drawn:
    """Draws of the approximation about the best mode, pushed through the prior: fluxes are positive as they are."""
    z = jax.random.normal(key, (n_draws, task.centre.size), task.centre.dtype)
    u = task.centre + (z @ task.root.T).reshape(-1, *task.centre.shape)
    values = _quantities(u, task.item.blend(), task.reference)
    return Drawn(u[None], values[None], jnp.zeros(()), jnp.zeros(()), None)


@_over_blends
def importance_draws(task: Task, key, n_draws: int) -> Drawn:
    """Draws of importance sampling in steps; ``run`` is a `Swarm`, its draws left out.

    Where the stand-in is not close enough they are carried to the density in pixels, and ``density_error`` is 0.
    """
    surrogate = task.surrogate()
    first, then = jax.random.split(key)
    proposal = task.widened(surrogate)
    swarm = importance_in_steps(surrogate, proposal, first, n_draws=n_draws)
    error, shift = _density_error(swarm.z, surrogate, task)
    far = ~(error <= _UNCORRECTED) & (swarm.reached >= 1)  # or NaN
    swarm = corrected(swarm, surrogate, _InPixels(surrogate, task.item), proposal, then, far)
    exact = far & (swarm.reached >= 1)
    error, shift = (jnp.where(exact, 0.0, value) for value in (error, shift))
    return _reported(swarm.z[None], surrogate, task, eqx.tree_at(lambda s: s.z, swarm, None), error, shift)


@_over_blends
def nuts_draws(task: Task, key, n_draws: int, warmup: int, chains: int, exact: bool) -> Drawn:
    """Draws of No-U-turn chains; ``run`` is `Chains`, their draws left out, and the log weights (chains, S) of each.

    Where the stand-in is not close enough the weights are those of the density in pixels, elsewhere they are 0.
    ``exact`` samples the objective in pixels, at about eight times the cost.
    """
    surrogate = task.surrogate()
    potential = _InPixels(surrogate, task.item) if exact else surrogate
    first, then = jax.random.split(key)
    found = nuts(potential, task.widened(surrogate).one_of_each(first, chains), then, n_draws=n_draws, warmup=warmup)
    error, log_weights = jnp.zeros(()), jnp.zeros(found.z.shape[:2])
    if not exact:
        error = _density_error(found.z, surrogate, task)[0]
        log_weights = jax.lax.cond(
            error <= _UNCORRECTED, lambda: log_weights, lambda: _towards_pixels(found.z, surrogate, task)
        )
    run = eqx.tree_at(lambda c: c.z, found, None), log_weights
    return _reported(found.z, surrogate, task, run, error, jnp.zeros(()))


@_over_blends
def svi_draws(task: Task, key, n_draws: int, steps: int, guide: Callable | None) -> Drawn:
    """Draws of a fitted guide; ``run`` is `Variational`, its draws left out."""
    surrogate = task.surrogate()
    found = svi(surrogate, task.centre.size, key, n_draws=n_draws, steps=steps, guide=guide)
    error, shift = _density_error(found.z, surrogate, task)
    return _reported(found.z[None], surrogate, task, eqx.tree_at(lambda v: v.z, found, None), error, shift)


class _InPixels(eqx.Module):
    """The objective itself in the coordinates of the stand-in."""

    surrogate: Surrogate
    item: Item

    def __call__(self, z):
        return objective(self.surrogate.u(z), self.item.blend())


def _towards_pixels(z: Float[Array, "chains S n"], surrogate: Surrogate, task: Task) -> Float[Array, "chains S"]:
    """Log weights that make draws of the stand-in those of the objective."""
    blend = task.item.blend()

    def gain(z):
        return surrogate(z) - objective(surrogate.u(z), blend)

    return each(gain, z.reshape(-1, z.shape[-1]), _SIDE_BY_SIDE).reshape(z.shape[:2])


def _density_error(z: Float[Array, "*chains S n"], surrogate: Surrogate, task: Task):
    """How far the stand-in is from the objective among some of the draws: the scatter of the difference.

    Also ln of the mean ratio of the densities, by which their evidences differ.
    """
    blend, flat = task.item.blend(), z.reshape(-1, z.shape[-1])
    some = flat[:: max(1, len(flat) // CHECKED)][:CHECKED]
    ours = each(surrogate, some)
    pixels = each(lambda z: objective(surrogate.u(z), blend), some)
    # Too much curvature makes draws that lie too close together to show it.
    error = jnp.maximum(jnp.std(pixels - ours), _AS_SCATTER * surrogate.excess)
    return error, jax.nn.logsumexp(ours - pixels) - jnp.log(len(some))


def _reported(z: Float[Array, "chains S n"], surrogate: Surrogate, task: Task, run: Any, error, shift) -> Drawn:
    """Draws with their quantities."""
    u = jax.vmap(surrogate.u)(z.reshape(-1, z.shape[-1]))
    values = _quantities(u, task.item.blend(), task.reference)
    u, values = (x.reshape(*z.shape[:2], *x.shape[1:]) for x in (u, values))
    return Drawn(u, values, error, shift, run)


def _quantities(u, blend, reference):
    return each(lambda u: quantities(u, blend, reference), u, _SIDE_BY_SIDE)


def _is_real(leaf) -> bool:
    return eqx.is_array(leaf) and np.issubdtype(leaf.dtype, np.floating)
