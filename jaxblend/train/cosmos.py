"""Real galaxies for training: HST images in the format of GalSim's COSMOS samples."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter

from jaxblend.train.stamps import Stamps
from jaxblend.train.views import SAMPLING, SNR, told, wavenumbers

if TYPE_CHECKING:
    import galsim

__all__ = ["Cosmos", "read_stamps"]

_EXPOSURE = 2028.0  # seconds; pixels are electrons per second (Koekemoer et al. 2007, ApJS 172, 196)
_MARGIN = 1.25  # side of the grid over that of the stamp, so that wings that wrap around fall beside it
_FLATTEST = 0.7  # reduced shear of a frame
_LEAST_POWER = 0.002  # of the noise, in units of the most: measured correlations have none at some wavenumbers


@dataclasses.dataclass(frozen=True)
class Cosmos:
    """Real galaxies among those that are drawn.

    Attributes
    ----------
    path
        Catalogue of images, such as ``real_galaxy_catalog_25.2.fits``; "" is none.
    share
        Of the galaxies in each step.
    galaxies
        Rows that are read, at most; a galaxy takes 41 kB if images have a side of 64.
    """

    path: str = ""
    share: float = 0.5
    galaxies: int = 100_000

    def __post_init__(self):
        if not 0 < self.share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {self.share}")
        if self.galaxies < 2:
            raise ValueError(f"galaxies must be at least 2, of which one is held out, got {self.galaxies}")


def read_stamps(path: str | os.PathLike, *, side: int, most: int | None = None) -> tuple[Stamps, Counter[str]]:
    """Read the galaxies of a catalogue that training can use.

    Frames are measured where the PSF is replaced by a Gaussian as wide: the centre by adaptive moments, the ellipticity
    by re-Gaussianisation, the half-light radius by the growth curve, less that of the Gaussian in quadrature. Each
    galaxy has a grid of its own, whose pixels are 0.11 to 0.3 half-light radii. Nothing is interpolated: of the stamp's
    Fourier modes those are kept that the grid has, and divided by the noise's standard deviation.

    Parameters
    ----------
    path : path
        File of a ``galsim.RealGalaxyCatalog``; its images are in the same folder.
    side : int
        Pixels of the grids along each axis.
    most : int, optional
        Rows that are read.

    Returns
    -------
    Stamps
        In NumPy arrays.
    Counter
        Why galaxies were left out, and how many.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such catalogue, or if fewer than two galaxies are left.

    References
    ----------
    Hirata & Seljak 2003, MNRAS 343, 459 (re-Gaussianisation).
    """
    catalog = _opened(Path(path))
    rows = range(catalog.nobjects)[:most]
    found = [_stamp(catalog, row, side) for row in rows]
    catalog.close()
    left_out = Counter(one for one in found if isinstance(one, str))
    kept = [one for one in found if not isinstance(one, str)]
    if len(kept) < 2:
        raise ValueError(f"{path} has {len(kept)} of {len(rows)} galaxies left, of 2 that are needed: {dict(left_out)}")
    return Stamps(*map(np.stack, zip(*kept, strict=True))), left_out


def _opened(path: Path) -> galsim.RealGalaxyCatalog:
    import galsim

    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: give the file of a galsim.RealGalaxyCatalog")
    try:
        catalog = galsim.RealGalaxyCatalog(path.name, dir=str(path.parent))
        names = {name.lower() for name in catalog.cat.names}
    except (OSError, IndexError, AttributeError) as error:
        raise ValueError(f"{path} is not the catalogue of a galsim.RealGalaxyCatalog: {error}") from error
    if missing := {"gal_filename", "psf_filename", "gal_hdu", "psf_hdu", "noise_variance", "pixel_scale"} - names:
        raise ValueError(f"{path} has no {sorted(missing)}: give the catalogue of images, not that of fits")
    return catalog


def _stamp(catalog: galsim.RealGalaxyCatalog, row: int, side: int) -> Stamps | str:
    """One galaxy, or why it is left out."""
    image, psf = catalog.getGalImage(row), catalog.getPSFImage(row)
    correlation, _, variance = catalog.getNoiseProperties(row)
    image, psf = image.array, psf.array
    measured = _measured(image, psf)
    if isinstance(measured, str):
        return measured
    centre, radius, flattened, blur = measured
    low, high = (side * radius * end for end in SAMPLING)
    if high < side:
        return "too small"
    if radius > 0.25 * min(image.shape):
        return "cut off by the stamp"
    size = 2 * round(0.5 * float(np.clip(max(_MARGIN * max(image.shape), side), low, high)))
    coarse = size / side  # a pixel of the grid, in those of the stamp
    light, point = _modes(image, centre, size, side), _modes(psf, _middle(psf), size, side)
    power = variance * _power(correlation, size, side)
    level = coarse * np.sqrt(power.max())
    whiten = np.sqrt(power.max() / power)
    weight = _inside(image.shape, centre, side, coarse)
    data = np.fft.irfft2(light * whiten) / level
    snr = np.sqrt(max(np.sum((data**2 - 1)[weight > 0]), 0.0))
    if snr < SNR[0]:
        return "too faint"
    photons = gaussian_filter(np.fft.irfft2(light), 1.0, mode="wrap").clip(0) / _EXPOSURE
    conditions = told(coarse / radius, 2.355 * blur / coarse, np.log(level / image.sum()))
    return Stamps(
        data.astype(np.float32),
        (weight / (1 + photons / level**2)).astype(np.float16),
        np.fft.irfft2(point * whiten).astype(np.float32),
        (radius * flattened / coarse).astype(np.float32),
        np.asarray(conditions, np.float32),
    )


def _measured(pixels: Float[np.ndarray, "h w"], psf: Float[np.ndarray, "a b"]):
    """Centre in the stamp, half-light radius and shape of the frame, and width of the PSF; or why there are none."""
    import galsim

    blur = galsim.hsm.FindAdaptiveMom(galsim.Image(psf), strict=False).moments_sigma
    if not (blur > 0 and pixels.sum() > 0):
        return "not measured"
    sharp = _through_gaussian(pixels, psf, blur)
    image = galsim.Image(sharp, xmin=-len(sharp) // 2, ymin=-len(sharp) // 2)
    wide = 2 * round(6 * blur) + 1
    gaussian = galsim.Gaussian(sigma=blur).drawImage(nx=wide, ny=wide, scale=1.0, method="no_pixel")
    shape = galsim.hsm.EstimateShear(image, gaussian, strict=False)
    moments = galsim.hsm.FindAdaptiveMom(image, strict=False)
    if shape.error_message or moments.error_message:
        return "not measured"
    e = np.array([shape.corrected_e1, shape.corrected_e2])
    e *= min(1.0, 2 * _FLATTEST / (1 + _FLATTEST**2) / max(np.hypot(*e), 1e-9))
    g1, g2 = e / (1 + np.sqrt(1 - e @ e))
    flattened = np.array([[1 + g1, g2], [g2, 1 - g1]]) / np.sqrt(1 - g1**2 - g2**2)
    centre = np.array([moments.moments_centroid.x, moments.moments_centroid.y])
    seen = _half_light(sharp, centre + len(sharp) // 2, flattened)
    # A round Gaussian in the frame: its half-light radius in quadrature.
    inverse = np.linalg.inv(flattened)
    radius = np.sqrt(max(seen**2 - np.log(2) * blur**2 * np.trace(inverse @ inverse), 0.0))
    return centre + _middle(pixels), radius, flattened, blur


def _through_gaussian(pixels: Float[np.ndarray, "h w"], psf: Float[np.ndarray, "a b"], sigma: float):
    """The stamp, on a larger square, as it were if its PSF were a Gaussian; its middle pixel is in the middle."""
    size = 2 * round(0.5 * _MARGIN * max(pixels.shape))
    light, point = (_modes(one, _middle(one), size, size) for one in (pixels, psf / psf.sum()))
    kx, ky = wavenumbers(size)
    ratio = np.exp(-0.5 * (kx**2 + ky**2) * sigma**2) / np.where(np.abs(point) > 1e-3, point, np.inf)
    return np.roll(np.fft.irfft2(light * ratio), (size // 2, size // 2), axis=(0, 1))


def _middle(pixels: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "2"]:
    """Place x, y of the middle pixel of an array: the origin of PSFs, here and where models go through them."""
    return np.array([pixels.shape[1] // 2, pixels.shape[0] // 2], float)


def _half_light(pixels: Float[np.ndarray, "h w"], centre, flattened) -> float:
    """Radius, in a frame of unit area, that holds half of the light."""
    y, x = np.indices(pixels.shape)
    away = np.linalg.solve(flattened, np.stack([x.ravel() - centre[0], y.ravel() - centre[1]]))
    order = np.argsort(np.hypot(*away))
    within = np.cumsum(pixels.ravel()[order])
    first = np.searchsorted(np.maximum.accumulate(within), 0.5 * within[-1])
    return float(np.sqrt((first + 0.5) / np.pi))


def _modes(pixels: Float[np.ndarray, "h w"], centre, size: int, side: int):
    """Spectrum on a periodic grid of (size, size) pixels about a place; (side, side) modes of it, Nyquist's are 0."""
    nearest = np.round(centre).astype(int)
    box = np.zeros((size, size))
    places = [np.arange(n) - middle for n, middle in zip(pixels.shape, nearest[::-1], strict=True)]
    near = [(place >= -size // 2) & (place < size // 2) for place in places]
    rows, columns = (place[kept] % size for place, kept in zip(places, near, strict=True))
    box[np.ix_(rows, columns)] = pixels[np.ix_(*near)]
    ky, kx = np.rint(np.fft.fftfreq(side) * side).astype(int), np.arange(side // 2 + 1)
    modes = np.fft.rfft2(box)[np.ix_(ky % size, kx)]
    modes[side // 2], modes[:, side // 2] = 0, 0
    x, y = centre - nearest
    return modes * np.exp(2j * np.pi / size * (kx * x + ky[:, None] * y))


def _power(correlation: galsim.Image | None, size: int, side: int):
    """Of noise of unit variance in each mode."""
    if correlation is None:
        return np.ones((side, side // 2 + 1))
    pixels = correlation.array
    peak = np.array(np.unravel_index(pixels.argmax(), pixels.shape))[::-1].astype(float)
    power = _modes(pixels / pixels.max(), peak, size, side).real
    return np.maximum(power, _LEAST_POWER * power.max())


def _inside(shape: tuple[int, ...], centre, side: int, coarse: float) -> Float[np.ndarray, "side side"]:
    """1 at pixels of the grid that the stamp has with a pixel around, 0 elsewhere."""
    place = np.rint(np.fft.fftfreq(side) * side) * coarse
    x, y = (place + middle for middle in centre)
    row, column = ((at > coarse - 0.5) & (at < n - 0.5 - coarse) for at, n in zip((y, x), shape, strict=True))
    return np.multiply.outer(row, column).astype(float)
