"""The verb: draws from the posterior of fitted blends."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np

from jaxblend.fitting.result import Fit
from jaxblend.infer.flags import Outcome
from jaxblend.infer.psis import k_hat
from jaxblend.sampling.compute import Task, importance_draws, laplace_draws, nuts_draws
from jaxblend.sampling.diagnostics import effective_from_ancestors, of_chains
from jaxblend.sampling.posterior import Posterior

__all__ = ["sample", "sample_batch"]

METHODS = ("auto", "importance", "nuts", "laplace")
_DRAWS = {"laplace": 1000, "importance": 400, "nuts": 500}
_TRUSTED = 0.7  # k-hat
_ENOUGH = 100  # effective draws
_CLOSE = 0.5  # nats, of the density that is sampled


def sample(
    fit: Fit,
    *,
    key,
    method: str = "auto",
    n_draws: int | None = None,
    chains: int = 4,
    warmup: int = 300,
    exact: bool = False,
) -> Posterior:
    """Draw from the posterior of a fitted blend.

    Parameters
    ----------
    fit
        With its images (not from ``fit_batch(..., keep_observations=False)``).
    key
        ``jax.random.key(...)``.
    method
        "laplace": the Gaussian in ``u`` about the optimum. "importance": from there to the posterior in steps of
        importance sampling with Hamiltonian moves. "nuts": No-U-turn chains. "auto": importance, and NUTS where its
        k-hat is above 0.7, fewer than 100 (or a quarter of the) draws are effective, or the density that was sampled
        is not that in pixels; in pixels then.
    n_draws
        In all, or of each chain; by default 1000, 400 and 500.
    chains, warmup
        Of "nuts".
    exact
        NUTS evaluates the density in pixels, at some fifty times the cost of the default, which is close to it about
        the optimum: ``diagnostics["density_error"]`` says how close.

    Returns
    -------
    Posterior
        Its ``method`` says which was used, its ``diagnostics`` how well it went.

    Raises
    ------
    ValueError
        If an argument is out of range, or the fit has failed or has no images.
    """
    _check(fit, key, method, n_draws=n_draws, chains=chains, warmup=warmup)
    task = Task.of(fit)
    if method != "auto":
        return _by(method, fit, task, key, n_draws, chains, warmup, exact)
    first, then = jax.random.split(key)
    found = _by("importance", fit, task, first, n_draws, chains, warmup, exact)
    d = found.diagnostics
    enough = min(_ENOUGH, 0.25 * (n_draws or _DRAWS["importance"]))
    close = d["density_error"] <= _CLOSE
    if d["k_hat"] <= _TRUSTED and d["effective_draws"] >= enough and close:
        return found
    found = _by("nuts", fit, task, then, n_draws, chains, warmup, exact or not close)
    if found.diagnostics["density_error"] <= _CLOSE:
        return found
    return _by("nuts", fit, task, then, n_draws, chains, warmup, True)


def sample_batch(fits: Iterable[Fit], *, key, **options) -> list[Posterior]:
    """Sample many blends, as ``sample`` does; the key of each follows from its number. Two or more run at once.

    Raises ``ValueError`` before the first is sampled if a fit has failed or has no images, naming it.
    """
    fits = list(fits)
    for i, fit in enumerate(fits):
        if not isinstance(fit, Fit) or fit.outcome is Outcome.FAILED or fit.item is None:
            raise ValueError(f"fit {i} cannot be sampled: it has failed, or was made with keep_observations=False")
    with ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, 4))) as pool:
        return list(pool.map(lambda x: sample(x[1], key=jax.random.fold_in(key, x[0]), **options), enumerate(fits)))


def _by(method, fit, task, key, n_draws, chains, warmup, exact) -> Posterior:
    n_draws = n_draws or _DRAWS[method]
    if method == "laplace":
        u, values = laplace_draws(task, key, fit.reference, n_draws)
        return _posterior(fit, method, u[None], values[None], {"log_evidence": fit.log_evidence, "modes": 1})
    if method == "importance":
        u, values, swarm, error = jax.tree.map(np.asarray, importance_draws(task, key, fit.reference, n_draws))
        steps = swarm.log_weights[~np.isnan(swarm.log_weights[:, 0])]
        return _posterior(
            fit,
            method,
            u[None],
            values[None],
            {
                "effective_draws": effective_from_ancestors(values[:, : fit.n], swarm.ancestor),
                "k_hat": max((k_hat(step) for step in steps), default=np.inf) if swarm.reached >= 1 else np.inf,
                "plain_k_hat": k_hat(swarm.plain_log_weights),
                "steps": len(steps),
                "log_evidence": _log_evidence(fit, task, float(swarm.log_evidence)),
                "density_error": float(error),
                "modes": len(task.proposal.log_share),
            },
        )
    run = nuts_draws(task, key, fit.reference, n_draws, warmup, chains, exact)
    u, values, found, error = jax.tree.map(np.asarray, run)
    diagnostics = {
        **of_chains(values[:, :, : fit.n]),
        "divergences": int(found.diverging.sum()),
        "leaps": float(found.leaps.mean()),
        "density_error": float(error),
        "modes": len(task.proposal.log_share),
    }
    return _posterior(fit, method, u, values, diagnostics)


def _posterior(fit: Fit, method, u, values, diagnostics) -> Posterior:
    return Posterior(
        method=method,
        u=np.asarray(u)[:, :, : fit.n],
        quantities=np.asarray(values)[:, :, : fit.n],
        quantity_names=fit.quantity_names,
        bands=fit.bands,
        zero_points=np.asarray(fit.context["zero_points"], float),
        stars=fit.stars,
        diagnostics=diagnostics,
        fit=fit,
    )


def _log_evidence(fit: Fit, task: Task, gain: float) -> float:
    """``gain``: ln of the posterior's integral over z, less that of the proposal, whose 2 pi are those of the prior."""
    volume = np.linalg.slogdet(np.asarray(task.root, float))[1]
    return gain + float(volume) + fit.context["noise_normalisation"]


def _check(fit, key, method, **numbers):
    if not isinstance(fit, Fit):
        raise ValueError(f"sample takes a Fit, as jb.fit returns, got {type(fit).__name__}")
    if fit.outcome is Outcome.FAILED:
        raise ValueError(f"this fit has failed and cannot be sampled: {fit.context.get('message', 'not finite')}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if not isinstance(key, jax.Array) or not jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key) or key.shape:
        raise ValueError(f"key must be one key such as jax.random.key(0), got {key!r}")
    for name, value in numbers.items():
        if value is not None and (not isinstance(value, (int, np.integer)) or value < 1):
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
