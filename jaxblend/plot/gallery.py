"""Galleries: blends beside what several deblenders made of them, and each galaxy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine

from jaxblend.plot.blend import RESIDUAL_RANGE, Show, band_index, residual_in_sigma, show_in_colour, show_in_grey
from jaxblend.plot.marks import column, draw_truth
from jaxblend.plot.picture import RESIDUAL_MAP, Picture, bare, outlined, source_colours

__all__ = ["gallery_picture", "sources_picture"]

PANEL = 1.7  # inches
NOT_THERE = "0.85"


def gallery_picture(
    blends: Sequence[Any],
    results: Mapping[str, Sequence[Any]],
    *,
    band: str | None = None,
    residuals: bool = True,
    stretch: float | None = None,
    names: Sequence[str] | None = None,
    per_line: int = 1,
) -> Picture:
    """Draw each blend: the image, the truth, and the model and the residual of each deblender.

    Crosses are true positions, and on models those of the deblender. A model that is made of assigned pixels holds
    their noise, so that nothing is left of it in the residual.

    Parameters
    ----------
    blends : sequence of Blend or StoredBlend
        A few, with ``observation``, and ``isolated`` and ``truth`` as far as they are known.
    results : dict of sequence
        For each deblender a result for each blend: anything with ``images`` and ``catalog``, such as a `Deblended`, a
        `Fit` or a `Scene`; None where it failed. Empty for the blends alone.
    band : str, optional
        Show this band in grey; by default a colour composite where there are two or more bands.
    residuals : bool
        Whether to draw them, in units of the noise, all bands added up or the one that is shown.
    stretch : float, optional
        Signal, in units of the noise, up to which brightness is about linear.
    names : sequence of str, optional
        Of the blends; their numbers by default.
    per_line : int
        How many blends to draw side by side.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.

    Raises
    ------
    ValueError
        If there is no blend, not one result for each, none in a line, or no such band.
    """
    _check(blends, results)
    if per_line < 1:
        raise ValueError(f"Got per_line={per_line}, expected at least one blend in a line.")
    true = any(getattr(blend, "isolated", None) is not None for blend in blends)
    per_result = 2 if residuals else 1
    first = 2 if true else 1
    panels, per_line = first + per_result * len(results), min(per_line, len(blends))
    figure, grid = _grid(-(-len(blends) // per_line), per_line * panels, blends)
    lines = grid.reshape(-1, panels)
    for axes in lines[len(blends) :].ravel():
        axes.set_axis_off()
    for row, (blend, line) in enumerate(zip(blends, lines, strict=False)):
        top = row < per_line
        observation, index = blend.observation, band_index(blend.observation, band)
        show = _show(observation, index, stretch)
        show(line[0], np.asarray(observation.image))
        bare(line[0], "image" if top else "")
        line[0].set_ylabel(f"blend {row}" if names is None else names[row], fontsize=8)
        if getattr(blend, "truth", None) is not None:
            draw_truth(line[0], blend.truth)
        if true:
            light = _sum(getattr(blend, "isolated", None), observation)
            _draw_image(line[1], show, light, observation, missing="not known")
            bare(line[1], "truth" if top else "")
        for place, (name, those) in enumerate(results.items()):
            axes = line[first + per_result * place :][:per_result]
            _draw_result(axes, show, those[row], observation, index, name if top else "")
    return figure


def sources_picture(
    blend: Any,
    results: Mapping[str, Any],
    partners: Mapping[str, Any],
    *,
    band: str | None = None,
    stretch: float | None = None,
    max_sources: int = 8,
) -> Picture:
    """Draw the sources of one blend, each alone: the truth in the first line, below what each deblender has for it.

    Parameters
    ----------
    blend : Blend or StoredBlend
        With ``isolated`` images and the ``truth``.
    results : dict
        The result of each deblender, with ``images`` and ``catalog``; None where it failed.
    partners : dict of (n,) arrays of int
        For each deblender the row of its result that stands for each true source, -1 for none: a row of
        ``evaluation.blends.match.index``.
    band, stretch
        As for `gallery_picture`.
    max_sources : int
        Draw no more; those with the highest S/N are kept.

    Returns
    -------
    Picture
        A matplotlib figure; ``.save(path)`` writes it.

    Raises
    ------
    ValueError
        If the blend has no sources or no isolated images, or there is no such band.
    """
    if getattr(blend, "isolated", None) is None or not len(blend.isolated):
        raise ValueError("the blend has no images of isolated sources: simulate it with them, or draw gallery_picture")
    observation, index = blend.observation, band_index(blend.observation, band)
    show = _show(observation, index, stretch)
    rows = _brightest(blend.truth, max_sources)
    figure, grid = _grid(1 + len(results), len(rows) + 1, [blend])
    show(grid[0, 0], np.asarray(observation.image))
    bare(grid[0, 0], "image")
    draw_truth(grid[0, 0], blend.truth)
    grid[0, 0].set_ylabel("truth", fontsize=9)
    colours = list(islice(source_colours(), len(rows)))
    for axes, row, colour in zip(grid[0, 1:], rows, colours, strict=True):
        show(axes, np.asarray(blend.isolated[row]))
        bare(axes, _about(blend.truth, row))
        _frame(axes, colour)
    for line, (name, result) in zip(grid[1:], results.items(), strict=True):
        images = None if result is None else _images(result, observation)
        _draw_image(line[0], show, None if images is None else images.sum(axis=0), observation, missing="failed")
        line[0].set_ylabel(name, fontsize=9)
        for axes, row, colour in zip(line[1:], rows, colours, strict=True):
            partner = -1 if images is None or len(partners[name]) <= row else int(partners[name][row])
            _draw_image(axes, show, images[partner] if images is not None and partner >= 0 else None, observation)
            _frame(axes, colour)
    return figure


def _check(blends: Sequence[Any], results: Mapping[str, Sequence[Any]]) -> None:
    if not len(blends):
        raise ValueError("nothing to draw: give at least one blend")
    for name, those in results.items():
        if len(those) != len(blends):
            raise ValueError(f"Got {len(those)} results of {name} for {len(blends)} blends: give one for each, or None")


def _grid(n_lines: int, n_columns: int, blends: Sequence[Any]) -> tuple[Picture, np.ndarray]:
    height, width = blends[0].observation.shape
    aspect = height / width
    figure = Picture(
        figsize=(PANEL * n_columns + 0.3, PANEL * aspect * n_lines + 0.4),
        layout=ConstrainedLayoutEngine(wspace=0.02, hspace=0.02, w_pad=0.02, h_pad=0.02),
    )
    return figure, figure.subplots(n_lines, n_columns, squeeze=False)


def _show(observation: Any, index: int | None, stretch: float | None) -> Show:
    return show_in_colour(observation, stretch) if index is None else show_in_grey(observation, index, stretch)


def _draw_result(axes: Any, show: Show, result: Any, observation: Any, index: int | None, name: str) -> None:
    """The model, and the residual where there are axes for it."""
    model = None if result is None else _images(result, observation).sum(axis=0)
    _draw_image(axes[0], show, model, observation, missing="failed")
    bare(axes[0], name)
    if result is not None:
        _mark(axes[0], result.catalog)
    for panel in axes[1:]:
        bare(panel, "residual" if name else "")
        if model is None:
            _empty(panel, observation, "")
            continue
        sigma = residual_in_sigma(observation.image, model, observation.weight, index)
        panel.imshow(
            sigma, origin="lower", interpolation="nearest", cmap=RESIDUAL_MAP, vmin=-RESIDUAL_RANGE, vmax=RESIDUAL_RANGE
        )
        panel.set_facecolor("0.6")


def _draw_image(axes: Axes, show: Show, image: Any, observation: Any, *, missing: str = "not found") -> None:
    """An image, or the word for why there is none."""
    if image is None:
        _empty(axes, observation, missing)
    else:
        show(axes, np.asarray(image))
    bare(axes)


def _empty(axes: Axes, observation: Any, word: str) -> None:
    height, width = observation.shape
    axes.set_facecolor(NOT_THERE)
    axes.set_box_aspect(height / width)
    axes.annotate(word, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", fontsize=8, color="0.4")


def _mark(axes: Axes, catalog: Any) -> None:
    limits = axes.get_xlim(), axes.get_ylim()
    axes.plot(column(catalog, "x"), column(catalog, "y"), "x", color="white", ms=4, mew=1, path_effects=outlined(2.0))
    axes.set(xlim=limits[0], ylim=limits[1])


def _frame(axes: Axes, colour: str) -> None:
    for spine in axes.spines.values():
        spine.set(edgecolor=colour, linewidth=2.0)


def _images(result: Any, observation: Any) -> Float[np.ndarray, "n C H W"]:
    """The image of each source on all pixels, of results that have them so, or as stamps with their places."""
    images = result.images
    if isinstance(images, np.ndarray) or not isinstance(images, list | tuple):
        return np.asarray(images)
    whole = np.zeros((len(images), *np.shape(observation.image)), np.float32)
    for row, (stamp, (rows, columns)) in enumerate(images):
        whole[row, :, rows, columns] = stamp
    return whole


def _sum(isolated: Any, observation: Any) -> Any:
    if isolated is None:
        return None
    return np.sum(isolated, axis=0) if len(isolated) else np.zeros_like(np.asarray(observation.image))


def _brightest(truth: Any, most: int) -> list[int]:
    order = np.argsort(-np.nan_to_num(column(truth, "snr", 0.0)), kind="stable")
    return sorted(order[:most].tolist())


def _about(truth: Any, row: int) -> str:
    words = [str(truth["kind"][row])] if "kind" in truth.colnames else [f"source {row}"]
    if "snr" in truth.colnames:
        words.append(f"S/N {column(truth, 'snr')[row]:.0f}")
    return ", ".join(words)
