"""Are posteriors right? Where the truth falls among the draws: ranks, their weighted form, and coverage.

All of it follows from how many draws lie below the truth, so nothing changes when draws and truth are transformed by
the same rising function: flux, log flux and signal to noise give one answer.

References
----------
.. [1] Cook, Gelman & Rubin 2006, J. Comput. Graph. Stat. 15, 675: posterior quantiles of the truth are uniform.
.. [2] Talts et al. 2018, arXiv:1804.06788: simulation-based calibration, ranks, and why draws are thinned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxblend.metrics.draws import centred, relative_weights

__all__ = ["LEVELS", "check_levels", "coverage", "pit", "ranks", "truth_quantile"]

LEVELS = (0.68, 0.9, 0.95)


def coverage(
    draws: Any,
    truth: Any,
    *,
    levels: Sequence[float] = LEVELS,
    weights: Any = None,
    key: Key[Array, ""] | None = None,
) -> Bool[Array, "N L"]:
    """Tell whether the truth lies in the central interval of each level.

    That is where ``|q - 1/2| <= level / 2``, with q the posterior quantile of the truth (see `pit`). Ends of the
    interval that are read off between two draws would cover too little: with 100 draws, 93 % at a level of 95 %.

    Parameters
    ----------
    draws : (N, S) array
        Posterior draws of one quantity of N sources.
    truth : (N,) array
        The true values.
    levels : sequence of float
        Probabilities of the L intervals.
    weights : (N, S) array, optional
        Importance weights, known up to a factor per source.
    key : jax.random.key, optional
        Breaks ties, and places the truth at random between its two neighbours: coverage of right posteriors is then
        the level, exactly, however few the draws. Without it the truth is put in the middle, and coverage is off by
        up to 1 / (S + 1).

    Returns
    -------
    (N, L) booleans
        Their mean over sources is the coverage; see `coverage_in_bins` for its error.

    Raises
    ------
    ValueError
        If shapes do not match, or anything is NaN.
    """
    check_levels(levels)
    difference = centred(draws, truth)
    spread = _spread(key, len(difference)) if key is not None else jnp.full(len(difference), 0.5)
    quantile = truth_quantile(difference, relative_weights(weights, difference.shape), spread)
    return jnp.abs(quantile[:, None] - 0.5) <= 0.5 * jnp.asarray(levels)


def ranks(draws: Any, truth: Any, *, key: Key[Array, ""]) -> Int[Array, " N"]:
    """Count the draws below the truth: the rank statistic of simulation-based calibration [2].

    If the posteriors are right, ranks are uniform on the S + 1 numbers 0 ... S; test them by
    ``ecdf_test(ranks, n_ranks=S + 1)``. Overconfident posteriors pile them up at both ends, underconfident ones in
    the middle, biased ones at one end. That holds for independent draws: draws of a Markov chain are to be thinned to
    about their effective number first, or their ranks pile up at the ends although the posterior is right. Weighted
    draws have no ranks: use `pit`.

    Parameters
    ----------
    draws : (N, S) array
        Posterior draws of one quantity of N sources.
    truth : (N,) array
        The true values.
    key : jax.random.key
        Breaks ties: a truth that equals e draws takes one of e + 1 ranks at random.

    Returns
    -------
    (N,) integers
        From 0 to S.

    Raises
    ------
    ValueError
        If shapes do not match, or anything is NaN.
    """
    difference = centred(draws, truth)
    below, equal = (difference < 0).sum(axis=1), (difference == 0).sum(axis=1)
    return below + jax.random.randint(key, below.shape, 0, equal + 1)


def pit(draws: Any, truth: Any, *, key: Key[Array, ""], weights: Any = None) -> Float[Array, " N"]:
    """Posterior quantile of the truth, made continuous: uniform on (0, 1) if the posteriors are right.

    Equal weights give ``(r + v (e + 1)) / (S + 1)``, with r draws below the truth, e equal to it (0 as a rule) and v
    uniform on (0, 1), which is exactly uniform for any S [1, 2]. With weights, the truth falls into one of the S + 1
    gaps that the sorted draws leave, and a gap has half the weight of the draw on each side (the outer two gaps, all
    of their only neighbour's); v says where in the gap. The plain weighted ECDF would say 0 and 1 too often. Draws
    are taken to be independent, as in `ranks`.

    With weights that is exact only as their effective number grows: of 2000 sources, right posteriors leave a band of
    95 % one time in three if they have 100 effective draws, and about as often as they should if they have 250.

    Parameters
    ----------
    draws : (N, S) array
        Posterior draws of one quantity of N sources.
    truth : (N,) array
        The true values.
    key : jax.random.key
        Draws v.
    weights : (N, S) array, optional
        Importance weights, known up to a factor per source.

    Returns
    -------
    (N,) array
        To be tested by `ecdf_test`.

    Raises
    ------
    ValueError
        If shapes do not match, or anything is NaN.
    """
    difference = centred(draws, truth)
    return truth_quantile(difference, relative_weights(weights, difference.shape), _spread(key, len(difference)))


@jax.jit
def truth_quantile(
    difference: Float[Array, "N S"], weights: Float[Array, "N S"], spread: Float[Array, " N"]
) -> Float[Array, " N"]:
    """Quantile of 0 among weighted ``difference``, ``spread`` of the way through its gap (see `pit`)."""
    below, above = difference < 0, difference > 0

    def weight_at(index):
        return jnp.take_along_axis(weights, index[:, None], axis=1)[:, 0]

    first, last = weight_at(difference.argmin(axis=1)), weight_at(difference.argmax(axis=1))
    left = weight_at(jnp.where(below, difference, -jnp.inf).argmax(axis=1))
    right = weight_at(jnp.where(above, difference, jnp.inf).argmin(axis=1))
    left = jnp.where(below.any(axis=1), left, first)
    right = jnp.where(above.any(axis=1), right, last)
    start = (weights * below).sum(axis=1) + 0.5 * (first - left)
    end = 1.0 - (weights * above).sum(axis=1) + 0.5 * (first + right)
    return (start + spread * (end - start)) / (1.0 + 0.5 * (first + last))


def check_levels(levels: Sequence[float]) -> None:
    """Refuse what is no probability."""
    if len(levels) == 0 or not all(0 < level < 1 for level in levels):
        raise ValueError(f"levels must be probabilities between 0 and 1, such as {LEVELS}, got {tuple(levels)}")


def _spread(key: Key[Array, ""], n: int) -> Float[Array, " n"]:
    return jax.random.uniform(key, (n,))
