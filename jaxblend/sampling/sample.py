"""The verb: draws from the posterior of fitted blends."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np

from jaxblend.errors import JaxblendWarning
from jaxblend.fitting.result import Fit
from jaxblend.infer.flags import Outcome
from jaxblend.sampling.methods import METHODS, TRUSTED, Settings
from jaxblend.sampling.posterior import Posterior

__all__ = ["check_key", "sample", "sample_batch"]

_ENOUGH = 100.0  # effective draws
_MORE = 4  # times as many draws, where those of importance sampling were not enough
_MIXED = 1.05  # R-hat
_CLOSE = 0.5  # nats, of the density that is sampled
_DIVERGENT = 0.01  # of the steps


def sample(
    fit: Fit,
    *,
    key,
    method: str = "auto",
    n_draws: int | None = None,
    chains: int = 4,
    warmup: int = 300,
    exact: bool = False,
    steps: int = 1000,
    guide: Any = None,
) -> Posterior:
    """Draw from the posterior of a fitted blend.

    Parameters
    ----------
    fit
        With its images (not from ``fit_batch(..., keep_observations=False)``).
    key
        ``jax.random.key(...)``.
    method
        "laplace": the Gaussian in ``u`` about the optimum. "importance": from the Laplace approximations of all modes
        that the fit's starts have found to the posterior, in steps of importance sampling with Hamiltonian moves.
        "nuts": No-U-turn chains, which begin in each of these modes in turn. "svi": a guide of
        NumPyro, whose own draws are returned; its ``k_hat`` says whether it is close. "auto": importance, and NUTS
        where its k-hat is above 0.7 or fewer than 100 (or a quarter of the) draws are effective, with four times as
        many draws, too. Chains are not taken that disagree (R-hat above 1.05), as they do in modes that none can
        leave, diverge in more than 1 % of their steps, or whose density is not close to that in pixels. What is
        returned then, or where there is no NumPyro, is the better of the two by importance sampling, with a warning.
    n_draws
        In all, or of each chain; by default 1000 for "laplace" and "svi", 400 for "importance" and 500 for "nuts".
    chains, warmup
        Of "nuts".
    exact
        NUTS evaluates the density in pixels, at about eight times the cost of the default, a stand-in that is close to
        it about the optimum. Where that is off by over 0.25 nats, its draws are resampled by their weights in pixels
        and ``diagnostics`` have the ``k_hat`` of these, too.
    steps, guide
        Of "svi": steps of the optimiser, and what makes a guide of a model, such as a class of
        ``numpyro.infer.autoguide``; ``AutoMultivariateNormal`` by default. The model has one site, ``z``, in which
        the Laplace approximation is N(0, 1).

    Returns
    -------
    Posterior
        Its ``method`` says which was used, its ``diagnostics`` how well it went.

    Raises
    ------
    ValueError
        If an argument is out of range, or the fit has failed or has no images.
    """
    check_key(key)
    settings = _settings(n_draws, chains, warmup, exact, steps, guide, None)
    return _sampled([fit], key[None], method, settings)[0]


def sample_batch(
    fits: Iterable[Fit],
    *,
    key,
    method: str = "auto",
    n_draws: int | None = None,
    chains: int = 4,
    warmup: int = 300,
    exact: bool = False,
    steps: int = 1000,
    guide: Any = None,
    batch_size: int | None = None,
) -> list[Posterior]:
    """Sample many blends, each as ``sample`` does with the key ``fold_in(key, its number)``.

    Blends of one shape share a program; ``batch_size`` of them are in one call of it, side by side on an accelerator
    (16 by default) and one after the other on a CPU (1). Draws do not depend on which blends share a call; in calls of
    another size they are others of the same posterior, since rounding differs. Other parameters are those of
    ``sample``.

    Raises ``ValueError`` before the first is sampled if a fit has failed or has no images, naming it.
    """
    check_key(key)
    fits = list(fits)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(np.arange(max(len(fits), 1)))
    return _sampled(fits, keys, method, _settings(n_draws, chains, warmup, exact, steps, guide, batch_size))


def _sampled(fits: Sequence[Fit], keys, method: str, settings: Settings) -> list[Posterior]:
    if method != "auto" and method not in METHODS:
        raise ValueError(f"method must be one of auto, {', '.join(METHODS)}, got {method!r}")
    for i, fit in enumerate(fits):
        _check_fit(fit, f"fit {i}" if len(fits) > 1 else "this fit")
    if not fits:
        return []
    if method == "auto":
        return _auto(fits, keys, settings)
    found = METHODS[method](fits, keys, settings)
    _warn_of_weights(method, found)
    if method == "nuts" and (apart := [i for i, p in enumerate(found) if p.diagnostics["r_hat"] > _MIXED]):
        worst = max(found[i].diagnostics["r_hat"] for i in apart)
        warnings.warn(
            f"the chains of {_which(apart, found)} disagree (R-hat up to {worst:.2f}): they are too short (warmup, "
            "n_draws), or in modes that none can leave, whose shares they do not tell",
            JaxblendWarning,
            stacklevel=3,
        )
    return found


def _warn_of_weights(method: str, found: Sequence[Posterior]) -> None:
    """Of k-hats that are infinite or no number: what is finite speaks for itself."""
    if lost := [i for i, p in enumerate(found) if np.isposinf(_k_hat(p))]:
        who, whose = ("importance sampling", "a density on the way") if method == "importance" else (method, "another")
        warnings.warn(
            f"{who} did not reach {_which(lost, found)}: the draws are those of {whose}; "
            'give more (n_draws), or leave method="auto"',
            JaxblendWarning,
            stacklevel=4,
        )
    if few := [i for i, p in enumerate(found) if np.isnan(_k_hat(p))]:
        warnings.warn(
            f"there are too few draws of {_which(few, found)} to tell by their weights (k-hat) whether they can be "
            "trusted; give more (n_draws)",
            JaxblendWarning,
            stacklevel=4,
        )


def _auto(fits: Sequence[Fit], keys, settings: Settings) -> list[Posterior]:
    """Importance; where it cannot be trusted with more draws, and then NUTS if that is better.

    Chains that did not come together, as in modes that none can leave, are no better than what was doubted; nor are
    those of a density that is not close to that in pixels, to which importance sampling has gone on.
    """
    keys = jax.vmap(lambda key: jax.random.split(key, 3))(keys)
    n_draws = settings.draws_of("importance")
    enough = min(_ENOUGH, 0.25 * n_draws)
    found = METHODS["importance"](fits, keys[:, 0], settings)

    def again(method: str, attempt: int, better: Callable, **changed):
        rows = [i for i, p in enumerate(found) if not _trusted(p, enough)]
        if rows:
            chosen = dataclasses.replace(settings, **changed)
            posteriors = METHODS[method]([fits[i] for i in rows], keys[np.array(rows), attempt], chosen)
            for i, posterior in zip(rows, posteriors, strict=True):
                found[i] = posterior if better(posterior, found[i]) else found[i]

    again("importance", 1, _better, n_draws=_MORE * n_draws)
    has_chains = find_spec("numpyro") is not None
    if has_chains:
        again("nuts", 2, lambda now, then: _trusted(now, enough))
    _warn_of([i for i, p in enumerate(found) if not _trusted(p, enough)], found, has_chains)
    return found


def _better(now: Posterior, then: Posterior) -> bool:
    """Of two runs of importance sampling: the one whose weights are sound, of two such that of more effective draws."""
    sound = [_k_hat(p) <= TRUSTED for p in (now, then)]
    if all(sound):
        return now.diagnostics["effective_draws"] >= then.diagnostics["effective_draws"]
    return sound[0] or not (sound[1] or _k_hat(now) > _k_hat(then))


def _trusted(posterior: Posterior, enough: float) -> bool:
    """Of importance sampling or of chains; of the latter there are weights only where their density was not close."""
    d = posterior.diagnostics
    good = _k_hat(posterior) <= TRUSTED and d["effective_draws"] >= enough and _close(posterior)
    if posterior.method != "nuts":
        return good
    steps = posterior.quantities.shape[0] * posterior.quantities.shape[1]
    return good and d["r_hat"] <= _MIXED and d["divergences"] <= _DIVERGENT * steps


def _k_hat(posterior: Posterior) -> float:
    return posterior.diagnostics.get("k_hat", -np.inf)


def _warn_of(doubtful: list[int], found: list[Posterior], has_chains: bool) -> None:
    if doubtful:
        method = "any method" if has_chains else "importance sampling (for NUTS, pip install 'jaxblend[nuts]')"
        worst = max(doubtful, key=lambda i: _k_hat(found[i]))
        warnings.warn(
            f"{_which(doubtful, found)} cannot be trusted by {method}, see the diagnostics: the worst has k-hat "
            f"{_k_hat(found[worst]):.2f} and {found[worst].diagnostics['effective_draws']:.0f} effective draws"
            + (f" (number {worst})" if len(found) > 1 else ""),
            JaxblendWarning,
            stacklevel=5,
        )


def _which(some: list[int], found: Sequence[Posterior]) -> str:
    return f"{len(some)} of {len(found)} posteriors" if len(found) > 1 else "this posterior"


def _close(posterior: Posterior) -> bool:
    return posterior.diagnostics["density_error"] <= _CLOSE


def _check_fit(fit, name: str) -> None:
    if not isinstance(fit, Fit):
        raise ValueError(f"{name} must be a Fit, as jb.fit returns, got {type(fit).__name__}")
    if fit.outcome is Outcome.FAILED:
        raise ValueError(f"{name} cannot be sampled: it has failed ({fit.context.get('message', 'nothing finite')})")
    if fit.item is None:
        raise ValueError(f"{name} cannot be sampled, it has no images: fit with keep_observations=True")


def check_key(key) -> None:
    """Raise ``ValueError`` unless it is one key of ``jax.random``."""
    if not isinstance(key, jax.Array) or not jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key) or key.shape:
        raise ValueError(f"key must be one key such as jax.random.key(0), got {key!r}")


def _settings(n_draws, chains, warmup, exact, steps, guide, batch_size) -> Settings:
    numbers = {"n_draws": n_draws, "chains": chains, "warmup": warmup, "steps": steps, "batch_size": batch_size}
    for name, value in numbers.items():
        if value is None and name in ("n_draws", "batch_size"):
            continue
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    if guide is not None and not callable(guide):
        raise ValueError(f"guide must make a guide of a model, as AutoMultivariateNormal does, got {guide!r}")
    return Settings(n_draws, chains, warmup, exact, steps, guide, batch_size)
