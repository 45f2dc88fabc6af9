"""Point-like excesses: the significance of a source at every pixel, and its peaks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxblend.detection.combine import Combined

__all__ = ["excesses", "filtered_noise", "gaussian_kernel", "matched_filter"]

Pixels = Float[np.ndarray, "H W"]
_SEEN = 0.1  # of the filter's squares, on pixels with data
_ROUNDING = 1e-12  # of the largest inverse variance: below it transforms leave rounding errors alone


def gaussian_kernel(fwhm: float) -> np.ndarray:
    """A Gaussian of sum 1 on an odd square of pixels out to 1.5 FWHM, never less than 3 x 3; ``fwhm`` in pixels."""
    half = max(1, int(np.ceil(1.5 * fwhm)))
    sigma = max(fwhm, 0.5) / (2 * np.sqrt(2 * np.log(2)))
    profile = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    kernel = np.outer(profile, profile)
    return (kernel / kernel.sum()).astype(np.float32)


def filtered_noise(kernel: Float[np.ndarray, "a b"], correlation: Float[np.ndarray, "h w"] | None) -> float:
    """How much larger the noise of a filtered image is where its noise is correlated than where it is white.

    The variance of a sum is the sum of the products of the kernel's values and the correlation at their distance.
    """
    if correlation is None:
        return 1.0
    from scipy.signal import convolve2d

    kernel = np.asarray(kernel, float)
    return float(np.sqrt(np.sum(kernel * convolve2d(kernel, correlation, mode="same")) / np.sum(kernel**2)))


def matched_filter(combined: Combined, fwhm: float) -> Pixels:
    """Significance, in units of the noise, of a point source at each pixel, of a filter that is best in white noise."""
    from scipy.signal import oaconvolve

    kernel = gaussian_kernel(fwhm).astype(float)
    weight = np.where(combined.masked, 0.0, combined.noise**-2)
    signal = oaconvolve(weight * combined.image, kernel, mode="same")
    variance = oaconvolve(weight, kernel**2, mode="same")
    # Where nearly all of the kernel is masked, nothing can be said. A low weight is no mask: bright cores have it.
    seen = oaconvolve(np.where(combined.masked, 0.0, 1.0), kernel**2, mode="same") > _SEEN * np.sum(kernel**2)
    enough = seen & ~combined.masked & (variance > _ROUNDING * variance.max())
    noise = np.sqrt(np.where(enough, variance, 1.0)) * filtered_noise(kernel, combined.correlation)
    return np.where(enough, signal / noise, 0.0)


def excesses(
    residual: Pixels,
    model: Pixels,
    known: Float[np.ndarray, "n 2"],
    *,
    fwhm: float,
    min_snr: float = 5.0,
    model_error: float = 0.1,
) -> Float[np.ndarray, "m 2"]:
    """Peaks of a residual that no known source explains, the most significant first.

    Parameters
    ----------
    residual, model
        (H, W), matched-filter significance of data - model and of the model.
    known
        (n, 2), pixels (x, y) of the sources in the model.
    fwhm
        Of the PSF, in pixels. A peak within half of it of a known source counts only if it is three times as
        significant as others need be.
    min_snr
        Least significance.
    model_error
        Fraction of the model's light that is added, in quadrature, to the noise: the spiral arms of a bright galaxy
        are not sources.

    Returns
    -------
    array
        (m, 2), pixels (x, y), to a fraction of a pixel.
    """
    from scipy.ndimage import maximum_filter
    from scipy.spatial import KDTree

    significance = residual / np.hypot(1.0, model_error * np.maximum(model, 0.0))
    width = 2 * int(np.ceil(0.5 * fwhm)) + 1
    peak = (significance >= min_snr) & (significance == maximum_filter(significance, size=width))
    rows, columns = np.nonzero(peak)
    if len(known) and len(rows):
        near = np.asarray(KDTree(known).query(np.stack([columns, rows], axis=1))[0]) < 0.5 * fwhm
        keep = ~near | (significance[rows, columns] >= 3 * min_snr)
        rows, columns = rows[keep], columns[keep]
    order = np.argsort(-significance[rows, columns], kind="stable")
    found = [_parabola(significance, y, x) for y, x in zip(rows[order].tolist(), columns[order].tolist(), strict=True)]
    return np.array(found, float).reshape(-1, 2)


def _parabola(values: Pixels, y: int, x: int) -> tuple[float, float]:
    """Maximum (x, y) of the parabolas through a peak and its neighbours."""

    def offset(line, i):
        if i == 0 or i == len(line) - 1:
            return 0.0
        curvature = line[i - 1] - 2 * line[i] + line[i + 1]
        return 0.0 if curvature >= 0 else float(np.clip(0.5 * (line[i - 1] - line[i + 1]) / curvature, -0.5, 0.5))

    return x + offset(values[y], x), y + offset(values[:, x], y)
