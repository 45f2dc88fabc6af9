"""The catalogue of a fit: an astropy QTable with units, errors and metadata."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblend.forward.observation import Observation
from jaxblend.forward.vecchia import correlation_at
from jaxblend.priors import Prior

if TYPE_CHECKING:
    from astropy.table import QTable

    from jaxblend.fitting.result import Fit

__all__ = ["catalog", "noise_settings", "settings"]

_TO_MAG = 2.5 / np.log(10)


def catalog(fit: Fit) -> QTable:
    """One row per source; fluxes are in the unit of the image, sizes in arcsec, ellipticities are reduced shears.

    The metadata are those of ``settings``, and how the fit ended. A fit that let its images go
    (``keep_observations=False``) has let its prior go, too.
    """
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
    if len(set(models := fit.context["models"])) > 1:
        table["model"] = models
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


def settings(
    bands: Sequence[str],
    *,
    surveys: Sequence[str | None],
    model: str,
    prior: Prior | None,
    reference: int,
    zero_points: Float[np.ndarray, " C"],
    pixel_scales: Sequence[float],
) -> dict[str, Any]:
    """What a fit was made with, in plain values that every format of a catalogue keeps.

    Parameters
    ----------
    bands
        Their names.
    surveys, pixel_scales
        Of each observation; scales in arcsec.
    model
        Name of the galaxy model.
    prior
        Described by the 16th, 50th and 84th percentile of each of its parameters; left out if it is None.
    reference
        Index of the band in which radius, shear and bulge fraction are defined.
    zero_points
        (C,), AB magnitude of one unit of flux; NaN, which is left out, where there is none.
    """
    known = {band: float(z) for band, z in zip(bands, zero_points, strict=True) if np.isfinite(z)}
    return {
        **_versions(),
        "survey": ", ".join(str(s) for s in surveys if s),
        "bands": list(bands),
        "reference_band": bands[reference],
        "zero_point": known,
        "pixel_scale": [_rounded(scale) for scale in pixel_scales],
        "model": model,
        **({} if prior is None else {"prior": _described(prior)}),
        "conventions": "x, y from 0 at the first pixel's centre; g is the reduced shear; radius is half-light; "
        "prior holds percentiles: du, dv in arcsec from the given position, log is natural",
    }


def noise_settings(observations: Sequence[Observation]) -> dict[str, Any]:
    """What is known of the noise beside its weight, by band; of several observations each has its number.

    Of a correlation it is that of neighbours in x and in y: which kind of noise it was, not all of it.
    """
    found: dict[str, dict[str, Any]] = {"noise_correlation": {}, "gain": {}}
    for i, observation in enumerate(observations):
        for c, band in enumerate(observation.bands):
            name = band if len(observations) == 1 else f"{band}_{i}"
            if observation.noise_correlation is not None:
                rho = correlation_at(observation.noise_correlation[c], np.array([[0, 1], [1, 0]]))
                found["noise_correlation"][name] = {"x": _rounded(rho[0]), "y": _rounded(rho[1])}
            if observation.gain is not None and np.isfinite(observation.gain[c]):
                found["gain"][name] = _rounded(observation.gain[c])
    return {name: by_band for name, by_band in found.items() if by_band}


def _meta(fit):
    return {
        **settings(
            fit.bands,
            surveys=fit.context["survey"],
            model=fit.model_names,
            prior=None if fit.item is None else fit.item.prior,
            reference=fit.reference,
            zero_points=fit.context["zero_points"],
            pixel_scales=[frame.pixel_scale for frame in fit.context["frames"]],
        ),
        **noise_settings(fit.observations),
        "outcome": fit.outcome.value,
        "chi2_per_pixel": {b: round(float(c), 4) for b, c in zip(fit.bands, fit.chi2, strict=True)},
        "log_evidence": fit.log_evidence,
    }


@functools.cache
def _versions() -> dict[str, str]:
    """Surveycodex among them, if it is there: numbers of surveys move between its releases."""
    found = {"jaxblend": version("jaxblend"), "jax": version("jax")}
    try:
        return found | {"surveycodex": version("surveycodex")}
    except PackageNotFoundError:
        return found


def _described(prior: Prior) -> dict[str, dict[str, float]]:
    # Accelerators else multiply matrices with ten bits.
    with jax.default_matmul_precision("highest"):
        values = np.asarray(_percentiles(prior))
    # Dictionaries, since catalogues that are stacked would append lists to each other.
    return {
        name: dict(zip(("p16", "p50", "p84"), map(_rounded, row), strict=True))
        for name, row in zip(prior.names, values, strict=True)
    }


@eqx.filter_jit
def _percentiles(prior: Prior) -> Float[Array, "D 3"]:
    """Each parameter one standard deviation of ``u`` below and above its middle, the way it changes fastest.

    That is exact for what is a monotone function of a linear one, as all of the default prior but the shear; not where
    a population has a coupling.
    """
    middle = jnp.zeros(prior.size)
    slopes = jax.jacfwd(prior.physical)(middle)
    tiny = jnp.finfo(slopes.dtype).tiny
    steps = slopes / jnp.maximum(jnp.linalg.norm(slopes, axis=1, keepdims=True), tiny)
    low, high = (jnp.diagonal(jax.vmap(prior.physical)(sign * steps)) for sign in (-1, 1))
    return jnp.stack([low, prior.physical(middle), high], axis=1)


def _rounded(value) -> float:
    """Without the noise of float32."""
    return float(f"{float(value):.5g}")
