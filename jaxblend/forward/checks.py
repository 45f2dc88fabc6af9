"""Checks at the door: every message says what was given, what was expected and what to do."""

from __future__ import annotations

import numpy as np

from jaxblend.forward.psf import AbstractPSF
from jaxblend.forward.psf_checks import checked_image_psf, sampled_psf
from jaxblend.forward.sampled_psf import ImagePSF

__all__ = ["bands", "image", "mask", "positions", "psf", "usable", "weight", "zero_point"]

_MAX_SIGNAL_TO_NOISE = 1e9  # of a pixel; far beyond any detector, and its square is still a float32
_MAX_WEIGHT_RATIO = 1e10  # of a pixel's weight to the median of its band
_NOISE = (1e-15, 1e9)  # of a pixel: squares of fluxes are then float32, too
_ZERO_POINT = 100.0


def image(value) -> np.ndarray:
    """(C, H, W) float32; a single band may come as (H, W)."""
    array = _numbers("image", value)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"image must be (bands, y, x) or (y, x) and not empty, got shape {np.shape(value)}")
    if min(array.shape[1:]) < 4:
        raise ValueError(f"image is {array.shape[1]} x {array.shape[2]} pixels: at least 4 x 4 are needed")
    return array


def weight(weight, variance, shape) -> np.ndarray:
    """(C, H, W) inverse variance, from a weight or a variance of any accepted shape."""
    if (weight is None) == (variance is None):
        given = "neither" if weight is None else "both"
        raise ValueError(f"give either weight (inverse variance) or variance: {given} was given")
    name, value = ("weight", weight) if variance is None else ("variance", variance)
    array = _per_pixel(name, value, shape)
    if np.any(array < 0):
        raise ValueError(
            f"{name} has {int(np.sum(array < 0))} negative values (lowest {np.nanmin(array):.3g}): "
            f"it must be >= 0; set pixels to be ignored to 0"
        )
    if variance is not None:
        with np.errstate(divide="ignore", over="ignore"):
            array = np.where(array > 0, 1 / array, 0)
    return array


def mask(value, shape) -> np.ndarray:
    """(C, H, W) bool, True where masked."""
    if value is None:
        return np.zeros(shape, bool)
    array = np.asarray(value)
    if array.dtype.kind not in "biu":
        raise ValueError(f"mask must be boolean or integer (non-zero = masked), got dtype {array.dtype}")
    return _broadcast("mask", array != 0, shape)


def usable(image, weight, masked, report):
    """Image and weight with every unusable pixel set to 0 and 0; complains if none is left."""
    _check_unit(np.where(masked, 0, weight))
    weight, absurd = _without_absurd(weight, masked)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite here, and is then counted
        image, weight = image.astype(np.float32), weight.astype(np.float32)
    bad_image = ~np.isfinite(image)
    bad_weight = ~np.isfinite(weight) & ~absurd
    lost = bad_image & (weight != 0) & ~masked
    if lost.any():
        report.append(f"{int(lost.sum())} of {image.size} pixels of the image are NaN or infinite: given weight 0")
    # An infinite variance, weight 0, is a usual way to mask; an infinite weight is not, nor is NaN.
    if bad_weight.any():
        report.append(f"{int(bad_weight.sum())} of {weight.size} weights are NaN or infinite: set to 0")
    if absurd.any():
        report.append(
            f"{int(absurd.sum())} of {weight.size} weights are over {_MAX_WEIGHT_RATIO:.0e} times the median of their "
            "band: set to 0"
        )
    bad = bad_image | ~np.isfinite(weight) | masked
    image, weight = np.where(bad, 0, image), np.where(bad, 0, weight)
    if not (weight > 0).any():
        raise ValueError(
            f"no usable pixel: of {image.size}, {int(masked.sum())} are masked, {int(bad_image.sum())} not finite and "
            f"{int((weight == 0).sum())} of weight 0; check the mask (True = ignore) and the weight (inverse variance)"
        )
    for c in np.flatnonzero(~(weight > 0).any((1, 2))):
        report.append(f"band {c} has no usable pixel: its fluxes come from the prior alone")
    loudest = np.max(np.abs(image.astype(float)) * np.sqrt(weight))
    if loudest > _MAX_SIGNAL_TO_NOISE:
        raise ValueError(
            f"a pixel is {loudest:.1e} times its own noise (largest image {np.abs(image).max():.1e}, largest weight "
            f"{weight.max():.1e}): check that weight is the inverse variance in the image's unit, and mask pixels "
            "that hold no data"
        )
    return _without_fillers(image, weight), weight


def _check_unit(weight):
    """Refuse units in which the noise is too small or too large a number for float32."""
    for c, band in enumerate(weight):
        usable = band[(band > 0) & np.isfinite(band)]
        noise = np.median(usable) ** -0.5 if len(usable) else 1.0
        if not _NOISE[0] <= noise <= _NOISE[1]:
            power = int(np.round(-np.log10(noise)))
            raise ValueError(
                f"a pixel's noise in band {c} is {noise:.1e}, from a median weight of {np.median(usable):.1e}: "
                f"32-bit arithmetic needs {_NOISE[0]:.0e} to {_NOISE[1]:.0e}. Check that weight is the inverse "
                f"variance; if it is, change the unit: image times 1e{power}, weight times 1e{-2 * power}, zero_point "
                f"plus {2.5 * power:g}"
            )


def _without_absurd(weight, masked):
    """Weights with NaN in place of what would outweigh all other pixels of its band together; where that is."""
    positive = np.where((weight > 0) & ~masked & np.isfinite(weight), weight, np.nan)
    absurd = np.zeros(weight.shape, bool)
    for c, band in enumerate(positive):
        if np.isfinite(band).any():
            absurd[c] = band > _MAX_WEIGHT_RATIO * np.nanmedian(band)
    return np.where(absurd, np.nan, weight), absurd


def _without_fillers(image, weight):
    """Pixels of weight 0 stay to be looked at, unless they hold a number that is no light: its square may be none."""
    typical = np.array([np.median(w[w > 0]) if (w > 0).any() else 1.0 for w in weight])[:, None, None]
    limit = np.minimum(_MAX_SIGNAL_TO_NOISE / np.sqrt(typical), 1e18)
    return np.where((weight == 0) & (np.abs(image) > limit), 0, image)


def psf(value, n_bands, includes_pixel, oversampling, report) -> AbstractPSF:
    """A PSF object for n_bands."""
    if value is None:
        raise ValueError("psf is missing: give the effective PSF as an array per band, or e.g. MoffatPSF(fwhm, beta)")
    if not isinstance(value, AbstractPSF):
        return sampled_psf(value, n_bands, includes_pixel, oversampling, report)
    if isinstance(value, ImagePSF):
        return checked_image_psf(value, n_bands, report)
    if value.n_bands not in (None, n_bands):
        raise ValueError(f"psf has {value.n_bands} bands, the image has {n_bands}")
    return value


def bands(value, n_bands) -> tuple[str, ...]:
    """A distinct name per band."""
    if value is None:
        return tuple(f"band{i}" for i in range(n_bands))
    if not isinstance(value, (str, list, tuple)):
        raise ValueError(f"bands must be a string or a list of names, got {value!r}")
    names = (value,) if isinstance(value, str) and n_bands == 1 else tuple(value)
    if len(names) != n_bands or not all(isinstance(b, str) and b for b in names):
        raise ValueError(f"bands {value!r} name {len(names)} bands, the image has {n_bands}")
    if len(set(names)) != n_bands:
        raise ValueError(f"bands {value!r} are not distinct: each names a column of the catalogue")
    return names


def zero_point(value, n_bands) -> np.ndarray | None:
    """(C,) AB zero points, or None."""
    if value is None:
        return None
    array = _numbers("zero_point", value)
    if array.shape not in ((), (1,), (n_bands,)) or not np.isfinite(array).all():
        raise ValueError(f"zero_point must be a finite number or one per band ({n_bands}), got {value}")
    if np.abs(array).max() > _ZERO_POINT:
        raise ValueError(f"zero_point is the AB magnitude of one unit of flux, -100 to 100, got {value}")
    return np.array(np.broadcast_to(array, (n_bands,)))


def positions(value, name="positions") -> np.ndarray:
    """(n, 2) finite numbers."""
    array = _numbers(name, value)
    if array.size == 0:
        raise ValueError(f"{name} is empty: give at least one source as (n, 2), x then y")
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"{name} must be (n, 2), x then y, got shape {array.shape}")
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array).all(1))
        raise ValueError(f"{name} of sources {bad[:10].tolist()} are not finite: remove them or give numbers")
    return array


def _numbers(name, value):
    try:
        if np.iscomplexobj(value):
            raise TypeError
        array = np.ma.filled(np.ma.asarray(value, float), np.nan)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of real numbers, got {type(value).__name__}") from None
    return array


def _per_pixel(name, value, shape):
    array = _numbers(name, value)
    if array.ndim == 1 and array.shape == shape[:1]:
        array = array[:, None, None]
    return _broadcast(name, array, shape)


def _broadcast(name, array, shape):
    if array.shape in ((), shape, shape[1:], (shape[0], 1, 1)):
        return np.broadcast_to(array, shape)
    raise ValueError(
        f"{name} has shape {array.shape}, the image {shape}: give {shape}, {shape[1:]}, ({shape[0]},) or a number"
    )
