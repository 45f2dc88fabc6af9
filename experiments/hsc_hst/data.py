"""The HSC and HST cutouts of one patch of sky: their noise, their background and their relative astrometry."""

import warnings
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from scipy.ndimage import binary_dilation
from scipy.signal import oaconvolve
from scipy.stats import median_abs_deviation

import jaxblend as jb

HSC_BANDS, HST_BANDS = "grizy", ("F814W",)
MARGIN = 0.6  # arcsec around light that are kept out of the sky
LEAST_SNR = 20.0  # of a detection: the noise is correlated, which `detect` does not know
CONTRAST = 0.02  # of what is parted on the HST image: the knots of one irregular galaxy stay together

robust_rms = partial(median_abs_deviation, scale="normal")


class Sky(NamedTuple):
    """Of one band: the median that was taken away, the rms of a pixel, and the correlation of neighbours."""

    level: float
    rms: float
    correlation: float


def read(folder, name, bands):
    """One instrument's observation, and its sky per band; noise and background are measured on the sky."""
    folder = Path(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        path = folder / f"Cut_{name}.fits"
        image, wcs = np.asarray(fits.getdata(path), float), WCS(fits.getheader(path), naxis=2)
    psf = np.asarray(fits.getdata(folder / f"PSF_{name}.fits"), float)
    image, psf = (array.reshape(-1, *array.shape[-2:]) for array in (image, psf))
    scale = 3600 * np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix)))
    where = sky_pixels(image, psf, margin=round(MARGIN / scale))
    skies = [_sky(band, where) for band in image]
    level, rms = (np.array([getattr(sky, field) for sky in skies]) for field in ("level", "rms"))
    image = image - level[:, None, None]
    return jb.Observation(image, rms**-2.0, psf, wcs=wcs, bands=bands, survey=name), skies


def sky_pixels(image, psf, *, margin, threshold=3.0):
    """Pixels (H, W) away from light: twice filtered with the PSF, with the level and noise of the first sky."""
    sky = np.ones(image.shape[1:], bool)
    for _ in range(2):
        filtered = np.zeros(sky.shape)
        for band, kernel in zip(image, psf, strict=True):
            smooth = oaconvolve(band, kernel[::-1, ::-1], mode="same")
            # The scatter of the filtered sky itself: with correlated noise it is more than the pixels' would give.
            filtered += (smooth - np.median(smooth[sky])) / robust_rms(smooth[sky])
        sky = np.logical_not(binary_dilation(filtered / np.sqrt(len(image)) > threshold, iterations=margin))
    return sky


def detect(hsc, hst):
    """Right ascension and declination (n, 2): HST's detections, then HSC's outside of the HST image; how many of HST.

    The HST image decides wherever it reaches, since HSC merges what it parts.
    """
    sharp, wide = jb.detect(hst, min_snr=LEAST_SNR, deblend_contrast=CONTRAST), jb.detect(hsc, min_snr=LEAST_SNR)
    on_sky = [_on_sky(observation, table) for observation, table in ((hst, sharp), (hsc, wide))]
    x, y = np.moveaxis(pixels(hst, on_sky[1]), -1, 0)
    height, width = hst.shape
    outside = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
    return np.concatenate([on_sky[0], on_sky[1][outside]]), len(sharp)


def align(hsc, hst, positions, n_shared):
    """HST's observation with its WCS moved onto HSC's, and the move (2,) in arcsec towards east and north.

    The move is that of the most isolated source that both images show, fitted in each.
    """
    shared = positions[:n_shared]
    scale = np.array([np.cos(np.radians(shared[:, 1].mean())), 1.0]) * 3600
    apart = np.hypot(*np.moveaxis((shared[:, None] - shared[None]) * scale, -1, 0)) + 1e9 * np.eye(n_shared)
    alone = int(apart.min(axis=1).argmax())
    fits_ = [jb.fit(o, pixels(o, p)) for o, p in ((hsc, positions), (hst, shared))]
    found = np.stack([[_values(fit.catalog, name)[alone] for name in ("ra", "dec")] for fit in fits_])
    move = found[0] - found[1]
    wcs = hst.wcs.deepcopy()
    wcs.wcs.crval = wcs.wcs.crval + move
    moved = jb.Observation(hst.image, hst.weight, hst.psf, wcs=wcs, bands=hst.bands, survey=hst.survey)
    return moved, move * scale


def _sky(band, where):
    chi = band[where] - np.median(band[where])
    pairs = where[:, 1:] & where[:, :-1]
    correlation = np.corrcoef(band[:, 1:][pairs], band[:, :-1][pairs])[0, 1]
    return Sky(float(np.median(band[where])), float(robust_rms(chi)), float(correlation))


def _on_sky(observation, table):
    return np.stack(observation.wcs.pixel_to_world_values(*(_values(table, n) for n in ("x", "y"))), -1)


def pixels(observation, sky):
    """Pixels (n, 2) of right ascension and declination (n, 2)."""
    return np.stack(observation.wcs.world_to_pixel_values(*np.asarray(sky).T), -1)


def _values(table: Any, name: str) -> np.ndarray:
    return np.asarray(table[name].value)
