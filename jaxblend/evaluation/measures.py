"""What is summed up of the columns of sources: which statistic of which column, under which name, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from astropy.table import Table
from jaxtyping import Float

from jaxblend.evaluation.columns import column

__all__ = ["BIASES", "OUTLIER", "Measure", "columns_of_sources", "measures_of_sources"]

OUTLIER = 0.75  # mag
BLENDED = 0.01  # share of light that is of others, above which a source counts as blended
SAYS = {
    "median": "median of {}",
    "nmad": "1.4826 median(|r - median r|) of r = {}",
    "scatter": "standard deviation of {}, finite ones",
    "mean": "mean of {}",
    "mean_absolute": "mean of |{}|, finite ones",
    "median_absolute": "median of |{}|",
    "outliers": f"share beyond {OUTLIER} mag of {{}}",
}
BIAS, DISTANCE = ("median", "nmad"), ("mean_absolute", "median_absolute")
OF_MAGNITUDES = (*BIAS, "scatter", "outliers")
BIASES = {
    f"{prefix}{name}{i}": f"{text} bias of g{i} against {against}"
    for prefix, against in (("", "the true ellipticity"), ("shear_", "the shear of the blend"))
    for name, text in (("m", "multiplicative"), ("c", "additive"))
    for i in (1, 2)
}


class Measure(NamedTuple):
    """One number that is had of a column of sources.

    Attributes
    ----------
    name
        Of the number.
    column
        Of sources; NaN there does not count.
    statistic
        Field of `jaxblend.metrics.photometry.ResidualSummary`.
    meaning
        In words.
    unit
        Empty for a plain number.
    """

    name: str
    column: str
    statistic: str
    meaning: str
    unit: str = ""


def measures_of_sources(bands: Sequence[str], reference: str, unit: str) -> list[Measure]:
    """All of them, for bands, the reference band and the unit of fluxes."""
    return [
        *_shares(),
        *_blending(reference),
        *_photometry(bands),
        *_shapes(),
        *_images(reference, unit),
        *_light(reference),
    ]


def columns_of_sources(sources: Table, bands: Sequence[str]) -> dict[str, Float[np.ndarray, " N"]]:
    """Give the columns of numbers; a share is 1, 0, or NaN of a source that has no part in it, as one missed."""
    columns = {name: column(sources, name) for name in sources.colnames if name != "id"}
    found = columns["found"] == 1
    shares = {"flagged": columns["flagged"] == 1, "fragmented": columns["n_detections"] > 1}
    shares |= {f"no_flux_{b}": columns[f"found_flux_{b}"] <= 0 for b in bands if f"found_flux_{b}" in columns}
    columns |= {name: np.where(found, which, np.nan) for name, which in shares.items()}
    if "blendedness" in columns:
        blendedness = columns["blendedness"]
        columns["blended"] = np.where(np.isnan(blendedness), np.nan, blendedness > BLENDED)
    return columns


def _shares() -> list[Measure]:
    return [
        Measure("recall", "found", "mean", "share of true sources that were found"),
        Measure("fragmented", "fragmented", "mean", "share of found sources with more than one detection"),
        Measure("flagged", "flagged", "mean", "share of found sources with a flag; they count in all that follows"),
        Measure("offset_median", "offset", "median", "median of the distance of detection and source", "arcsec"),
    ]


def _blending(band: str) -> list[Measure]:
    """How blended the true sources are, found or not."""
    text = f"share of true sources with a blendedness above {BLENDED:g}"
    area, ratio = "blended_area", "neighbour_flux_ratio"
    within = f"a true source's pixels above 3 sigma in {band}"
    return [
        Measure("blend_fraction", "blended", "mean", text),
        *_each(area, area, ("mean",), f"the share of {within} that are such pixels of others"),
        *_each(ratio, ratio, ("median",), f"the flux of others over its own in {within}"),
    ]


def _photometry(bands: Sequence[str]) -> list[Measure]:
    measures = []
    for b in bands:
        statistics = (*BIAS, "scatter", *DISTANCE)
        measures += _each(f"flux_{b}", f"flux_residual_{b}", statistics, f"(F - F_true) / F_true in {b}")
        measures.append(Measure(f"no_flux_{b}", f"no_flux_{b}", "mean", f"share of found sources without flux in {b}"))
        measures += _each(f"magnitude_{b}", f"magnitude_residual_{b}", OF_MAGNITUDES, f"m - m_true in {b}", "mag")
    for a, b in pairwise(bands):
        measures += _each(
            f"colour_{a}_{b}", f"colour_residual_{a}_{b}", OF_MAGNITUDES, f"the error of {a} - {b}", "mag"
        )
    return measures


def _shapes() -> list[Measure]:
    measures = []
    for i in (1, 2):
        measures += _each(f"g{i}", f"g{i}_residual", BIAS, f"g{i} - true g{i}, galaxies")
    measures += _each("size", "size_residual", BIAS, "(r - r_true) / r_true, half-light, galaxies")
    for i in (1, 2):
        text = f"g{i} - true g{i}, adaptive moments of images with the PSF"
        measures += _each(f"moments_g{i}", f"moments_g{i}_residual", BIAS, text)
    text = "(sigma - true) / true, adaptive moments of images with the PSF"
    measures += _each("moments_size", "moments_size_residual", BIAS, text)
    text = "share of found sources with adaptive moments"
    return [*measures, Measure("moments_converged", "moments_converged", "mean", text)]


def _images(band: str, unit: str) -> list[Measure]:
    measures = _each("rmse", "rmse", ("median",), f"root mean square error of pixels in {band}", unit)
    text = f"the same, pixels weighted by true flux, in {band}"
    measures += _each("flux_weighted_rmse", "flux_weighted_rmse", ("median",), text, unit)
    measures += _each("psnr", "psnr", ("median",), f"20 log10(range of the truth / rmse) in {band}", "dB")
    for name, text in (
        ("ssim", "structural similarity of the stamp"),
        ("cosine", "cosine similarity of pixels"),
        ("correlation", "Pearson's correlation of pixels"),
        ("iou", "intersection over union of pixels above 3 sigma"),
        ("dice", "Dice coefficient of pixels above 3 sigma"),
    ):
        measures += _each(name, name, ("mean",), f"{text} in {band}")
    return measures


def _light(band: str) -> list[Measure]:
    kept = "in its own image, of all true sources, missed ones included"
    measures = [
        Measure("light_kept", "light_kept", "mean", f"mean share of a source's light {kept}, {band}"),
        Measure("light_gained", "light_gained", "mean", f"mean light of others in a found source's image, {band}"),
        Measure("light_lost", "light_lost", "mean", f"mean share of a source's light in images of others, {band}"),
        Measure("light_missing", "light_missing", "mean", f"mean share of a source's light in no image, {band}"),
    ]
    for name, text in (
        ("honest", "the model's flux error in the true source's aperture"),
        ("honest_of_field", "the flux error in that aperture on the field less all other models"),
        ("noise_preserving", "the change of that flux if the other models were true: no error of photometry"),
    ):
        measures += _each(f"aperture_{name}", f"aperture_{name}", ("median", *DISTANCE), f"{text}, {band}")
    return measures


def _each(name: str, column: str, statistics: Sequence[str], text: str, unit: str = "") -> list[Measure]:
    """Measures of one column, a share being without unit."""
    return [
        Measure(f"{name}_{s}", column, s, SAYS[s].format(text), "" if s == "outliers" else unit) for s in statistics
    ]
