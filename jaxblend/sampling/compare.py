"""The odds of hypotheses about what is in an image, from their evidences."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.errors import JaxblendWarning
from jaxblend.fitting.fit import fit
from jaxblend.fitting.result import Fit
from jaxblend.forward.observation import Observation
from jaxblend.infer.flags import Outcome
from jaxblend.sampling.hypotheses import Hypothesis
from jaxblend.sampling.methods import TRUSTED
from jaxblend.sampling.posterior import Posterior
from jaxblend.sampling.sample import check_key, sample_batch

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["Comparison", "compare_models"]

_WITHIN = 6.0  # nats of Laplace evidence: an alternative further below its best is a few parts in a thousand of it


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """The evidence of each of H hypotheses.

    Attributes
    ----------
    names : tuple of str
        In the order given.
    log_evidence : ndarray
        (H,) ln Z, up to what all share (the normalisation of the noise). That of several alternatives is the mean
        of their Z.
    log_evidence_error : ndarray
        (H,) standard errors of these from the finite number of draws; 0 with ``method="laplace"``, whose error is
        that of the approximation and unknown, and NaN where importance sampling did not reach a posterior.
    log_prior : ndarray
        (H,) ln of the prior probabilities.
    fits : tuple of Fit
        The best alternative of each, among those that were drawn from.
    posteriors : tuple of Posterior or None
        Its draws; None with ``method="laplace"``.
    """

    names: tuple[str, ...]
    log_evidence: np.ndarray
    log_evidence_error: np.ndarray
    log_prior: np.ndarray
    fits: tuple[Fit, ...]
    posteriors: tuple[Posterior | None, ...]

    @property
    def probabilities(self) -> np.ndarray:
        """(H,) posterior probabilities."""
        return np.exp(self._log_total - np.logaddexp.reduce(self._log_total))

    @property
    def best(self) -> str:
        """Name of the most probable hypothesis."""
        return self.names[int(np.argmax(self.probabilities))]

    def log_odds(self, first: str, second: str) -> float:
        """Natural logarithm of the posterior odds of one hypothesis against another."""
        for name in (first, second):
            if name not in self.names:
                raise ValueError(f"there is no hypothesis {name!r}: the names are {', '.join(self.names)}")
        return float(self._log_total[self.names.index(first)] - self._log_total[self.names.index(second)])

    @property
    def _log_total(self) -> np.ndarray:
        return self.log_evidence + self.log_prior

    @property
    def table(self) -> QTable:
        """A row per hypothesis."""
        from astropy.table import QTable

        table = QTable()
        table["name"] = list(self.names)
        table["sources"] = [fit.n for fit in self.fits]
        table["log_evidence"] = self.log_evidence
        table["log_evidence_err"] = self.log_evidence_error
        table["probability"] = self.probabilities
        table["chi2"] = [float(np.mean(fit.chi2)) for fit in self.fits]
        return table

    def __repr__(self) -> str:
        pairs = zip(self.names, self.probabilities, strict=True)
        return f"Comparison({', '.join(f'{name}: {share:.3g}' for name, share in pairs)})"


def compare_models(
    observations: Observation | Sequence[Observation],
    hypotheses: Sequence,
    *,
    key=None,
    method: str = "importance",
    n_draws: int | None = None,
) -> Comparison:
    """Compare what hypotheses say of the same data by their evidence, the probability of the data under each.

    Parameters
    ----------
    observations
        As for ``jb.fit``.
    hypotheses
        Two names or more; see `Hypothesis`, and `one_or_two` for the most frequent question.
    key
        ``jax.random.key(...)``; ``method="laplace"`` needs none.
    method
        "importance": evidence by importance sampling in steps (that of ``jb.sample``), which allows for posteriors
        that are not Gaussian and for several modes. "laplace": from the curvature at the optimum alone, without
        draws. Of a hypothesis of several alternatives "importance" draws from those within 6 nats of the best by the
        Laplace evidence; the others keep that evidence in the sum, and add nothing to its error.
    n_draws
        Of "importance".

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If an argument is wrong, or a hypothesis cannot be fitted.

    Examples
    --------
    >>> jb.compare_models(obs, jb.one_or_two(obs, (31.5, 30.8)), key=key).log_odds("two", "one")  # doctest: +SKIP
    """
    hypotheses = list(hypotheses)
    _check(hypotheses, method, key)
    fits = [_fitted(observations, h) for h in hypotheses]
    evidence = np.array([fit.log_evidence for fit in fits])
    names = tuple(dict.fromkeys(h.name for h in hypotheses))
    members = [[i for i, h in enumerate(hypotheses) if h.name == name] for name in names]
    errors = np.zeros(len(fits))
    posteriors: dict[int, Posterior] = {}
    if method == "importance":
        near = [i for group in members for i in group if evidence[i] > evidence[group].max() - _WITHIN]
        drawn = sample_batch([fits[i] for i in near], key=key, method="importance", n_draws=n_draws)
        posteriors = dict(zip(near, drawn, strict=True))
        for i, posterior in posteriors.items():
            found = posterior.diagnostics
            if np.isfinite(found["log_evidence"]):
                evidence[i], errors[i] = found["log_evidence"], found["log_evidence_error"]
            else:
                errors[i] = np.nan
            if not found["k_hat"] <= TRUSTED:
                _warn_of(hypotheses[i].name, found["k_hat"])
    # One that was not drawn from is the largest where all that were turn out far below their Laplace evidence.
    first = [max((i for i in g if i in posteriors or not posteriors), key=evidence.__getitem__) for g in members]
    odds = np.array([hypotheses[i].odds for i in first])
    total = np.array([np.logaddexp.reduce(evidence[group]) for group in members])
    shares = [np.exp(evidence[group] - log) for group, log in zip(members, total, strict=True)]
    return Comparison(
        names=names,
        log_evidence=total - np.log([len(group) for group in members]),
        log_evidence_error=np.array([np.linalg.norm(s * errors[g]) for s, g in zip(shares, members, strict=True)]),
        log_prior=np.log(odds / odds.sum()),
        fits=tuple(fits[i] for i in first),
        posteriors=tuple(posteriors.get(i) for i in first),
    )


def _warn_of(name: str, k: float) -> None:
    if np.isposinf(k):
        what = "did not reach its posterior: its evidence is that of the Laplace approximation, of unknown error"
    elif np.isnan(k):
        what = "has too few draws to tell whether its evidence can be trusted"
    else:
        what = f"has a k-hat of {k:.2f}, above {TRUSTED}: its evidence may be further off than its error says"
    warnings.warn(
        f"importance sampling of the hypothesis {name!r} {what}; more draws (n_draws) may help",
        JaxblendWarning,
        stacklevel=3,
    )


def _fitted(observations, h: Hypothesis) -> Fit:
    options = {"prior": h.prior, "population": h.population, "position_scatter": h.position_scatter}
    try:
        found = fit(observations, h.positions, model=h.model, stars=h.stars, **options)
    except ValueError as error:
        raise ValueError(f"hypothesis {h.name!r}: {error}") from None
    if found.outcome is Outcome.FAILED:
        raise ValueError(f"hypothesis {h.name!r} could not be fitted: nothing finite was found")
    if found.outcome is not Outcome.CONVERGED:
        warnings.warn(
            f"the fit of the hypothesis {h.name!r} at {np.round(h.positions, 1).tolist()} has not converged: its "
            "evidence is too low",
            JaxblendWarning,
            stacklevel=3,
        )
    return found


def _check(hypotheses: list, method: str, key) -> None:
    if method not in ("importance", "laplace"):
        raise ValueError(f"method must be importance or laplace, got {method!r}")
    if method == "importance" and key is None:
        raise ValueError('method="importance" draws at random: give key=jax.random.key(...), or method="laplace"')
    if key is not None:
        check_key(key)
    wrong = [h for h in hypotheses if not isinstance(h, Hypothesis)]
    if wrong:
        raise ValueError(f"hypotheses must be a list of jb.Hypothesis, got a {type(wrong[0]).__name__} among them")
    odds: dict[str, float] = {}
    for h in hypotheses:
        if (
            not isinstance(h.odds, (int, float, np.integer, np.floating))
            or not (np.isfinite(h.odds) and h.odds > 0)
            or odds.setdefault(h.name, float(h.odds)) != h.odds
        ):
            raise ValueError(
                f"odds of {h.name!r} must be one positive number for all of its alternatives, got {h.odds!r}"
            )
    if len(odds) < 2:
        raise ValueError(f"give hypotheses of two names or more, got {list(odds)}")
