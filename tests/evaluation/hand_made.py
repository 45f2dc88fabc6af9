"""Results and truths made by hand."""

from dataclasses import replace

import astropy.units as u
import numpy as np
from astropy.table import QTable

from jaxblend.compare.deblender import Deblended

SCALE = 0.2  # arcsec per pixel
REACH = 1.0  # arcsec, within which sources are paired: 5 pixels


def perfect(blends):
    """The truth as the result."""
    return [Deblended("perfect", blend.isolated.copy(), blend.truth.copy()) for blend in blends]


def changed(result, *, rows=None, factors=None, moved=None):
    """A result with rows taken, in this order; then fluxes and images multiplied, and places moved, row by row."""
    rows = np.arange(len(result.catalog)) if rows is None else np.asarray(rows, int)
    catalog, images = result.catalog[rows], result.images[rows]
    if factors is not None:
        for band in catalog.meta["bands"]:
            catalog[f"flux_{band}"] *= np.asarray(factors)
        images = images * np.asarray(factors, np.float32)[:, None, None, None]
    if moved is not None:
        for name, pixels in zip("xy", np.transpose(moved), strict=True):
            catalog[name] += pixels * u.pix
    return replace(result, catalog=catalog, images=images)


def truth_table(positions, fluxes, **columns):
    """A truth without images, in the bands g and r."""
    table = QTable(meta={"pixel_scale": SCALE, "reference_band": "r", "bands": ["g", "r"]})
    table["id"] = 100 + np.arange(len(positions))
    table["x"], table["y"] = np.reshape(positions, (-1, 2)).T * u.pix
    table["flux_g"], table["flux_r"] = np.reshape(np.asarray(fluxes, float), (-1, 2)).T
    for name, values in columns.items():
        table[name] = values
    return table


def random_truths(n, *, n_sources, seed=0):
    """Truths of sources at random places, with S/N from 5 to 500."""
    rng = np.random.default_rng(seed)
    return [
        truth_table(
            rng.uniform(0, 400, (n_sources, 2)),
            rng.uniform(1, 2, (n_sources, 2)),
            snr=10 ** rng.uniform(0.7, 2.7, n_sources),
            mag_r=rng.uniform(20, 25, n_sources) * u.ABmag,
        )
        for _ in range(n)
    ]


def scattered(truths, *, scatter, seed=1):
    """Catalogues with fluxes off by random parts."""
    rng = np.random.default_rng(seed)
    catalogs = [truth.copy() for truth in truths]
    for catalog in catalogs:
        for band in "gr":
            catalog[f"flux_{band}"] *= 1 + scatter * rng.normal(size=len(catalog))
    return catalogs


def numbers(evaluation, column="value"):
    """A column of the table by metric."""
    return dict(zip(evaluation.table["metric"], evaluation.table[column], strict=True))
