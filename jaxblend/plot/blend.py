"""The picture of one fitted blend: data, model, residual, and every source on its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm

from jaxblend.plot.marks import column, draw_sources, draw_truth
from jaxblend.plot.picture import FLUX_MAP, RESIDUAL_MAP, Picture, bar_below, bare, source_colours
from jaxblend.plot.rgb import noise_per_band, rgb_scale

__all__ = ["blend", "residual_in_sigma"]

MIN_COLUMNS, MAX_COLUMNS = 5, 8
RESIDUAL_RANGE = 5.0
Show = Callable[[Axes, np.ndarray], Any]


def blend(
    fit: Any,
    *,
    truth: Any = None,
    band: str | None = None,
    observation: int = 0,
    stretch: float | None = None,
    max_sources: int = 12,
) -> Picture:
    """Draw a fitted blend: data, model and residual in units of the noise, and every source deblended.

    Parameters
    ----------
    fit : Fit
        Made by `jaxblend.fit`.
    truth : QTable or Blend, optional
        The truth of a simulated blend: its table marks the true positions; a `Blend` shows the true image of each
        source, too.
    band : str, optional
        Show this band in grey; by default a colour composite where there are two or more bands.
    observation : int
        Which observation of a joint fit.
    stretch : float, optional
        Signal, in units of the noise, up to which brightness is about linear.
    max_sources : int
        Draw no more sources on their own; the brightest are kept.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.

    Raises
    ------
    ValueError
        If there is no such band or observation.
    """
    observed = _observation(fit, observation)
    images = np.asarray(fit.image_of(observation) if len(fit.observations) > 1 else fit.images)
    model = images.sum(axis=0) if len(fit.observations) > 1 else np.asarray(fit.model)
    data = np.asarray(observed.image)
    index = band_index(observed, band)
    show = show_in_colour(observed, stretch) if index is None else show_in_grey(observed, index, stretch)

    true_images = getattr(truth, "isolated", None)
    truth = getattr(truth, "truth", truth)
    rows = _chosen_rows(fit.catalog, max_sources)
    n_lines = -(-len(rows) // MAX_COLUMNS)
    n_columns = max(-(-len(rows) // max(n_lines, 1)), MIN_COLUMNS)
    top, bottom, figure = _panels(data.shape, n_columns, n_lines * (1 if true_images is None else 2))

    colours = list(islice(source_colours(), len(fit.catalog)))
    positions = fit.positions_in(observation) if observation else None
    _draw_whole(top, show, observed, data, model, index, fit, colours, truth, positions)
    _draw_each(bottom, show, images, true_images, fit.catalog, rows, colours, observed, index)
    figure.suptitle(_title(fit, observed, index), fontsize=11, x=0.01, ha="left")
    return figure


def residual_in_sigma(data: np.ndarray, model: np.ndarray, weight: np.ndarray, index: int | None = None) -> np.ndarray:
    """Compute the residual over the noise, (H, W): of one band, or of all bands added up to unit variance again.

    Masked pixels are NaN.
    """
    chi = (np.asarray(data, float) - np.asarray(model, float)) * np.sqrt(np.asarray(weight, float))
    seen = np.asarray(weight) > 0
    if index is not None:
        return np.where(seen[index], chi[index], np.nan)
    count = seen.sum(axis=0)
    return np.where(count > 0, np.where(seen, chi, 0.0).sum(axis=0) / np.sqrt(np.maximum(count, 1)), np.nan)


def _observation(fit: Any, number: int) -> Any:
    if not 0 <= number < len(fit.observations):
        raise ValueError(f"Got observation={number}, but the fit has {len(fit.observations)}: count from 0.")
    return fit.observations[number]


def band_index(observation: Any, band: str | None) -> int | None:
    bands = list(observation.bands)
    if band is None:
        return 0 if len(bands) == 1 else None
    if band not in bands:
        raise ValueError(f"Got band {band!r}, but the observation has {bands}: name one of these.")
    return bands.index(band)


def show_in_colour(observation: Any, stretch: float | None) -> Show:
    scale = rgb_scale(observation, stretch=stretch)
    return lambda axes, image: axes.imshow(scale(image), origin="lower", interpolation="nearest")


def show_in_grey(observation: Any, index: int, stretch: float | None) -> Show:
    noise = noise_per_band(observation)[index]
    peak = float(np.nanpercentile(np.asarray(observation.image)[index], 99.9))
    norm = AsinhNorm((3.0 if stretch is None else stretch) * noise, vmin=-3.0 * noise, vmax=max(peak, 10.0 * noise))
    return lambda axes, image: axes.imshow(
        image[index], origin="lower", interpolation="nearest", cmap=FLUX_MAP, norm=norm
    )


def _chosen_rows(catalog: Any, most: int) -> list[int]:
    if len(catalog) <= most:
        return list(range(len(catalog)))
    snr = np.nan_to_num(column(catalog, "snr"))
    return sorted(np.argsort(-snr, kind="stable")[:most].tolist())


def _panels(shape: tuple[int, ...], n_columns: int, n_lines: int) -> tuple[np.ndarray, np.ndarray, Picture]:
    """Lay out three large panels above lines of small ones."""
    width, aspect = 11.0, shape[1] / shape[2]
    large = (width / 3.0) * aspect + 0.8
    small = (width / n_columns) * aspect + 0.25
    figure = Picture(figsize=(width, large + n_lines * small + 0.4), layout="constrained")
    if not n_lines:
        return np.atleast_1d(figure.subplots(1, 3)), np.empty((0, 0), object), figure
    parts: Any = figure.subfigures(2, 1, height_ratios=[large, n_lines * small])
    upper, lower = parts
    return upper.subplots(1, 3), lower.subplots(n_lines, n_columns, squeeze=False), figure


def _draw_whole(
    axes: np.ndarray,
    show: Show,
    observation: Any,
    data: np.ndarray,
    model: np.ndarray,
    index: int | None,
    fit: Any,
    colours: list[str],
    truth: Any,
    positions: np.ndarray | None,
) -> None:
    shown = show(axes[0], data)
    show(axes[1], model)
    draw_sources(axes[1], fit.catalog, observation.frame, colours, positions=positions)
    bare(axes[0], "data")
    bare(axes[1], "model, half-light ellipses")
    if truth is not None:
        marks = draw_truth(axes[0], truth)
        axes[0].legend(handles=[marks], loc="lower left", fontsize=8, framealpha=0.85)
    sigma = residual_in_sigma(data, model, observation.weight, index)
    image = axes[2].imshow(
        sigma, origin="lower", interpolation="nearest", cmap=RESIDUAL_MAP, vmin=-RESIDUAL_RANGE, vmax=RESIDUAL_RANGE
    )
    axes[2].set_facecolor("0.6")
    bare(axes[2], "residual, " + ("all bands" if index is None else str(observation.bands[index])))
    bar_below(image, axes[2], "(data - model) / noise")
    if index is not None:
        bar_below(shown, axes[1], f"flux per pixel, {observation.bands[index]}", ticks=_decades(shown.norm))


def _decades(norm: Any) -> list[float]:
    """Ticks of a scale that is linear in the noise and logarithmic above it: zero and powers of ten."""
    low, high = np.log10(norm.linear_width), np.log10(norm.vmax)
    return [0.0, *(10.0**power for power in range(int(np.ceil(low)), int(np.floor(high)) + 1))]


def _draw_each(
    axes: np.ndarray,
    show: Show,
    images: np.ndarray,
    true_images: np.ndarray | None,
    catalog: Any,
    rows: list[int],
    colours: list[str],
    observation: Any,
    index: int | None,
) -> None:
    for panel in axes.flat:
        panel.set_axis_off()
    step = 1 if true_images is None else 2
    for place, row in enumerate(rows):
        line, number = divmod(place, axes.shape[1])
        _draw_one(
            axes[line * step, number], show, images[row], _caption(catalog, row, observation, index), colours[row]
        )
        if true_images is not None and row < len(true_images):
            _draw_one(axes[line * step + 1, number], show, np.asarray(true_images[row]), "true", colours[row])


def _draw_one(axes: Axes, show: Show, image: np.ndarray, title: str, colour: str) -> None:
    axes.set_axis_on()
    show(axes, image)
    bare(axes, title)
    for spine in axes.spines.values():
        spine.set(edgecolor=colour, linewidth=2.0)


def _caption(catalog: Any, row: int, observation: Any, index: int | None) -> str:
    bands = list(observation.bands)
    band = bands[index] if index is not None else "r" if "r" in bands else bands[len(bands) // 2]
    words = [f"{_identity(catalog, row)}"]
    if f"mag_{band}" in catalog.colnames:
        words.append(f"{band} = {column(catalog, f'mag_{band}')[row]:.2f}")
    elif f"flux_{band}" in catalog.colnames:
        words.append(f"flux {band} = {column(catalog, f'flux_{band}')[row]:.3g}")
    return ", ".join(words)


def _identity(catalog: Any, row: int) -> str:
    number = int(catalog["id"][row]) if "id" in catalog.colnames else row
    return f"{number} {catalog['kind'][row]}" if "kind" in catalog.colnames else f"source {number}"


def _title(fit: Any, observation: Any, index: int | None) -> str:
    n = len(fit.catalog)
    chi2 = np.atleast_1d(np.asarray(getattr(fit, "chi2", np.nan), float))
    words = [str(observation.survey)] if getattr(observation, "survey", None) else []
    words.append(f"{n} source" + ("" if n == 1 else "s"))
    words.append(f"band {observation.bands[index]}" if index is not None else "bands " + " ".join(observation.bands))
    if np.isfinite(chi2).any() and len(fit.observations) == 1:
        value = chi2[index] if index is not None and index < len(chi2) else np.nanmean(chi2)
        words.append(f"reduced chi-square {value:.2f}")
    return ", ".join(words)
