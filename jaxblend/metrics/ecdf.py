"""Are numbers uniform? A band that the whole ECDF of uniform numbers stays in, with a stated probability.

The band is that of [1]: at points z_i the count of values below z_i is binomial, the pointwise intervals of one common
level gamma make a band, and gamma is chosen such that the whole ECDF stays inside with the probability asked for. It
is as narrow at the ends as binomials are, so it sees heavy tails that a Kolmogorov-Smirnov test, of one width
everywhere, does not.

The probability that an ECDF stays inside is exact here, not simulated: counts of n uniform numbers are a Poisson
process given that it reaches n, and that process goes from point to point by convolutions [2].

References
----------
.. [1] Säilynoja, Bürkner & Vehtari 2022, Stat. Comput. 32, 32: simultaneous bands for uniformity.
.. [2] Moscovich & Nadler 2017, Stat. Probab. Lett. 123, 177: crossing probabilities by Poisson convolutions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key
from scipy.special import gammaln, xlogy
from scipy.stats import binom

from jaxblend.metrics.draws import numbers

__all__ = ["EcdfBand", "EcdfTest", "ecdf_band", "ecdf_test"]

MAX_POINTS = 1000


class EcdfBand(NamedTuple):
    """Where the ECDF of n uniform numbers stays with a given probability.

    Attributes
    ----------
    points
        z, between 0 and 1.
    lower, upper
        Least and largest share of values below z, both still inside.
    gamma
        Two-sided level of the pointwise intervals.
    """

    points: Float[np.ndarray, " K"]
    lower: Float[np.ndarray, " K"]
    upper: Float[np.ndarray, " K"]
    gamma: float


class EcdfTest(NamedTuple):
    """The ECDF of n values beside its band.

    Attributes
    ----------
    n
        Values tested; fewer than given, where one was taken of each blend.
    points
        z, between 0 and 1.
    ecdf
        Share of values below z.
    lower, upper
        The band, see `EcdfBand`.
    inside
        Whether the ECDF stays in the band everywhere.
    p_value
        Probability that n uniform numbers stray as far from their mean, anywhere.
    worst
        The point z at which that is least probable: where the ECDF leaves the band most, if it does.
    """

    n: int
    points: Float[np.ndarray, " K"]
    ecdf: Float[np.ndarray, " K"]
    lower: Float[np.ndarray, " K"]
    upper: Float[np.ndarray, " K"]
    inside: bool
    p_value: float
    worst: float


def ecdf_band(
    n: int, *, n_ranks: int | None = None, probability: float = 0.95, n_points: int | None = None
) -> EcdfBand:
    """Simultaneous band of the ECDF of n uniform numbers [1].

    Counts are integers, so a probability cannot be met exactly: gamma is the largest that gives at least as much.

    Parameters
    ----------
    n : int
        How many numbers.
    n_ranks : int, optional
        They are integers 0 ... n_ranks - 1 (for ranks among S draws, S + 1); by default they are continuous on (0, 1).
    probability : float
        That the whole ECDF stays inside.
    n_points : int, optional
        Number of equal steps between 0 and 1 that the ECDF is looked at; by default n, at most 1000, and with ranks
        at most n_ranks.

    Returns
    -------
    EcdfBand
        Points, lower and upper ends, gamma.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    _check_counts(n, n_ranks, probability, n_points)
    points = _points(n, n_ranks, n_points)
    gamma = _gamma(n, n_ranks, probability, n_points)
    low, high = _bounds(n, points, gamma)
    return EcdfBand(points, low / n, high / n, gamma)


def ecdf_test(
    values: Any,
    *,
    n_ranks: int | None = None,
    blend: Any = None,
    key: Key[Array, ""] | None = None,
    probability: float = 0.95,
    n_points: int | None = None,
) -> EcdfTest:
    """Test whether ranks, or numbers of `pit` or `tarp`, are uniform [1].

    The band holds for independent values. Sources of one blend are not: what one of them gains, its neighbour loses.
    Given ``blend``, one source is taken of each blend at random, and the test is exact again; nothing has to be
    assumed of how neighbours depend on each other. (A bootstrap of blends would keep all sources, but it is worst in
    the tails, where counts are small and the test is wanted most.)

    Parameters
    ----------
    values : (N,) array
        Ranks, with ``n_ranks``; or numbers between 0 and 1.
    n_ranks : int, optional
        For ranks among S draws, S + 1.
    blend : (N,) integers, optional
        Number of the blend that a value belongs to.
    key : jax.random.key, optional
        Chooses the source of each blend; needed with ``blend``.
    probability : float
        That uniform values pass.
    n_points : int, optional
        See `ecdf_band`.

    Returns
    -------
    EcdfTest
        ECDF, band, whether one stays in the other, p-value, and where the ECDF is least probable.

    Raises
    ------
    ValueError
        If values are NaN or out of range, or ``blend`` comes without ``key``.
    """
    values = _one_per_blend(_checked_values(values, n_ranks), blend, key)
    n = len(values)
    band = ecdf_band(n, n_ranks=n_ranks, probability=probability, n_points=n_points)
    quantile = values if n_ranks is None else (values + 0.5) / n_ranks
    count = np.searchsorted(np.sort(quantile), band.points)

    below, above = binom.cdf(count, n, band.points), binom.sf(count - 1, n, band.points)
    pointwise = np.minimum(2 * np.minimum(below, above), 1.0)
    distance = np.abs(count / n - band.points) / np.sqrt(band.points * (1 - band.points))
    worst = np.lexsort((-distance, pointwise))[0]
    smallest = float(pointwise[worst])
    # The bounds of a slightly larger gamma leave out what is as improbable as the worst point.
    stays = _probability_inside(n, band.points, *_bounds(n, band.points, min(smallest * (1 + 1e-9), 1.0)))
    inside = bool(((count >= np.rint(band.lower * n)) & (count <= np.rint(band.upper * n))).all())
    p_value = 1.0 if smallest >= 1 else float(np.clip(1.0 - stays, 0.0, 1.0))
    return EcdfTest(n, band.points, count / n, band.lower, band.upper, inside, p_value, float(band.points[worst]))


def _check_counts(n: int, n_ranks: int | None, probability: float, n_points: int | None) -> None:
    for name, value, least in (("n", n, 1), ("n_ranks", n_ranks, 2), ("n_points", n_points, 2)):
        if value is not None and value < least:
            raise ValueError(f"{name} must be {least} or more, got {value}")
    if not 0 < probability < 1:
        raise ValueError(f"probability must lie between 0 and 1, got {probability}")


def _checked_values(values: Any, n_ranks: int | None) -> np.ndarray:
    values = numbers("values", values)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"values must be one number per source, (N,), and not empty, got shape {values.shape}")
    if np.isnan(values).any():
        raise ValueError(f"values is NaN for {np.isnan(values).sum()} of {len(values)} sources: leave those out")
    if n_ranks is None and not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"values run from {values.min():.4g} to {values.max():.4g}, not between 0 and 1: give ranks with "
            "n_ranks = S + 1, S being the number of draws"
        )
    if n_ranks is not None and not ((values >= 0) & (values < n_ranks) & (values == np.rint(values))).all():
        raise ValueError(
            f"ranks must be integers from 0 to n_ranks - 1 = {n_ranks - 1}, got numbers from {values.min():.4g} to "
            f"{values.max():.4g}: n_ranks is S + 1, S being the number of draws; leave it out for values of pit"
        )
    return values


def _one_per_blend(values: np.ndarray, blend: Any, key: Key[Array, ""] | None) -> np.ndarray:
    if blend is None:
        return values
    if key is None:
        raise ValueError("blend was given without key: a jax.random.key chooses the source of each blend")
    blend = np.asarray(blend)
    if blend.shape != values.shape:
        raise ValueError(f"blend must be one number per source, {values.shape}, got shape {blend.shape}")
    order = np.asarray(jax.random.permutation(key, len(values)))
    return values[order[np.unique(blend[order], return_index=True)[1]]]


def _points(n: int, n_ranks: int | None, n_points: int | None) -> Float[np.ndarray, " K"]:
    steps = max(min(n, MAX_POINTS) if n_points is None else n_points, 2)
    if n_ranks is None:
        return np.arange(1, steps) / steps
    steps = min(steps, n_ranks)
    # Between two ranks, where the probability to be below is an exact multiple of 1 / n_ranks.
    return np.rint(np.arange(1, steps) * n_ranks / steps) / n_ranks


def _bounds(n: int, points: np.ndarray, gamma: float) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
    """Least and largest counts whose binomial tails are gamma / 2 or more."""
    low, high = binom.ppf(gamma / 2, n, points), n - binom.ppf(gamma / 2, n, 1 - points)
    return np.maximum(low, 0).astype(int), np.minimum(high, n).astype(int)


@lru_cache(maxsize=256)
def _gamma(n: int, n_ranks: int | None, probability: float, n_points: int | None) -> float:
    """Largest pointwise level whose band has at least the probability, by bisection from Bonferroni's bound."""
    points = _points(n, n_ranks, n_points)
    low, high = np.log((1 - probability) / len(points)), np.log1p(-probability)
    while high - low > 1e-4:
        middle = 0.5 * (low + high)
        if _probability_inside(n, points, *_bounds(n, points, float(np.exp(middle)))) >= probability:
            low = middle
        else:
            high = middle
    return float(np.exp(low))


def _probability_inside(n: int, points: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Probability that of n uniform numbers low_i to high_i lie below every z_i [2]."""
    log_factorial = gammaln(np.arange(n + 1) + 1.0)

    def poisson(number, rate):
        return np.exp(xlogy(number, rate) - rate - log_factorial[number])

    state, start = np.ones(1), 0
    for rate, least, most in zip(n * np.diff(points, prepend=0.0), low, high, strict=True):
        if most < least:
            return 0.0
        reach = min(most - start, int(rate + 12 * np.sqrt(rate) + 40))  # beyond, the probability is below 1e-20
        arrived = np.zeros(most - start + 1)
        convolved = np.convolve(state, poisson(np.arange(reach + 1), rate))[: len(arrived)]
        arrived[: len(convolved)] = convolved
        state, start = arrived[least - start :], least
    missing = n - start - np.arange(len(state))
    return float(state @ poisson(missing, n * (1 - points[-1])) / poisson(n, n))
