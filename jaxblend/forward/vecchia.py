"""Vecchia's approximation of stationary correlated noise: every pixel predicted from those before it, on the host.

In raster order a pixel's noise is predicted from the used pixels of a half-plane neighbourhood, and what is left over
is white. A masked pixel and one beyond the stamp are simply not among those used, so that masks and edges need nothing
more. Pixels that see the same pattern of used neighbours share one small linear system.

References: Vecchia (1988, J. R. Stat. Soc. B 50, 297); Katzfuss & Guinness (2021, Stat. Sci. 36, 124).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = [
    "correlation_at",
    "full_stencil",
    "neighbourhood",
    "power_on_grid",
    "prediction_radius",
    "whitening_coefficients",
]

_FARTHEST = 4  # pixels: 40 neighbours
_MISSED = 0.05  # of an error bar
_WIDTHS = (2.5, 4.0, 8.0)  # FWHM in pixels of the sources whose error bars decide how far neighbours are taken
_GRID = 64
_AT_ONCE = 2048  # linear systems


def neighbourhood(radius: int) -> Int[np.ndarray, "J 2"]:
    """Offsets (dy, dx) of the pixels before a pixel in raster order and within ``radius``, and (0, 0) last."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].reshape(2, -1)
    before = (y < 0) | ((y == 0) & (x <= 0))
    return np.stack([y[before], x[before]], -1)


def correlation_at(correlation: Float[np.ndarray, "h w"], lags: Int[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
    """The correlation at lags (dy, dx) in pixels; 0 beyond its array."""
    at = lags + np.array(correlation.shape) // 2
    inside = np.all((at >= 0) & (at < np.array(correlation.shape)), axis=-1)
    y, x = np.moveaxis(np.where(np.expand_dims(inside, -1), at, 0), -1, 0)
    return np.where(inside, correlation[y, x], 0.0)


def power_on_grid(correlation: Float[np.ndarray, "*C h w"]) -> Float[np.ndarray, "*C N N"]:
    """Power spectrum of unit-variance noise, 1 everywhere if it is white, on the grid of ``np.fft.fftfreq(N)``."""
    height, width = correlation.shape[-2:]
    n = max(_GRID, 4 * max(height, width))
    grid = np.zeros((*correlation.shape[:-2], n, n))
    grid[..., :height, :width] = correlation
    return np.fft.fft2(np.roll(grid, (-(height // 2), -(width // 2)), (-2, -1))).real


def prediction_radius(correlation: Float[np.ndarray, "h w"]) -> int:
    """The smallest radius at which error bars of round sources of FWHM 2.5 to 8 pixels are right to 5 %, at most 4."""
    power = power_on_grid(correlation)
    k = 2 * np.pi * np.fft.fftfreq(len(power))
    ky, kx = k[:, None], k[None, :]
    templates = [np.exp(-(ky**2 + kx**2) * (width / 2.3548) ** 2) for width in _WIDTHS]
    for radius in range(1, _FARTHEST):
        row = zip(full_stencil(correlation, radius), neighbourhood(radius), strict=True)
        response = sum(c * np.exp(1j * (ky * y + kx * x)) for c, (y, x) in row)
        precision = np.abs(response) ** 2
        # The scatter of a flux that is weighted by this precision, and the scatter that it claims.
        pulls = [np.sqrt((t * power * precision**2).sum() / (t * precision).sum()) for t in templates]
        if max(abs(pull - 1) for pull in pulls) < _MISSED:
            return radius
    return _FARTHEST


def full_stencil(correlation: Float[np.ndarray, "h w"], radius: int) -> Float[np.ndarray, " J"]:
    """Factors of the pixels at the offsets of ``neighbourhood``, where all of them are used."""
    offsets = neighbourhood(radius)
    return _solved(correlation, offsets, np.ones((1, len(offsets) - 1), bool))[0]


def whitening_coefficients(
    correlation: Float[np.ndarray, "C h w"], used: Bool[np.ndarray, "C H W"], dtype: Any = np.float32
) -> Float[np.ndarray, "C J H W"]:
    """What turns ``residual * sqrt(weight)`` into white noise of variance 1: a causal stencil for every pixel.

    Parameters
    ----------
    correlation
        (C, h, w), of the noise, positive definite, 1 in the middle.
    used
        (C, H, W), which pixels are not masked.

    Returns
    -------
    array
        (C, J, H, W): factors of the pixels at the J offsets of ``neighbourhood``; 0 where a pixel is not used.
        Read-only: stamps of one shape and one mask share it.
    """
    packed = np.packbits(np.ascontiguousarray(used)).tobytes()
    correlation = np.ascontiguousarray(correlation, float)
    return _cached(correlation.tobytes(), correlation.shape, packed, used.shape, np.dtype(dtype).str)


@functools.lru_cache(maxsize=32)
def _cached(correlation, correlation_shape, packed, shape, dtype):
    """Most stamps of a survey are not masked at all."""
    correlations = np.frombuffer(correlation).reshape(correlation_shape)
    used = np.unpackbits(np.frombuffer(packed, np.uint8), count=np.prod(shape)).astype(bool).reshape(shape)
    known: dict[bytes, int] = {}
    for band in correlations:
        known.setdefault(band.tobytes(), prediction_radius(band))
    radius = max(known.values())
    result = np.empty((shape[0], len(neighbourhood(radius)), *shape[1:]), dtype)
    first: dict[tuple[bytes, bytes], int] = {}
    for c, (band, pixels) in enumerate(zip(correlations, used, strict=True)):
        same = first.setdefault((band.tobytes(), pixels.tobytes()), c)
        result[c] = result[same] if same < c else _one_band(band, pixels, radius)
    result.setflags(write=False)
    return result


def _one_band(correlation, used, radius) -> Float[np.ndarray, "J H W"]:
    offsets, (height, width) = neighbourhood(radius), used.shape
    padded = np.pad(used, radius)
    seen = np.zeros(used.shape, np.int64)  # a bit for each neighbour
    for j, (y, x) in enumerate(offsets[:-1] + radius):
        seen |= padded[y : y + height, x : x + width].astype(np.int64) << j
    patterns, which = np.unique(seen[used], return_inverse=True)
    present = (patterns[:, None] >> np.arange(len(offsets) - 1)) & 1 > 0
    result = np.zeros((height, width, len(offsets)))
    result[used] = _solved(correlation, offsets, present)[which.reshape(-1)]
    return np.moveaxis(result, -1, 0)


def _solved(correlation, offsets, present: Bool[np.ndarray, "P n"]) -> Float[np.ndarray, "P J"]:
    """The stencils of pixels that see these of their neighbours."""
    before = offsets[:-1]
    among = correlation_at(correlation, before[:, None] - before[None, :])
    ahead = correlation_at(correlation, before)
    rows = np.empty((len(present), len(offsets)))
    for start in range(0, len(present), _AT_ONCE):
        some = present[start : start + _AT_ONCE]
        both = some[:, :, None] & some[:, None, :]
        matrices = np.where(both, among, np.eye(len(before)))
        prediction = np.linalg.solve(matrices, (some * ahead)[..., None])[..., 0]
        scatter = np.sqrt(1 - (prediction * ahead).sum(-1, keepdims=True))
        rows[start : start + _AT_ONCE] = np.concatenate([-prediction, np.ones((len(some), 1))], 1) / scatter
    return rows
