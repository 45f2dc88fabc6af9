"""Checks at the door of what is known of the noise beside its variance: correlation between pixels, and photons."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxblend.forward.vecchia import power_on_grid

__all__ = ["FLOOR", "gain", "noise_correlation", "with_floor"]

#: Least power of a correlated noise, that of white noise being 1. Below it the noise would count as known at some
#: wavenumbers, to an accuracy that neither neighbours nor 32-bit arithmetic can use.
FLOOR = 0.01
_ROUNDING = 0.01  # of the centre, and below 0 of the power: tables are often given with two digits
_LONGEST = 31


def noise_correlation(value, n_bands: int) -> Float[np.ndarray, "C h w"] | None:
    """(C, h, w), centre 1, point-symmetric, with a power spectrum of at least ``FLOOR``; None if the noise is white."""
    if value is None:
        return None
    array = _real("noise_correlation", value)
    expected = f"give (h, w) or ({n_bands}, h, w) with odd h and w, and the 1 of a pixel with itself in the middle"
    if not np.isfinite(array).all():
        raise ValueError(f"noise_correlation has {int((~np.isfinite(array)).sum())} NaN or infinite values: {expected}")
    if array.ndim == 2:
        array = np.broadcast_to(array, (n_bands, *array.shape))
    if array.ndim != 3 or len(array) != n_bands or any(n % 2 == 0 for n in array.shape[1:]):
        raise ValueError(f"noise_correlation has shape {np.shape(value)}: {expected}")
    if max(array.shape[1:]) > 2 * _LONGEST + 1:
        raise ValueError(
            f"noise_correlation is {array.shape[1]} x {array.shape[2]}: at most {_LONGEST} pixels to each side of its "
            "middle are taken; cut it where it has fallen to 0"
        )
    for c, band in enumerate(array):
        _check_band(band, c)
    array = np.stack([with_floor(0.5 * (band + band[::-1, ::-1])) for band in array])
    array = _trimmed(array)
    return None if array.shape[1:] == (1, 1) else array


def with_floor(correlation: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The correlation of the same noise with as much white noise in it as lifts its power spectrum to ``FLOOR``."""
    lowest = power_on_grid(correlation).min()
    result = correlation * min(1.0, (1 - FLOOR) / (1 - lowest)) if lowest < 1 else np.array(correlation)
    result[result.shape[0] // 2, result.shape[1] // 2] = 1.0
    return result


def gain(value, n_bands: int) -> Float[np.ndarray, " C"] | None:
    """(C,) photons per unit of flux; infinite where photons add no noise."""
    if value is None:
        return None
    array = _real("gain", value)
    if array.shape not in ((), (1,), (n_bands,)) or not (array > 0).all():
        raise ValueError(
            f"gain must be a number of photons per unit of flux, above 0, or one per band ({n_bands}), got {value}"
        )
    return np.array(np.broadcast_to(array, (n_bands,)))


def _check_band(band, c):
    middle = band[band.shape[0] // 2, band.shape[1] // 2]
    if abs(middle - 1) > _ROUNDING:
        raise ValueError(
            f"noise_correlation of band {c} is {middle:.4g} in its middle, where a pixel with itself has 1: "
            "if it is a covariance, give jb.correlation_from_covariance(covariance); the variance comes from weight"
        )
    skew = np.abs(band - band[::-1, ::-1]).max()
    if skew > _ROUNDING:
        raise ValueError(
            f"noise_correlation of band {c} differs by {skew:.2g} between (dx, dy) and (-dx, -dy), which are the same "
            "pairs of pixels: its middle must be lag 0; give the mean of it and its point reflection"
        )
    lowest = power_on_grid(band).min()
    if lowest < -_ROUNDING:
        raise ValueError(
            f"noise_correlation of band {c} is no noise's: its power spectrum falls to {lowest:.2g} (white noise has "
            "1 everywhere), as that of a measured or a cut-off correlation may; jb.correlation_from_covariance(...) of "
            "it gives one close by that is positive definite"
        )


def _trimmed(array):
    """Without zeros around it: they would cost, and be another shape to compile for."""
    while array.shape[1] > 1 and not array[:, 0].any():
        array = array[:, 1:-1]
    while array.shape[2] > 1 and not array[:, :, 0].any():
        array = array[:, :, 1:-1]
    return array


def _real(name, value):
    try:
        if np.iscomplexobj(value):
            raise TypeError
        return np.asarray(value, float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be real numbers, got {type(value).__name__}") from None
