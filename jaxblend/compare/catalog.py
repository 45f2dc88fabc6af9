"""The catalogue of a deblender, in the columns of a fitted one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxblend.forward.observation import Observation

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["make_catalog"]

UNITS = {"a": "pix", "b": "pix", "theta": "rad"}


def make_catalog(
    observation: Observation,
    positions: Float[Any, "n 2"],
    fluxes: Float[Any, "n C"],
    errors: Float[Any, "n C"] | None = None,
    *,
    name: str,
    version: str,
    columns: Mapping[str, Any] | None = None,
) -> QTable:
    """Tabulate one row per source.

    Parameters
    ----------
    observation
        What was deblended: its bands, survey and WCS.
    positions
        Pixel x, y.
    fluxes, errors
        In the unit of the observation.
    name, version
        Of the deblender, for the record.
    columns
        Further columns: ``a``, ``b`` (rms along the axes, pixels, PSF included) and ``theta`` (radians from x to y) as
        in a table of detections, ``flags``.

    Returns
    -------
    QTable
        ``id, x, y`` (pixels), ``ra, dec`` if the observation has a WCS, ``flux_<band>``, ``flux_<band>_err`` and the
        further columns.
    """
    import astropy.units as u
    from astropy.table import QTable

    table = QTable(
        meta={
            "deblender": name,
            "version": version,
            "bands": list(observation.bands),
            "survey": observation.survey or "",
        }
    )
    x, y = np.asarray(positions, float).T
    table["id"] = np.arange(len(x))
    table["x"], table["y"] = x * u.pix, y * u.pix
    if observation.wcs is not None:
        ra, dec = observation.wcs.pixel_to_world_values(x, y)
        table["ra"], table["dec"] = np.asarray(ra) * u.deg, np.asarray(dec) * u.deg
    for c, band in enumerate(observation.bands):
        table[f"flux_{band}"] = np.asarray(fluxes, float)[:, c]
        if errors is not None:
            table[f"flux_{band}_err"] = np.asarray(errors, float)[:, c]
    for column, values in (columns or {}).items():
        table[column] = np.asarray(values) * u.Unit(UNITS[column]) if column in UNITS else np.asarray(values)
    return table
