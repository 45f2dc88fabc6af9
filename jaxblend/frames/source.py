"""What is known of a source while a frame is worked on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxblend.frames.stamps import reach_of

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Fitted", "FrameSource", "has_outlines", "sources_at", "sources_from_table", "total_model"]

Stamp = tuple[slice, slice]
_OUTLINE = ("a", "b", "theta", "npix")
_INSIDE = 1.3  # outlines: where a given position belongs to what was detected


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A source's part in the fit of its group: the ``row`` of that fit, and its image (C, h, w) on the stamp."""

    fit: Any
    row: int
    image: Float[np.ndarray, "C h w"]
    stamp: Stamp


@dataclasses.dataclass(frozen=True, eq=False)
class FrameSource:
    """A source of a frame; positions are pixels (x, y) of the whole image.

    ``seed`` is where it was detected, ``footprint`` its outline (a, b, theta), ``reach`` half of the width and height
    that its stamp must have.
    """

    seed: Float[np.ndarray, "2"]
    position: Float[np.ndarray, "2"]
    footprint: Float[np.ndarray, "3"]
    reach: Float[np.ndarray, "2"]
    star: bool = False
    fitted: Fitted | None = None

    @property
    def part(self) -> Fitted:
        """``fitted``, of a source that has been."""
        if self.fitted is None:
            raise RuntimeError("this source has not been fitted yet")
        return self.fitted

    def after(self, fitted: Fitted, position, *, sigma, shape, fwhm: float, star: bool) -> FrameSource:
        """The source after a fit. A position farther than a PSF's width from the seed is not believed."""
        position = np.asarray(position, float)
        if not np.all(np.isfinite(position)) or np.hypot(*(position - self.seed)) > max(fwhm, self.footprint[1]):
            position = self.seed
        reach = reach_of(fitted.image, sigma, fitted.stamp, position, shape)
        reach = least_reach(fwhm) if reach is None else np.maximum(reach, least_reach(fwhm))
        return dataclasses.replace(self, position=position, reach=reach, star=star, fitted=fitted)


def least_reach(fwhm: float) -> Float[np.ndarray, "2"]:
    """Half of the smallest stamp: the PSF's core and some sky around it."""
    return np.full(2, 2.0 * fwhm + 2.0)


def sources_from_table(table: Table, fwhm: float, detected: Table | None = None) -> list[FrameSource]:
    """A source per row of a table: columns x, y and, where they are known, a, b, theta, npix.

    Where they are not, a source takes the outline of what was ``detected`` around it, and is else as large as the PSF.
    """
    names = table.colnames
    if "x" not in names or "y" not in names:
        raise ValueError(f"detections need columns x and y (pixels); got {names}")
    positions = _positions(table)
    if has_outlines(table):
        return [_new(*source, fwhm) for source in zip(positions, _outlines(table), strict=True)]
    if detected is None or not len(detected):
        return sources_at(positions, fwhm)
    x, y = np.moveaxis(positions[:, None] - _positions(detected), -1, 0)
    radius = elliptical_radius(x, y, _outlines(detected).T)
    nearest = np.argmin(radius, axis=1)
    inside = radius[np.arange(len(positions)), nearest] < _INSIDE
    outlines = np.where(inside[:, None], _outlines(detected)[nearest], [0.5 * fwhm, 0.5 * fwhm, 0.0])
    return [_new(*source, fwhm) for source in zip(positions, outlines, strict=True)]


def has_outlines(table: Table) -> bool:
    """Whether a table says how far its sources reach: the columns a, b, theta and npix."""
    return set(_OUTLINE) <= set(table.colnames)


def elliptical_radius(x: Float[np.ndarray, "#n #m"], y: Float[np.ndarray, "#n #m"], outline) -> np.ndarray:
    """Distance (n, m) of offsets from a centre in units of its outline (a, b, theta)."""
    a, b, theta = outline
    along, across = x * np.cos(theta) + y * np.sin(theta), y * np.cos(theta) - x * np.sin(theta)
    return np.hypot(along / a, across / b)


def _positions(table) -> Float[np.ndarray, "n 2"]:
    return np.stack([np.asarray(table[name], float) for name in ("x", "y")], axis=1).reshape(-1, 2)


def _outlines(table) -> Float[np.ndarray, "n 3"]:
    a, b, theta, area = (np.asarray(table[name], float) for name in _OUTLINE)
    a, b = np.maximum(a, 0.5), np.maximum(b, 0.5)
    scale = np.maximum(np.sqrt(area / (np.pi * a * b)), 1.0)  # to the isophote
    return np.stack([scale * a, scale * b, theta], axis=1)


def sources_at(positions: Float[np.ndarray, "n 2"], fwhm: float) -> list[FrameSource]:
    """Sources of which only the position is known: as large as the PSF."""
    return [_new(position, np.array([0.5 * fwhm, 0.5 * fwhm, 0.0]), fwhm) for position in positions]


def total_model(sources: Sequence[FrameSource], shape: tuple[int, int, int]) -> Float[np.ndarray, "C H W"]:
    """The sum of all fitted sources."""
    model = np.zeros(shape, np.float32)
    for source in sources:
        if source.fitted is not None:
            model[(slice(None), *source.fitted.stamp)] += source.fitted.image
    return model


def _new(position, footprint, fwhm):
    a, b, theta = footprint
    box = np.hypot([a * np.cos(theta), a * np.sin(theta)], [b * np.sin(theta), b * np.cos(theta)])
    return FrameSource(position, position, footprint, 1.25 * box + least_reach(fwhm))
