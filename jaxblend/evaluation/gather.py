"""Results and truths as arrays, in the bands that both have, in the unit of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import astropy.units as u
import equinox as eqx
import numpy as np
from astropy.table import Table
from jaxtyping import Bool, Float

from jaxblend.detection.combine import psf_fwhm
from jaxblend.evaluation.blends import Sources, no_sources
from jaxblend.evaluation.columns import FLUX, bands_of, column, scale_of, unit_of, zero_points
from jaxblend.evaluation.inputs import Result, Truth
from jaxblend.forward.observation import Observation

__all__ = [
    "Bands",
    "default_separation",
    "failed_blends",
    "shared_bands",
    "shear_of",
    "sources_of_results",
    "sources_of_truths",
]

SAME = 1e-3  # mag, by which zero points may differ


class Bands(NamedTuple):
    """The bands that are compared, the reference among them, and the unit of the true fluxes (None if they have none).

    ``scales`` are what the fluxes and images of each result are multiplied by.
    """

    names: tuple[str, ...]
    reference: str
    unit: Any
    scales: Float[Any, "B C"]

    @property
    def index(self) -> int:
        """Of the reference."""
        return self.names.index(self.reference)


def shared_bands(results: Sequence[Result], truths: Sequence[Truth], band: str | None) -> Bands:
    """Find the bands that both sides have, in the truth's order.

    Raises
    ------
    ValueError
        If bands differ from blend to blend, nothing is shared, units or zero points do not agree, or there is no such
        band.
    """
    true = _same(truths, [truth.catalog for truth in truths])
    known = [result for result in results if result.catalog is not None]
    catalogs = [result.catalog for result in known if result.catalog is not None]
    found = _same(known, catalogs) if known else true
    names = tuple(name for name in true if name in found)
    if not names:
        raise ValueError(f"result and truth share no band: columns flux_<band> are of {found} and of {true}")
    if band is not None and band not in names:
        raise ValueError(f"band must be one of {names}, which result and truth have, got {band!r}")
    meta: Any = truths[0].catalog.meta
    first = meta.get("reference_band")
    reference = band or (first if first in names else names[0])
    unit = unit_of(truths[0].catalog, FLUX + reference)
    scales = [_scales(result, truth, names, unit) for result, truth in zip(results, truths, strict=True)]
    return Bands(names, reference, unit, np.array(scales))


def _same(given: Sequence[Result] | Sequence[Truth], catalogs: Sequence[Table]) -> tuple[str, ...]:
    """Bands of all tables."""
    first = bands_of(catalogs[0])
    for one, catalog in zip(given, catalogs, strict=True):
        if set(bands_of(catalog)) != set(first):
            raise ValueError(
                f"{one.name} has fluxes in the bands {bands_of(catalog)}, {given[0].name} in {first}: "
                "evaluate blends of different bands apart"
            )
    return first


def _scales(result: Result, truth: Truth, names: Sequence[str], unit: Any) -> list[float]:
    if result.catalog is None:
        return [1.0] * len(names)
    try:
        _check_zero_points(zero_points(result.catalog), zero_points(truth.catalog), names)
        of_truth = [scale_of(truth.catalog, name, unit) for name in names]
        if set(of_truth) != {1.0}:
            raise ValueError(f"the true fluxes of all bands and blends must be in one unit, that of the first, {unit}")
        return [scale_of(result.catalog, name, unit) for name in names]
    except ValueError as error:
        raise ValueError(f"{result.name}: {error}") from None


def _check_zero_points(found: dict[str, float], true: dict[str, float], names: Sequence[str]) -> None:
    for name in names:
        if name in found and name in true and abs(found[name] - true[name]) > SAME:
            raise ValueError(
                f"the zero point of {name} is {found[name]:.4f}, that of the truth {true[name]:.4f}: fluxes must be in "
                "one unit; multiply those of the result by 10**(0.4 (zero point of the truth - its own))"
            )


def sources_of_results(results: Sequence[Result], bands: Bands) -> list[Sources]:
    """Read what was found; fluxes that are not finite are 0, sources without a place are not present."""
    return [_read(result, result.catalog, bands, scale) for result, scale in zip(results, bands.scales, strict=True)]


def sources_of_truths(truths: Sequence[Truth], bands: Bands) -> list[Sources]:
    """Read what is true.

    Raises
    ------
    ValueError
        If a place or a flux is not finite.
    """
    ones = np.ones(len(bands.names))
    read = [_read(truth, truth.catalog, bands, ones) for truth in truths]
    for truth, sources in zip(truths, read, strict=True):
        finite = [np.isfinite(column(truth.catalog, FLUX + name)) for name in bands.names]
        bad = ~(sources.present & np.all(finite, axis=0))
        if bad.any():
            raise ValueError(f"{truth.name}: x, y or a flux is not finite in rows {np.flatnonzero(bad)[:10].tolist()}")
    return read


def _read(given: Result | Truth, catalog: Table | None, bands: Bands, scale: Float[np.ndarray, " C"]) -> Sources:
    if catalog is None:
        return no_sources(len(bands.names))
    missing = [name for name in ("x", "y") if name not in catalog.colnames]
    if missing:
        raise ValueError(f"{given.name} has no column {' and '.join(missing)}, in pixels, only {catalog.colnames}")
    try:
        flux = np.stack([column(catalog, FLUX + name) for name in bands.names], axis=1) * scale
        position = np.stack([column(catalog, name, u.pix) for name in ("x", "y")], axis=1)
        return Sources(
            present=np.isfinite(position).all(axis=1),
            position=position,
            flux=np.where(np.isfinite(flux), flux, 0.0),
            magnitude=column(catalog, f"mag_{bands.reference}"),
            g=np.stack([column(catalog, name, u.dimensionless_unscaled) for name in ("g1", "g2")], axis=1),
            radius=column(catalog, "radius", u.arcsec),
            star=_stars(catalog),
            snr=column(catalog, "snr"),
            blendedness=column(catalog, "blendedness"),
            flagged=np.nan_to_num(column(catalog, "flags")) != 0,
        )
    except ValueError as error:
        raise ValueError(f"{given.name}: {error}") from None


def _stars(catalog: Table) -> Float[np.ndarray, " n"]:
    if "kind" not in catalog.colnames:
        return np.full(len(catalog), np.nan)
    kind = np.asarray(catalog["kind"], str)
    return np.select([kind == "star", kind == "galaxy"], [1.0, 0.0], np.nan)


def shear_of(truths: Sequence[Truth]) -> Float[np.ndarray, "B 2"]:
    """Return the shear that was put on each blend, NaN where the table does not say."""
    return np.array([_shear(truth.catalog) for truth in truths])


def _shear(catalog: Table) -> list[float]:
    """Of the metadata of one blend, or of the columns that the table of many has."""
    meta: Any = catalog.meta
    shear = meta.get("shear") or {}
    if not shear and len(catalog):
        shear = {name: column(catalog, f"shear_{name}")[0] for name in ("g1", "g2")}
    return [float(shear.get(name, np.nan)) for name in ("g1", "g2")]


def default_separation(truths: Sequence[Truth]) -> float:
    """Full width at half maximum of the PSF in arcsec, the median over bands and blends.

    Raises
    ------
    ValueError
        If no truth comes with its observation, or one has a PSF per source.
    """
    widths, previous, width = [], None, np.nan
    for truth in truths:
        if truth.observation is None:
            continue
        # Mostly it is the same, and measuring it takes longer than comparing.
        if previous is None or not eqx.tree_equal(truth.observation.psf, previous):
            previous, width = truth.observation.psf, _width(truth.observation) * truth.pixel_scale
        widths.append(width)
    if not widths:
        raise ValueError("give max_separation in arcsec: tables do not tell the PSF, whose width is the default")
    return float(np.median(widths))


def _width(observation: Observation) -> float:
    try:
        return psf_fwhm(observation)
    except ValueError:
        raise ValueError(
            "give max_separation in arcsec: its default is the width of the PSF, and each source has a PSF of its own"
        ) from None


def failed_blends(results: Sequence[Result]) -> Bool[np.ndarray, " B"]:
    """Whether there is no result, or one of rows without any place."""
    return np.array([_failed(result.catalog) for result in results])


def _failed(catalog: Table | None) -> bool:
    return catalog is None or (len(catalog) > 0 and not np.isfinite(column(catalog, "x")).any())
