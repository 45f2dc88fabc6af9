"""What is asked of every pair: fluxes and their errors, how many sources are found, and the odds of two against one."""

import functools
import operator
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
from astropy.table import Table

import jaxblend as jb
from experiments.separation.blends import BAND, CASES, SEED, Pair, draw_pair, survey
from jaxblend.sampling import Posterior

POPULATION = jb.Population(magnitude=19.0)  # of SDSS; the default is that of deeper surveys
METHODS = ("laplace", "importance")
DRAWS = 200  # by importance sampling, half of the default: errors of means are those of noise, not of draws
ASKED = 2  # pairs of each kind for which odds are sampled, too; those by Laplace are cheap
BATCH = 8  # blends that are fitted in one call
WIDTHS = 2.0  # of the PSF: what is further apart is not what `jb.one_or_two` asks
SCATTER = 1.0  # pixel: how well one knows the places of two that are seen, each with its own peak
THREADS = 2


def measure(numbers: Sequence[int], *, fits_only: bool = False) -> Table:
    """A row per pair: with ``fits_only`` of fluxes at the optimum alone, without draws, detection and odds."""
    pairs = [draw_pair(number) for number in numbers]
    key = jax.random.fold_in(jax.random.key(SEED), numbers[0])
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", jb.JaxblendWarning)
        fits = fitted(pairs)
        parts = [map(about, numbers, pairs), map(_optimum, fits)]
        if not fits_only:
            asked = pool.map(functools.partial(odds, key=key), pairs, [number < ASKED * CASES for number in numbers])
            parts += [sampled(fits, key), pool.map(found, pairs), asked]
        return Table(rows=[functools.reduce(operator.or_, columns) for columns in zip(*parts, strict=True)])


def about(number: int, pair: Pair) -> dict:
    truth = pair.blend.truth
    columns = {"blend": number, "separation": pair.separation, "brightness": pair.brightness}
    for name, column in (("true", f"flux_{BAND}"), ("snr", "snr"), ("blendedness", "blendedness")):
        values = np.asarray(getattr(truth[column], "value", truth[column]), float)
        columns |= {f"{name}_{i + 1}": values[i] for i in range(2)}
    return columns


def fitted(pairs: Sequence[Pair]) -> list[jb.Fit]:
    """Two galaxies, seeds known to within a pixel."""
    blends = [pair.blend for pair in pairs]
    return jb.fit_batch(
        [b.observation for b in blends], [b.seeds for b in blends], population=POPULATION, batch_size=BATCH
    )


def sampled(fits: Sequence[jb.Fit], key) -> list[dict]:
    """Both fluxes and their sum in the mean of sampled draws."""
    return [_moments(each) for each in jb.sample_batch(fits, key=key, method="importance", n_draws=DRAWS)]


def found(pair: Pair) -> dict:
    """How many sources are found without being told, and all of their light."""
    observation = pair.blend.observation
    scene = jb.deblend(observation, population=POPULATION)
    light = np.asarray(scene.catalog[f"flux_{BAND}"], float)
    return {"n_detected": len(jb.detect(observation)), "n_deblended": len(light), "total_deblended": light.sum()}


def odds(pair: Pair, sampled: bool, *, key) -> dict:
    """Logarithm of the odds of two galaxies against one, asked where the detector sees light."""
    names = [f"log_odds_{method}" for method in METHODS]
    row = dict.fromkeys(names, np.nan)
    observation = pair.blend.observation
    hypotheses = _one_or_two(observation)
    for name, method in zip(names, METHODS if sampled else METHODS[:1], strict=False):
        n_draws = DRAWS if method == "importance" else None
        compared = jb.compare_models(observation, hypotheses, key=key, method=method, n_draws=n_draws)
        row[name] = compared.log_odds("two", "one")
    return row


def _one_or_two(observation: jb.Observation) -> list[jb.Hypothesis]:
    """About all detected light; or, of two peaks that are too far apart for that, both, or one at either or between."""
    detections = jb.detect(observation)
    flux = np.asarray(detections["flux"], float)
    places = np.stack([np.asarray(detections[axis], float) for axis in ("x", "y")], axis=-1)
    middle = np.average(places, axis=0, weights=flux)
    peaks = places[np.argsort(-flux)[:2]]
    if len(peaks) < 2 or np.hypot(*np.diff(peaks, axis=0)[0]) <= WIDTHS * survey().psf_fwhm[0] / survey().pixel_scale:
        return jb.one_or_two(observation, middle, population=POPULATION)
    known = {"population": POPULATION, "position_scatter": SCATTER * survey().pixel_scale}
    ones = [jb.Hypothesis("one", [place], **known) for place in (*peaks, middle)]
    return [*ones, jb.Hypothesis("two", peaks, **known)]


def _optimum(fit: jb.Fit) -> dict:
    """Both fluxes and their sum at the optimum, and errors of the Laplace approximation."""
    names = fit.quantity_names
    of = np.arange(2) * len(names) + names.index(f"log_flux_{BAND}")
    flux = np.exp(fit.quantities[:, names.index(f"log_flux_{BAND}")].astype(float))
    covariance = fit.covariance[np.ix_(of, of)] * np.outer(flux, flux)
    weights = {"flux_1": np.array([1.0, 0.0]), "flux_2": np.array([0.0, 1.0]), "total": np.ones(2)}
    row = {f"{name}_laplace": w @ flux for name, w in weights.items()}
    return row | {f"{name}_laplace_err": np.sqrt(w @ covariance @ w) for name, w in weights.items()}


def _moments(posterior: Posterior) -> dict:
    """Means and standard deviations of the draws."""
    draws = np.asarray(posterior.of(f"flux_{BAND}"), float)
    named = {"flux_1": draws[:, 0], "flux_2": draws[:, 1], "total": draws.sum(1)}
    row = {f"{name}_importance": values.mean() for name, values in named.items()}
    row |= {f"{name}_importance_err": values.std() for name, values in named.items()}
    return row | {name: float(posterior.diagnostics[name]) for name in ("k_hat", "effective_draws")}
