"""Errors of all galaxies of blends, and those of one model over those of another, with errors from a bootstrap."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table

from experiments.structure.galaxies import BAND
from jaxblend.evaluation.columns import column
from jaxblend.metrics.bootstrap import in_bins
from jaxblend.metrics.photometry import NMAD

N_BOOTSTRAP = 200


class Errors(NamedTuple):
    """All but the first of galaxies that were found.

    Attributes
    ----------
    found
        Share of galaxies.
    flux
        Median of |dF/F|.
    bias
        Median of dF/F.
    nmad
        Of dF/F.
    distance
        Median of 1 - cosine similarity of deblended and true image.
    ellipticity
        NMAD of both components of the error of g, adaptive moments of the two images.
    """

    found: Any
    flux: Any
    bias: Any
    nmad: Any
    distance: Any
    ellipticity: Any


class Ratio(NamedTuple):
    """One model's numbers over another's, of galaxies that both found; as in `Errors`."""

    flux: Any
    distance: Any
    ellipticity: Any


class Cell(NamedTuple):
    """Of one bin: galaxies, and `Errors` or `Ratio` with the errors of both."""

    count: int
    value: Any
    error: Any


def errors_of(part: Table, which: np.ndarray, labels: Sequence) -> dict[Any, Cell]:
    """`Errors` by label; ``which`` has the place of each galaxy's label."""
    return _cells(_errors, part, _columns(part), which, labels)


def ratio_of(part: Table, reference: Table, which: np.ndarray, labels: Sequence) -> dict[Any, Cell]:
    """`Ratio` of a part to a reference; resamples take the same galaxies of both."""
    if not all(np.array_equal(part[name], reference[name]) for name in ("blend", "row")):
        raise ValueError("both must have the same galaxies in the same order")
    return _cells(_ratio, part, (*_columns(part), *_columns(reference)), which, labels)


def _columns(part: Table) -> tuple[np.ndarray, ...]:
    g = np.stack([column(part, f"moments_g{i}_residual") for i in (1, 2)], axis=1)
    return column(part, f"flux_residual_{BAND}"), 1 - column(part, "cosine"), g


def _cells(statistic, part, columns, which, labels) -> dict[Any, Cell]:
    # What a model misses of a real galaxy it misses in every blend of it; the others are new in every blend.
    real = np.asarray(part["structure"]) == "real"
    cluster = np.where(real, np.asarray(part["galaxy"]), np.asarray(part["blend"]))
    edges = np.arange(len(labels) + 1) - 0.5
    options = {"key": jax.random.key(0), "n_bootstrap": N_BOOTSTRAP}
    found = in_bins(statistic, columns, values=np.asarray(which, float), edges=edges, blend=cluster, **options)
    return {
        label: Cell(
            int(found.count[i]), *(type(all_)(*(each[i] for each in all_)) for all_ in (found.value, found.error))
        )
        for i, label in enumerate(labels)
    }


def _errors(flux, distance, g, where) -> Errors:
    share = jnp.mean(jnp.isfinite(flux), where=where)
    flux, distance, g = _only(where, flux, distance, g)
    return Errors(share, _median_size(flux), jnp.nanmedian(flux), _nmad(flux), _median_size(distance), _nmad(g))


def _ratio(flux, distance, g, flux_0, distance_0, g_0, where) -> Ratio:
    both = where & jnp.isfinite(flux) & jnp.isfinite(flux_0)
    above, below = _only(both, flux, distance, g), _only(both, flux_0, distance_0, g_0)
    sizes = [
        function(a) / function(b)
        for function, a, b in zip((_median_size, _median_size, _nmad), above, below, strict=True)
    ]
    return Ratio(*sizes)


def _only(where, *columns):
    """What does not count is NaN."""
    return [jnp.where(where if each.ndim == 1 else where[:, None], each, jnp.nan) for each in columns]


def _median_size(values):
    return jnp.nanmedian(jnp.abs(values))


def _nmad(values):
    return NMAD * jnp.nanmedian(jnp.abs(values - jnp.nanmedian(values)))
