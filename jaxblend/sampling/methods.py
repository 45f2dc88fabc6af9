"""Each method as a function of fitted blends: its program, and what its posteriors say of themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxblend.fitting.result import Fit
from jaxblend.infer.psis import effective_number, k_hat
from jaxblend.sampling.batches import in_batches
from jaxblend.sampling.compute import CHECKED, Drawn, Task, importance_draws, laplace_draws, nuts_draws, svi_draws
from jaxblend.sampling.diagnostics import effective_from_ancestors, evidence_error, of_chains
from jaxblend.sampling.posterior import Posterior
from jaxblend.sampling.weights import finite_or_none, resampled

__all__ = ["METHODS", "TRUSTED", "Settings"]

TRUSTED = 0.7  # k-hat up to which weights can be trusted (Vehtari et al. 2024)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to sample; ``n_draws`` of None is the method's own number."""

    n_draws: int | None
    chains: int
    warmup: int
    exact: bool
    steps: int
    guide: Callable | None
    batch_size: int | None

    def draws_of(self, method: str) -> int:
        """In all, or of each chain."""
        return self.n_draws or {"laplace": 1000, "importance": 400, "nuts": 500, "svi": 1000}[method]


def _laplace(fits: Sequence[Fit], keys, s: Settings) -> list[Posterior]:
    def about(fit, task, drawn):
        return {"log_evidence": fit.log_evidence, "modes": task.n_modes}

    return _sampled("laplace", fits, keys, s, laplace_draws, (), about)


def _importance(fits: Sequence[Fit], keys, s: Settings) -> list[Posterior]:
    def about(fit, task, drawn):
        swarm = drawn.run
        steps = swarm.log_weights[~np.isnan(swarm.log_weights[:, 0])]  # those towards the density in pixels, too
        gain = float(swarm.log_evidence + drawn.evidence_shift) if swarm.reached >= 1 else np.nan
        evidence = _log_evidence(fit, task, gain)
        return {
            "effective_draws": effective_from_ancestors(drawn.quantities[0, :, : fit.n], swarm.ancestor),
            "k_hat": float(np.max([k_hat(step) for step in steps])) if swarm.reached >= 1 else np.inf,
            "plain_k_hat": k_hat(swarm.plain_log_weights),
            "steps": len(steps),
            "log_evidence": evidence,
            "log_evidence_error": float(
                np.hypot(evidence_error(swarm.ancestor, len(steps)), float(drawn.density_error) / np.sqrt(CHECKED))
            ),
            "density_error": float(drawn.density_error),
            "modes": task.n_modes,
        }

    return _sampled("importance", fits, keys, s, importance_draws, (), about)


def _nuts(fits: Sequence[Fit], keys, s: Settings) -> list[Posterior]:
    def about(fit, task, drawn):
        chains, log_weights = drawn.run
        found = of_chains(drawn.quantities[:, :, : fit.n])
        error = float(drawn.density_error)
        if np.any(log_weights):
            found["k_hat"] = k_hat(log_weights.reshape(-1))
            found["effective_draws"] *= effective_number(finite_or_none(log_weights)) / log_weights.size
            error = 0.0 if found["k_hat"] <= TRUSTED else error
        return {
            **found,
            "divergences": int(chains.diverging.sum()),
            "leaps": float(chains.leaps.mean()),
            "density_error": error,
            "modes": task.n_modes,
        }

    options = (s.warmup, s.chains, s.exact)
    return _sampled(
        "nuts", fits, keys, s, nuts_draws, options, about, finish=lambda drawn: resampled(drawn, drawn.run[1])
    )


def _svi(fits: Sequence[Fit], keys, s: Settings) -> list[Posterior]:
    def about(fit, task, drawn):
        weights = drawn.run.log_weights.astype(float)
        # The guide's density has its 2 pi, the prior's are left out.
        shift = float(drawn.evidence_shift) - 0.5 * task.centre.size * np.log(2 * np.pi)
        last = drawn.run.bound[-max(1, len(drawn.run.bound) // 10) :]
        return {
            "effective_draws": effective_number(weights),  # if they were weighted, which they are not
            "k_hat": k_hat(weights),
            "log_evidence": _log_evidence(fit, task, np.logaddexp.reduce(weights) - np.log(len(weights)) + shift),
            "evidence_bound": _log_evidence(fit, task, float(np.mean(last)) + shift),
            "density_error": float(drawn.density_error),
            "modes": task.n_modes,
        }

    return _sampled("svi", fits, keys, s, svi_draws, (s.steps, s.guide), about)


METHODS = {"importance": _importance, "nuts": _nuts, "laplace": _laplace, "svi": _svi}


def _sampled(
    method: str,
    fits,
    keys,
    s: Settings,
    program: Callable,
    options: tuple,
    about: Callable,
    finish: Callable | None = None,
):
    tasks = [Task.of(fit) for fit in fits]
    # The handlers of NumPyro's models, which svi has, are of the process, not of the thread.
    at_once = 1 if method == "svi" else None
    drawn = in_batches(program, tasks, keys, s.draws_of(method), *options, batch_size=s.batch_size, at_once=at_once)
    return [
        _posterior(fit, method, finish(each) if finish else each, about(fit, task, each))
        for fit, task, each in zip(fits, tasks, drawn, strict=True)
    ]


def _posterior(fit: Fit, method: str, drawn: Drawn, diagnostics: dict[str, Any]) -> Posterior:
    return Posterior(
        method=method,
        u=np.asarray(drawn.u)[:, :, : fit.n],
        quantities=np.asarray(drawn.quantities)[:, :, : fit.n],
        quantity_names=fit.quantity_names,
        bands=fit.bands,
        zero_points=np.asarray(fit.context["zero_points"], float),
        stars=fit.stars,
        diagnostics=diagnostics,
        fit=fit,
        diverging=np.asarray(drawn.run[0].diverging) if method == "nuts" else None,
    )


def _log_evidence(fit: Fit, task: Task, gain: float) -> float:
    """``gain``: ln of the posterior's integral over z, less that of the proposal, whose 2 pi are those of the prior."""
    volume = np.linalg.slogdet(np.asarray(task.root, float))[1]
    return float(gain + volume + fit.context["noise_normalisation"])
