"""What a deblended frame leaves behind: the noise of its sky, and the peaks of its residual."""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation, maximum_filter
from scipy.signal import oaconvolve
from scipy.spatial import KDTree
from scipy.stats import median_abs_deviation

DARK = 0.1  # of the noise: where the whole model is fainter, a pixel counts as sky
BLANK, MARGIN = 3.0, 4  # significance and pixels around it that are kept out of the blank sky
LAG = 5  # pixels between the two of a difference, beyond the reach of the noise's correlation

robust_rms = partial(median_abs_deviation, scale="normal")


class Noise(NamedTuple):
    """Rms in units of the noise map, in one band; ``robust`` is from the median absolute deviation."""

    pixels: int
    robust: float
    std: float


class Peak(NamedTuple):
    """A peak of the residual, the source nearest to it, and the one whose model is the brightest there (or -1)."""

    x: int
    y: int
    significance: float
    nearest: int
    distance: float
    nearest_snr: float
    owner: int


def sky_noise(values, weight, sky):
    """Noise per band of values (C, H, W) over the pixels of ``sky`` (C, H, W) that have weight."""
    rows = []
    for chi, use in zip(values * np.sqrt(weight), sky & (weight > 0), strict=True):
        inside = chi[use]
        rows.append(Noise(len(inside), robust_rms(inside), float(np.std(inside))))
    return rows


def model_sky(model, weight):
    """Pixels (C, H, W) where the model is fainter than a tenth of the noise."""
    return np.abs(model) * np.sqrt(weight) < DARK


def blank_sky(image, weight, psf):
    """Pixels (C, H, W) far from any peak of the data in any band: known without a model."""
    found = (np.abs(significance(image, weight, psf)) > BLANK).any(axis=0)
    return np.broadcast_to(np.logical_not(binary_dilation(found, iterations=MARGIN)), image.shape)


def difference_noise(image, weight, sky):
    """Robust rms per band of differences of pixels ``LAG`` apart, over sqrt(2): free of any slow background."""
    chi = image * np.sqrt(weight)
    return [
        robust_rms((c[:, LAG:] - c[:, :-LAG])[s[:, LAG:] & s[:, :-LAG]] / np.sqrt(2))
        for c, s in zip(chi, sky & (weight > 0), strict=True)
    ]


def neighbour_correlation(values, weight, sky):
    """Correlation per band of pixels side by side."""
    chi = values * np.sqrt(weight)
    pairs = sky[:, :, 1:] & sky[:, :, :-1] & (weight[:, :, 1:] > 0) & (weight[:, :, :-1] > 0)
    return [float(np.corrcoef(c[:, 1:][p], c[:, :-1][p])[0, 1]) for c, p in zip(chi, pairs, strict=True)]


def significance(image, weight, psf):
    """(C + 1, H, W): matched filter with the PSF (C, h, w), band by band, and of all bands in units of their noise."""
    bands = []
    for data, w, kernel in zip(image, weight, psf, strict=True):
        flipped = kernel[::-1, ::-1].astype(float)
        signal = oaconvolve(w * data, flipped, mode="same")
        power = np.maximum(oaconvolve(w.astype(float), flipped**2, mode="same"), 0)
        bands.append(np.where(power > 0, signal / np.sqrt(np.where(power > 0, power, 1)), 0))
    return np.stack([*bands, np.sum(bands, axis=0) / np.sqrt(len(bands))])


def peaks(maps, scene, *, least=5.0, apart=4):
    """Peaks of either sign in any of the maps (M, H, W) of a scene's residual, the most significant first."""
    strongest = np.take_along_axis(maps, np.abs(maps).argmax(axis=0)[None], axis=0)[0]
    size = np.abs(strongest)
    rows, columns = np.nonzero((size >= least) & (size == maximum_filter(size, size=2 * apart + 1)))
    catalog, owner = scene.catalog, scene.segmentation - 1
    tree = KDTree(np.stack([np.asarray(catalog[name].value) for name in ("x", "y")], axis=1))
    found = []
    for y, x in zip(rows.tolist(), columns.tolist(), strict=True):
        distance, nearest = tree.query([x, y])
        snr = float(catalog["snr"][nearest])
        found.append(Peak(x, y, float(strongest[y, x]), int(nearest), float(distance), snr, int(owner[y, x])))
    return sorted(found, key=lambda peak: -abs(peak.significance))
