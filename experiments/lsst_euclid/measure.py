"""Fits of LSST alone and with Euclid, from centres that are known, moved or detected: errors of every source."""

import itertools
import warnings
from collections.abc import Sequence

import numpy as np
from astropy.table import Table, vstack

import jaxblend as jb
from experiments.lsst_euclid.blends import BAND, Sky, draw_sky, surveys
from jaxblend.simulation.seeds import DECENTRING

DATA = {"LSST": 1, "LSST + Euclid": 3}  # how many of the surveys are fitted
POSITION_SCATTER = 0.2  # arcsec, one pixel of LSST, whatever is known of the centres
BATCH = 1  # blend in one call: a chunk has few of one shape, and calls that are not full are filled up
QUANTITIES = ("g1", "g2", f"mag_{BAND}", "radius")


def measure(numbers: Sequence[int]) -> Table:
    """A row for each source, centring and set of data."""
    skies = [draw_sky(number) for number in numbers]
    parts = []
    for centring, (data, n_surveys) in itertools.product(DECENTRING, DATA.items()):
        fits = fitted(skies, centring, n_surveys)
        parts += [
            rows_of(number, sky, centring, data, fit) for number, sky, fit in zip(numbers, skies, fits, strict=True)
        ]
    return vstack(parts, metadata_conflicts="silent")


def fitted(skies: Sequence[Sky], centring: str, n_surveys: int) -> list[jb.Fit]:
    """One image is fitted from pixels, several from arcsec off their middle."""
    observations = [tuple(view.observation for view in sky.views[:n_surveys]) for sky in skies]
    seeds = [sky.seeds[centring].positions for sky in skies]
    if n_surveys > 1:
        seeds = [_sky_places(xy, sky) for xy, sky in zip(seeds, skies, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jb.JaxblendWarning)
        return jb.fit_batch(observations, seeds, position_scatter=POSITION_SCATTER, batch_size=BATCH)


def rows_of(number: int, sky: Sky, centring: str, data: str, fit: jb.Fit) -> Table:
    """What is true, and what was found; a blend that failed has NaN."""
    truth, found, n = sky.views[0].truth, fit.catalog, len(sky.views[0].truth)
    detected = sky.seeds[centring].detected
    columns = {
        "blend": np.full(n, number),
        "source": np.arange(n),
        "centring": np.full(n, centring),
        "data": np.full(n, data),
        "detected": np.ones(n, bool) if detected is None else detected,
        "snr": _values(truth, "snr"),
        "blendedness": _values(truth, "blendedness"),
        "flags": np.asarray(found["flags"]),
    }
    for name in QUANTITIES:
        columns |= {f"true_{name}": _values(truth, name), f"found_{name}": _values(found, name)}
        columns[f"err_{name}"] = _values(found, f"{name}_err")
    return Table(columns)


def _sky_places(pixels: np.ndarray, sky: Sky) -> np.ndarray:
    height, width = sky.views[0].observation.shape
    return (pixels - 0.5 * np.array([width - 1, height - 1])) * surveys()[0].pixel_scale


def _values(found, name: str) -> np.ndarray:
    return np.asarray(getattr(found[name], "value", found[name]), float)
