"""Detection with SEP, which is SExtractor's algorithm (Bertin & Arnouts 1996; Barbary 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from jaxblend.detection.combine import combine, psf_fwhm
from jaxblend.detection.peaks import filtered_noise, gaussian_kernel, matched_filter
from jaxblend.forward.observation import Observation

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["detect"]


def detect(
    observation: Observation,
    *,
    threshold: float = 1.5,
    min_area: int = 5,
    min_snr: float = 5.0,
    deblend_contrast: float = 0.002,
    kernel_fwhm: float | None = None,
) -> Table:
    """Detect sources on the average of all bands, each in units of its noise.

    The sky is taken as subtracted. Where noise is correlated between pixels, as on resampled coadds, the observation's
    ``noise_correlation`` gives both thresholds the noise of the filtered image; without it, raise ``min_snr``.

    Parameters
    ----------
    observation
        The image; masked pixels are left out.
    threshold
        Standard deviations of the filtered image that every pixel of a source exceeds.
    min_area
        Fewest such pixels, joined, in a source.
    min_snr
        Least significance of a source's peak for a filter that matches the PSF.
    deblend_contrast
        Smallest part of the light of a group of joined pixels that is split off as a source; lower splits more.
    kernel_fwhm
        Of the Gaussian with which the image is smoothed before the threshold, in pixels. Default: half of the
        PSF's, which keeps close neighbours apart.

    Returns
    -------
    Table
        A row per source, in order of y: ``x``, ``y`` (pixels), ``flux`` and ``peak`` (in units of the typical noise of
        a pixel), ``a``, ``b`` (rms along the axes, pixels), ``theta`` (radians from x to y), ``npix``, ``snr``.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """
    _check(threshold=threshold, min_area=min_area, deblend_contrast=deblend_contrast)
    fwhm = psf_fwhm(observation)
    combined = combine(observation)
    kernel = gaussian_kernel(0.5 * fwhm if kernel_fwhm is None else kernel_fwhm)
    found = _extract(combined, threshold, min_area, deblend_contrast, kernel)
    snr = _peak_significance(matched_filter(combined, fwhm), found)
    return _table(found[snr >= min_snr], snr[snr >= min_snr])


def _check(**settings: float | int) -> None:
    for name, value in settings.items():
        if not np.isfinite(value) or value <= 0:
            raise ValueError(f"{name} must be a positive number, got {value}")


def _extract(combined, threshold, min_area, contrast, kernel) -> np.ndarray:
    """SEP's sources; its limits, which are those of the process, are raised to what the image can need."""
    import sep

    sep.set_extract_pixstack(max(sep.get_extract_pixstack(), combined.image.size))
    sep.set_sub_object_limit(max(sep.get_sub_object_limit(), 8192))
    # SEP wants native, contiguous arrays. Masked pixels have no light and the usual noise; were they given as its mask,
    # it would take the threshold of what touches one from an infinite noise, and not deblend it.
    return sep.extract(
        np.ascontiguousarray(combined.image, np.float32),
        threshold,
        err=np.ascontiguousarray(combined.noise * filtered_noise(kernel, combined.correlation), np.float32),
        minarea=int(min_area),
        filter_kernel=kernel,
        filter_type="matched",
        deblend_cont=contrast,
    )


def _peak_significance(significance, found) -> np.ndarray:
    """Largest significance in the 3 x 3 pixels around each source's peak."""
    from scipy.ndimage import maximum_filter

    return maximum_filter(significance, size=3)[found["ycpeak"], found["xcpeak"]]


def _table(found, snr) -> Table:
    from astropy.table import Table

    order = np.argsort(found["y"], kind="stable")
    columns = {name: found[name][order] for name in ("x", "y", "flux", "a", "b", "theta", "npix", "peak")}
    table = cast("Any", Table(columns))  # astropy's types do not know a column from a row
    table["snr"] = snr[order]
    table["x"].unit = table["y"].unit = table["a"].unit = table["b"].unit = "pix"
    table["theta"].unit = "rad"
    return table
