"""Where true values fall among the draws of one blend: a row of numbers per source, and of its closest pair."""

import jax
import numpy as np

from jaxblend import metrics
from jaxblend.sampling import Posterior

# Draws that are kept, at most as many as are effective: a few sizes only, since every size is a program of its own.
LADDER = (4, 8, 16, 32, 64, 128, 256)
INDEPENDENT = ("laplace", "svi")  # what svi calls effective are its draws if they were weighted
DIAGNOSTICS = ("effective_draws", "k_hat", "r_hat", "divergences", "density_error", "modes")


def draws_of(posterior: Posterior, name: str) -> np.ndarray:
    """(S, n) draws of a quantity of the posterior, or of a colour such as g-r."""
    if "-" not in name:
        return np.asarray(posterior.of(name), float)
    blue, red = name.split("-")
    return np.asarray(posterior.of(f"mag_{blue}"), float) - np.asarray(posterior.of(f"mag_{red}"), float)


def thinned(draws: np.ndarray, effective: float) -> np.ndarray:
    """Evenly spread draws, along the first axis, of a number that is effective."""
    most = np.nanmin([effective, len(draws)]) if not np.isnan(effective) else LADDER[0]
    number = max((n for n in LADDER if n <= most), default=LADDER[0])
    return draws[np.linspace(0, len(draws) - 1, number).astype(int)]


def score(posterior: Posterior | None, truth: dict[str, np.ndarray], pair: tuple[int, int], *, key) -> dict:
    """Columns (n,) of one blend; NaN throughout where there is no posterior.

    ``pit_<quantity>`` is the truth's quantile among draws thinned to their effective number, each with its place in a
    gap at random: the rank of simulation-based calibration made continuous, exactly uniform for right posteriors.
    ``all_<quantity>`` is that among all draws, ``mean_<quantity>`` and ``sd_<quantity>`` are those of all draws.
    ``n_thinned`` is how many were left. Joint quantities of two
    neighbours are in the row of the first: ``pit_sum``, ``pit_difference`` of their fluxes, ``tarp_one`` of both
    fluxes and ``tarp_all`` of those in all bands.
    """
    names = tuple(truth)
    true = np.stack([truth[name] for name in names], -1)
    draws = None if posterior is None else np.stack([draws_of(posterior, name) for name in names], -1)
    if posterior is None or draws is None or not np.isfinite(draws).all():
        return _failed(names, len(true))
    independent = posterior.method in INDEPENDENT
    few = thinned(draws, np.inf if independent else posterior.diagnostics["effective_draws"])
    keys = jax.random.split(key, 3)
    columns = {"failed": np.zeros(len(true), bool), "n_thinned": np.full(len(true), len(few))}
    for kind, some, k in (("pit", few, keys[0]), ("all", draws, keys[1])):
        quantile = np.asarray(metrics.pit(some.reshape(len(some), -1).T, true.ravel(), key=k)).reshape(true.shape)
        columns |= {f"{kind}_{name}": quantile[:, i] for i, name in enumerate(names)}
    for kind, values in (("mean", draws.mean(0)), ("sd", draws.std(0))):
        columns |= {f"{kind}_{name}": values[:, i] for i, name in enumerate(names)}
    fluxes = [i for i, name in enumerate(names) if name.startswith("flux_")]
    reference = names.index("flux_r") if "flux_r" in names else fluxes[0]
    joint = _score_pair(few, true, pair, fluxes, reference, keys[2])
    columns |= {name: _in_row(value, pair[0], len(true)) for name, value in joint.items()}
    found = {name: posterior.diagnostics.get(name, np.nan) for name in DIAGNOSTICS}
    columns |= {name: np.full(len(true), float(value)) for name, value in found.items()}
    return columns | {"made_by": np.full(len(true), posterior.method)}


def closest_pair(seeds: np.ndarray) -> tuple[int, int]:
    """The two sources whose seeds are closest; seeds are known before the image is, true places are not."""
    apart = np.linalg.norm(seeds[:, None] - seeds, axis=-1) + np.where(np.eye(len(seeds)), np.inf, 0.0)
    first, second = np.unravel_index(apart.argmin(), apart.shape)
    return int(first), int(second)


def _score_pair(draws, true, pair, fluxes, reference, key) -> dict[str, float]:
    first, second = pair
    keys = jax.random.split(key, 4)

    def pit(values, truth, key):
        return float(metrics.pit(values[None], np.array([truth]), key=key)[0])

    def tarp(columns, key):
        both = np.concatenate([draws[:, first][:, columns], draws[:, second][:, columns]], -1)
        truth = np.concatenate([true[first, columns], true[second, columns]])
        return float(metrics.tarp(both[None], truth[None], key=key)[0])

    a, b = draws[:, first, reference], draws[:, second, reference]
    true_a, true_b = true[first, reference], true[second, reference]
    return {
        "pit_sum": pit(a + b, true_a + true_b, keys[0]),
        "pit_difference": pit(a - b, true_a - true_b, keys[1]),
        "tarp_one": tarp([reference], keys[2]),
        "tarp_all": tarp(fluxes, keys[3]),
    }


def _in_row(value: float, row: int, n: int) -> np.ndarray:
    return np.where(np.arange(n) == row, value, np.nan)


def _failed(names, n) -> dict:
    joint = ("pit_sum", "pit_difference", "tarp_one", "tarp_all")
    nan = [f"{kind}_{name}" for kind in ("pit", "all", "mean", "sd") for name in names] + [*joint, *DIAGNOSTICS]
    known = {"failed": np.ones(n, bool), "n_thinned": np.zeros(n, int)}
    return known | {name: np.full(n, np.nan) for name in nan} | {"made_by": np.full(n, "none")}
