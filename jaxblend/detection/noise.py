"""The correlation of noise between pixels: measured on empty sky, or made from a power spectrum or a covariance."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Bool, Float

from jaxblend.detection.peaks import gaussian_kernel
from jaxblend.errors import JaxblendWarning
from jaxblend.forward import checks
from jaxblend.forward.noise_checks import FLOOR, with_floor
from jaxblend.forward.observation import Observation
from jaxblend.forward.vecchia import power_on_grid

__all__ = ["correlation_from_covariance", "correlation_from_power", "estimate_noise_correlation"]

_SMOOTHING = 3.0  # FWHM in pixels of the filter that sources are looked for with
_THRESHOLD = 3.0
_ROUNDS = 3  # of masking: wings show once the scatter is no longer that of what lies brighter
_GROWTH = 4  # pixels
_OUTLIER = 6.0  # standard deviations: cosmic rays and their like
_FEWEST = 500
_TRUSTED = (0.8, 1.25)  # variance of empty sky in units of what the weight says
_PROJECTIONS = 50


def estimate_noise_correlation(
    observation, weight=None, *, mask=None, reach: int = 3
) -> Float[np.ndarray, "C side side"]:
    """Measure how the noise of neighbouring pixels is correlated, on the empty sky of an image.

    Each lag's value is the mean product of pixels that far apart, in units of their noise, over all pairs of used
    pixels. Then power spectra below a hundredth of white noise's are raised to that, in turn with cutting at
    ``reach``, so that the result is positive definite.

    Parameters
    ----------
    observation
        An ``Observation``, or an image (C, H, W) or (H, W) whose sky is subtracted. The larger the better, and larger
        than a stamp: 300 x 300 empty pixels give each value to about 0.005.
    weight
        With an image: its inverse variance, in the shapes that ``Observation`` takes; the same everywhere by default.
    mask
        (C, H, W) or (H, W), True where there are sources or no data. By default sep looks for sources, which are
        masked with what surrounds them.
    reach
        Largest lag in x and y, in pixels.

    Returns
    -------
    array
        (C, 2 reach + 1, 2 reach + 1), 1 in the middle: the ``noise_correlation`` of an ``Observation``. The sampling
        error of each value is about sqrt(sum of its squares / n) from n pixels. Sources too faint to be found add to
        it at small lags, by about the part of the variance that they make up.

    Raises
    ------
    ValueError
        If too few pixels are empty, or an argument has a wrong shape.
    """
    if not isinstance(reach, (int, np.integer)) or not 1 <= reach <= 31:
        raise ValueError(f"reach must be a whole number of pixels from 1 to 31, got {reach!r}")
    pixels, used = _in_units_of_noise(observation, weight)
    known = isinstance(observation, Observation) or weight is not None
    used = used & ~(checks.mask(mask, pixels.shape) if mask is not None else _sources(pixels, used))
    return np.stack([_correlation(band, sky, int(reach), c, known) for c, (band, sky) in enumerate(zip(pixels, used))])  # noqa: B905


def correlation_from_power(power, *, reach: int = 3) -> Float[np.ndarray, "*C side side"]:
    """The correlation of noise that has a power spectrum.

    Parameters
    ----------
    power
        (N, M) or (C, N, M), at the wavenumbers of ``np.fft.fft2``, zero first; its scale does not matter. That of
        white noise convolved with a kernel is ``np.abs(np.fft.fft2(kernel, (N, M)))**2``.
    reach
        Largest lag in x and y, in pixels; what lies beyond is cut off.

    Returns
    -------
    array
        (2 reach + 1, 2 reach + 1), or (C, ...), 1 in the middle, positive definite.
    """
    array = np.asarray(power, float)
    if array.ndim not in (2, 3) or min(array.shape[-2:]) < 2 * reach + 1:
        raise ValueError(
            f"power has shape {array.shape}: give (N, M) or (C, N, M) with at least {2 * reach + 1} wavenumbers a side"
        )
    if not (array >= 0).all() or not (array.mean((-2, -1)) > 0).all():
        raise ValueError("power must be finite, at least 0 everywhere and above 0 somewhere: give abs(fft2(...))**2")
    covariance = np.roll(np.fft.ifft2(array).real, (reach, reach), (-2, -1))
    return correlation_from_covariance(covariance[..., : 2 * reach + 1, : 2 * reach + 1])


def correlation_from_covariance(covariance) -> Float[np.ndarray, "*C h w"]:
    """The correlation closest to a covariance of pixels dy, dx apart that some noise can have.

    Divided by its middle, made symmetric under point reflection, and, by projections in turn, given a power spectrum
    of at least a hundredth of white noise's without growing beyond its own array.

    Parameters
    ----------
    covariance
        (h, w) or (C, h, w) with odd h and w, lag 0 in the middle; a correlation will do as well.
    """
    array = np.asarray(covariance, float)
    if array.ndim == 3:
        return np.stack([correlation_from_covariance(band) for band in array])
    if array.ndim != 2 or any(n % 2 == 0 for n in array.shape):
        raise ValueError(f"covariance has shape {array.shape}: give (h, w) or (C, h, w) with odd h and w")
    middle = array[array.shape[0] // 2, array.shape[1] // 2]
    if not np.isfinite(array).all() or not middle > 0:
        raise ValueError(f"covariance must be finite, and the variance in its middle above 0, got {middle:g} there")
    correlation = 0.5 * (array + array[::-1, ::-1]) / middle
    for _ in range(_PROJECTIONS):
        power = power_on_grid(correlation)
        if power.min() >= FLOOR:
            break
        again = np.fft.ifft2(np.maximum(power, FLOOR)).real
        again = np.roll(again, (array.shape[0] // 2, array.shape[1] // 2), (0, 1))[: array.shape[0], : array.shape[1]]
        correlation = again / again[array.shape[0] // 2, array.shape[1] // 2]
    return with_floor(correlation)


def _in_units_of_noise(observation, weight):
    """Pixels (C, H, W) times the root of their weight, and which are not masked."""
    if isinstance(observation, Observation):
        if weight is not None:
            raise ValueError("the Observation has a weight of its own: give weight only with an image")
        image, weight = np.asarray(observation.image, float), np.asarray(observation.weight, float)
    else:
        image = checks.image(observation)
        weight = np.ones(image.shape) if weight is None else checks.weight(weight, None, image.shape)
    used = np.isfinite(image) & np.isfinite(weight) & (weight > 0)
    return np.where(used, image, 0.0) * np.sqrt(np.where(used, weight, 0.0)), used


def _sources(pixels, used) -> Bool[np.ndarray, "H W"]:
    """Where the sum of all bands, smoothed, stands out from its own scatter, which knows of any correlation."""
    import sep
    from scipy.ndimage import binary_dilation
    from scipy.signal import oaconvolve

    scale = np.array([_scatter(band[sky]) for band, sky in zip(pixels, used, strict=True)])[:, None, None]
    total = (pixels / scale).sum(0)
    smooth = oaconvolve(total, gaussian_kernel(_SMOOTHING).astype(float), mode="same")
    seen, found = used.any(0), np.zeros(used.shape[1:], bool)
    disk = np.hypot(*np.mgrid[-_GROWTH : _GROWTH + 1, -_GROWTH : _GROWTH + 1]) <= _GROWTH
    sep.set_extract_pixstack(max(sep.get_extract_pixstack(), total.size))
    for _ in range(_ROUNDS):
        sky = seen & ~found
        if sky.sum() < _FEWEST:
            break
        level, scatter = np.median(smooth[sky]), _scatter(smooth[sky])
        image = np.ascontiguousarray(np.where(seen, smooth - level, 0.0), np.float32)
        segments = sep.extract(
            image,
            _THRESHOLD * scatter,
            minarea=3,
            filter_kernel=None,
            clean=False,
            deblend_cont=1.0,
            segmentation_map=True,
        )[1]
        found = np.asarray(binary_dilation(segments > 0, disk), bool)
    return found


def _correlation(band, sky, reach, c, known) -> Float[np.ndarray, "side side"]:
    level = np.median(band[sky]) if sky.any() else 0.0
    scatter = _scatter(band[sky])
    sky = sky & (np.abs(band - level) < _OUTLIER * scatter)
    if sky.sum() < _FEWEST:
        raise ValueError(
            f"only {int(sky.sum())} of {sky.size} pixels of band {c} are empty sky, and at least {_FEWEST} are needed: "
            "take a larger image with fewer sources, or say with mask= (True = not sky) which pixels to leave out"
        )
    band = np.where(sky, band - band[sky].mean(), 0.0)
    variance = (band**2).sum() / sky.sum()
    if known and not _TRUSTED[0] < variance < _TRUSTED[1]:
        warnings.warn(
            f"empty sky of band {c} has {variance:.2f} times the variance that weight says: divide weight by that, "
            "else error bars are wrong even with the right correlation",
            JaxblendWarning,
            stacklevel=3,
        )
    result = np.ones((2 * reach + 1, 2 * reach + 1))
    for y in range(reach + 1):
        for x in range(-reach, reach + 1):
            pairs = max(_overlap(sky, sky, y, x), 1)
            mean = _overlap(band, band, y, x) / pairs
            result[reach + y, reach + x] = result[reach - y, reach - x] = mean / variance
    return correlation_from_covariance(result)


def _overlap(first, second, y: int, x: int) -> float:
    """Sum of products of the pixels (j, i) of one and (j + y, i + x) of the other."""
    height, width = first.shape
    one = first[: height - y, max(0, -x) : width - max(0, x)]
    other = second[y:, max(0, x) : width + min(0, x)]
    return float(np.vdot(one.astype(float), other.astype(float)))


def _scatter(values) -> float:
    """Robust standard deviation."""
    if values.size == 0:
        return 1.0
    return max(float(1.4826 * np.median(np.abs(values - np.median(values)))), np.finfo(float).tiny)
