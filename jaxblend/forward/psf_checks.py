"""Checks of a sampled PSF: its shape, its values, and where its centre is."""

from __future__ import annotations

import numpy as np

from jaxblend.forward.sampled_psf import ImagePSF

__all__ = ["checked_image_psf", "sampled_psf"]

_OFF_CENTRE = 0.1  # image pixels
_SUMS = (1e-6, 1e6)  # a PSF in counts of a star passes, with a warning; what float32 cannot square does not


def sampled_psf(value, n_bands, includes_pixel, oversampling, report) -> ImagePSF:
    """An ``ImagePSF`` from an array (h, w), (C, h, w) or (K, C, h, w), or a list of one array per band."""
    if not isinstance(oversampling, (int, float, np.integer, np.floating)) or not oversampling >= 1 or oversampling % 1:
        raise ValueError(f"psf_oversampling must be a whole number of at least 1, got {oversampling!r}")
    array = _stack(value)
    if array.ndim == 2:
        array = array[None]
    if array.ndim not in (3, 4) or array.shape[-3] not in (1, n_bands) or min(array.shape[-2:]) < 1:
        raise ValueError(
            f"psf has shape {array.shape}: give (h, w), ({n_bands}, h, w) or (sources, {n_bands}, h, w) "
            f"for an image of {n_bands} bands"
        )
    array = np.repeat(array, n_bands // array.shape[-3], axis=-3)
    _check_values(array, report)
    centre = _centre(array, int(oversampling), report)
    return ImagePSF(
        array.astype(np.float32), oversampling=int(oversampling), includes_pixel=includes_pixel, centre=centre
    )


def checked_image_psf(value: ImagePSF, n_bands, report) -> ImagePSF:
    """An ``ImagePSF`` that a user made, with its values checked; its centre is left as it was given."""
    shape = np.shape(value.image)
    if len(shape) not in (3, 4) or shape[-3] != n_bands:
        raise ValueError(
            f"psf is an ImagePSF of shape {shape}: give ({n_bands}, h, w) or (sources, {n_bands}, h, w) "
            f"for an image of {n_bands} bands"
        )
    _check_values(np.asarray(value.image), report)
    return value


def _stack(value):
    """One array; bands of different sizes are padded about their centres."""
    try:
        if isinstance(value, (list, tuple)):
            parts = [np.asarray(v, float) for v in value]
            if len({p.shape for p in parts}) > 1 and all(p.ndim == 2 for p in parts):
                if len({n % 2 for p in parts for n in p.shape}) > 1:
                    raise ValueError(f"psf arrays of shapes {[p.shape for p in parts]}: make all sides odd")
                size = np.max([p.shape for p in parts], axis=0)
                parts = [np.pad(p, [((n - m) // 2,) * 2 for n, m in zip(size, p.shape, strict=True)]) for p in parts]
            value = np.stack(parts)
        return np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"psf must be numbers, a 2-D array per band, or a PSF object: {error}") from None


def _check_values(array, report):
    with np.errstate(over="ignore"):
        infinite = ~np.isfinite(array.astype(np.float32))
    if infinite.any():
        raise ValueError(f"psf has {int(infinite.sum())} NaN or infinite values: it must be finite")
    total = array.sum((-2, -1))
    if np.any(total <= 0):
        raise ValueError(f"psf sums to {total.min():.3g} in a band: it must be positive, close to 1")
    if np.any(total < _SUMS[0]) or np.any(total > _SUMS[1]) or np.abs(array).max() > _SUMS[1]:
        raise ValueError(
            f"psf sums to {total.min():.3g} to {total.max():.3g}, its largest value is {np.abs(array).max():.3g}: "
            "divide it by its sum, which is 1 for a PSF of unit flux"
        )
    if np.any((total < 0.8) | (total > 1.1)):
        report.append(
            f"psf sums to {total.min():.4g} to {total.max():.4g}: it is used as it is, so fluxes are divided by that; "
            "a PSF of unit flux sums to 1, less what its stamp cuts off"
        )


def _centre(array, oversampling, report):
    """Offset (..., 2) in samples of each PSF's origin from the middle of its array."""
    offset = _core_centroid(array)
    even = [n % 2 == 0 for n in array.shape[:-3:-1]]  # x, y
    far = np.abs(offset).max(-1) > _OFF_CENTRE * oversampling
    if any(even):
        report.append(
            f"psf has an even side ({array.shape[-2]} x {array.shape[-1]}), so no pixel is its centre: "
            f"its centroid is used, {_span(offset)} samples (x, y) from the middle of the array"
        )
        return offset
    if far.any():
        report.append(f"psf is off centre by up to {_span(offset)} samples (x, y): its centroid is used as its origin")
        return np.where(far[..., None], offset, 0.0).astype(np.float32)
    return np.zeros_like(offset)


def _span(offset):
    flat = offset.reshape(-1, 2)
    worst = flat[np.argmax(np.abs(flat).max(1))]
    return f"({worst[0]:+.2f}, {worst[1]:+.2f})"


def _core_centroid(array):
    """Centroid under a window that follows it, so that the wings and the cut of the stamp do not matter."""
    height, width = array.shape[-2:]
    y, x = np.mgrid[:height, :width]
    flat = np.clip(array, 0, None).reshape(-1, height, width)
    peak = flat.reshape(len(flat), -1).argmax(1)
    centre = np.stack([peak % width, peak // width], -1).astype(float)
    area = flat.sum((1, 2)) / flat.max((1, 2))  # samples under the core
    width2 = np.maximum(area, 2.0)[:, None, None] / 2
    for _ in range(20):
        r2 = (x - centre[:, :1, None]) ** 2 + (y - centre[:, 1:, None]) ** 2
        window = flat * np.exp(-r2 / (2 * width2))
        norm = window.sum((1, 2))
        step = np.stack(
            [(window * (q - centre[:, i, None, None])).sum((1, 2)) / norm for i, q in enumerate((x, y))], -1
        )
        # A Gaussian window of the core's own width halves the step: move twice as far.
        centre = centre + 1.5 * step
        if np.abs(step).max() < 1e-4:
            break
    offset = centre - np.array([(width - 1) / 2, (height - 1) / 2])
    return offset.reshape(*array.shape[:-2], 2).astype(np.float32)
