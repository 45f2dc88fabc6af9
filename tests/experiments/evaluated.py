"""Tiny evaluations, as the reports of experiments read them back."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table

import jaxblend as jb

tables = pytest.importorskip("experiments.deblending_tables", reason="experiments are beside the package, not in it")

REACH = 1.0  # arcsec, within which sources are paired: 5 pixels
# Places and fluxes: three sources far from each other, one alone, two close to each other.
BLENDS = (
    (([20, 20], 100.0), ([80, 20], 50.0), ([20, 80], 20.0)),
    (([50, 50], 30.0),),
    (([40, 40], 10.0), ([43, 40], 20.0)),
)
# One is missed, one too bright; one is found where nothing is; two are taken for one.
FLAWED = (
    (([20, 20], 100.0), ([80, 20], 70.0)),
    (([50, 50], 30.0), ([150, 150], 3.0)),
    (([41.4, 40], 30.0),),
)


def evaluated(detected, true=BLENDS):
    """What is read back of an evaluation, and the evaluation."""
    evaluation = jb.evaluate(
        [_catalog(each) for each in detected], [_catalog(each) for each in true], max_separation=REACH
    )
    return tables.Found(Table(evaluation.sources), Table(evaluation.detections)), evaluation


def _catalog(sources):
    table = QTable(meta={"pixel_scale": 0.2, "reference_band": "r", "bands": ["r"]})
    table["x"], table["y"] = np.reshape([place for place, _ in sources], (-1, 2)).astype(float).T * u.pix
    table["flux_r"] = np.array([flux for _, flux in sources], float)
    return table
