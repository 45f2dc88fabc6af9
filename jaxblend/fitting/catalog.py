"""The catalogue of a fit: an astropy QTable with units, errors and metadata."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.table import QTable

    from jaxblend.fitting.result import Fit

__all__ = ["catalog"]

_TO_MAG = 2.5 / np.log(10)


def catalog(fit: Fit) -> QTable:
    """One row per source; fluxes are in the unit of the image, sizes in arcsec, ellipticities are reduced shears."""
    import astropy.units as u
    from astropy.table import QTable

    names, values, errors = fit.quantity_names, fit.quantities, fit.errors
    table = QTable(meta=_meta(fit))
    table["id"] = np.arange(fit.n)
    _add_positions(table, fit, u)
    zero_points = fit.context["zero_points"]
    for c, band in enumerate(fit.bands):
        log_flux, sigma = values[:, 2 + c].astype(float), errors[:, 2 + c]
        table[f"flux_{band}"], table[f"flux_{band}_err"] = np.exp(log_flux), np.exp(log_flux) * sigma
        if np.isfinite(zero_points[c]):
            table[f"mag_{band}"] = (zero_points[c] - _TO_MAG * log_flux) * u.ABmag
            table[f"mag_{band}_err"] = _TO_MAG * sigma * u.mag
    for name in ("radius", "g1", "g2", "bulge_fraction"):
        i, unit = names.index(name), (u.arcsec if name == "radius" else u.dimensionless_unscaled)
        table[name], table[f"{name}_err"] = values[:, i] * unit, errors[:, i] * unit
    table["kind"] = np.where(fit.stars, "star", "galaxy")
    for name, column in (("chi2", "source_chi2"), ("snr", "snr"), ("blendedness", "blendedness")):
        table[name] = np.asarray(getattr(fit.summary, column))[: fit.n].astype(float)
    table["flags"] = fit.flags
    return table


def _add_positions(table, fit, u):
    """Pixels of the first observation, and right ascension and declination if it has a WCS."""
    x, y = fit.positions.T
    inverse = fit.context["frames"][0].inverse_jacobian
    q = len(fit.quantity_names)
    blocks = fit.covariance.reshape(fit.n, q, fit.n, q)[np.arange(fit.n), :2, np.arange(fit.n), :2]
    sigma = np.sqrt(np.einsum("ai,kij,aj->ka", inverse, blocks, inverse))
    for i, (name, value) in enumerate((("x", x), ("y", y))):
        table[name], table[f"{name}_err"] = value * u.pix, sigma[:, i] * u.pix
    if fit.context["wcs"][0] is not None:
        ra, dec = fit.context["wcs"][0].pixel_to_world_values(x, y)
        table["ra"], table["dec"] = np.asarray(ra) * u.deg, np.asarray(dec) * u.deg


def _meta(fit):
    return {
        "jaxblend": version("jaxblend"),
        "jax": version("jax"),
        "survey": ", ".join(str(s) for s in fit.context["survey"] if s),
        "bands": list(fit.bands),
        "model": fit.context["model"],
        "outcome": fit.outcome.value,
        "chi2_per_pixel": {b: round(float(c), 4) for b, c in zip(fit.bands, fit.chi2, strict=True)},
        "log_evidence": fit.log_evidence,
        "conventions": "x, y from 0 at the first pixel's centre; g is the reduced shear; radius is half-light",
    }
