"""What is asked of every pair: fluxes and their errors, how many sources are found, and the odds of two against one."""

import functools
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
from astropy.table import Table

import jaxblend as jb
from experiments.separation.blends import BAND, SEED, Pair, draw_pair, survey
from jaxblend.sampling import Posterior

POPULATION = jb.Population(magnitude=19.0)  # of SDSS; the default is that of deeper surveys
METHODS = ("laplace", "importance")
BATCH = 8  # blends that are fitted in one call
WIDTHS = 2.0  # of the PSF: what is further apart is not what `jb.one_or_two` asks
THREADS = 2


def measure(numbers: Sequence[int]) -> Table:
    """A row per pair."""
    pairs = [draw_pair(number) for number in numbers]
    key = jax.random.fold_in(jax.random.key(SEED), numbers[0])
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", jb.JaxblendWarning)
        columns = [about(number, pair) for number, pair in zip(numbers, pairs, strict=True)]
        for part in (fluxes(pairs, key), pool.map(found, pairs), pool.map(functools.partial(odds, key=key), pairs)):
            columns = [known | more for known, more in zip(columns, part, strict=True)]
    return Table(rows=columns)


def about(number: int, pair: Pair) -> dict:
    truth = pair.blend.truth
    columns = {"blend": number, "separation": pair.separation, "brightness": pair.brightness}
    for name, column in (("true", f"flux_{BAND}"), ("snr", "snr"), ("blendedness", "blendedness")):
        values = np.asarray(getattr(truth[column], "value", truth[column]), float)
        columns |= {f"{name}_{i + 1}": values[i] for i in range(2)}
    return columns


def fluxes(pairs: Sequence[Pair], key) -> list[dict]:
    """Mean and standard deviation of draws of both fluxes and of their sum, seeds known to within a pixel."""
    blends = [pair.blend for pair in pairs]
    fits = jb.fit_batch(
        [b.observation for b in blends], [b.seeds for b in blends], population=POPULATION, batch_size=BATCH
    )
    rows = [{} for _ in fits]
    for method in METHODS:
        for row, posterior in zip(rows, jb.sample_batch(fits, key=key, method=method), strict=True):
            row |= _moments(posterior, method)
    return rows


def found(pair: Pair) -> dict:
    """How many sources are found without being told, and all of their light."""
    observation = pair.blend.observation
    scene = jb.deblend(observation, population=POPULATION)
    light = np.asarray(scene.catalog[f"flux_{BAND}"], float)
    return {"n_detected": len(jb.detect(observation)), "n_deblended": len(light), "total_deblended": light.sum()}


def odds(pair: Pair, *, key) -> dict:
    """Logarithm of the odds of two galaxies against one, asked where the detector sees light; NaN for wide pairs."""
    names = [f"log_odds_{method}" for method in METHODS]
    if pair.separation * survey().pixel_scale > WIDTHS * survey().psf_fwhm[0]:
        return dict.fromkeys(names, np.nan)
    observation = pair.blend.observation
    detections = jb.detect(observation)
    place = np.average([np.asarray(detections[axis], float) for axis in ("x", "y")], axis=1, weights=detections["flux"])
    hypotheses = jb.one_or_two(observation, place, population=POPULATION)
    compared = [jb.compare_models(observation, hypotheses, key=key, method=method) for method in METHODS]
    return {name: each.log_odds("two", "one") for name, each in zip(names, compared, strict=True)}


def _moments(posterior: Posterior, method: str) -> dict:
    draws = np.asarray(posterior.of(f"flux_{BAND}"), float)
    named = {"flux_1": draws[:, 0], "flux_2": draws[:, 1], "total": draws.sum(1)}
    row = {f"{name}_{method}": values.mean() for name, values in named.items()}
    row |= {f"{name}_{method}_err": values.std() for name, values in named.items()}
    found = {name: float(posterior.diagnostics.get(name, np.nan)) for name in ("k_hat", "effective_draws")}
    return row | {f"{name}_{method}": value for name, value in found.items()}
