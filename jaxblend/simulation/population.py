"""A built-in population of galaxies and stars, so that nothing need be downloaded.

Published relations, each cited where it is used, drawn with numpy. It gives blends that look like a deep
field and have realistic correlations between magnitude, size, colour and shape; it is no substitute for a
catalogue where the population itself matters. Magnitudes are anchored in LSST's i band; other bands follow
from two-slope spectra evaluated at each band's effective wavelength.

References
----------
.. [1] LSST Science Collaboration 2009, LSST Science Book v2, arXiv:0912.0201, section 3.7.2: counts, redshifts.
.. [2] Miller et al. 2013, MNRAS 429, 2858, appendix B: sizes, ellipticities, bulge fractions (HST and SDSS fits).
.. [3] Fukugita, Shimasaku & Ichikawa 1995, PASP 107, 945: colours along the Hubble sequence, to which the
   optical slopes were chosen.
.. [4] Balogh et al. 1999, ApJ 527, 54: the 4000 A break, near 1.7 for old and 1.3 for young populations.
.. [5] Bouwens et al. 2014, ApJ 793, 115: ultraviolet slopes of star-forming galaxies.
.. [6] Madau 1995, ApJ 441, 18: absorption by intergalactic hydrogen.
.. [7] Bahcall & Soneira 1980, ApJS 44, 73: star counts rise more slowly than galaxy counts at high latitude.
.. [8] Pecaut & Mamajek 2013, ApJS 208, 9: effective temperatures of dwarfs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey, lsst_wavelengths

BAND_WIDTH = 0.1  # half-width in log wavelength over which a filter smooths a spectral break
BREAK_4000 = 400.0  # nm
LYMAN_ALPHA = 121.6  # nm
LYMAN_LIMIT = 91.2  # nm
ELLIPTICAL_SLOPES = (4.7, 2.6, 2.0)  # of f_nu below and above the 4000 A break, and its jump: of `elliptical_spectrum`
PLANCK_WAVELENGTH = 1.438777e7  # h c / k, nm K


def draw_population(
    rng: np.random.Generator,
    n: int,
    surveys: Survey | Sequence[Survey],
    *,
    min_magnitude: float = 18.0,
    max_magnitude: float = 25.3,
    star_fraction: float = 0.1,
) -> SkySources:
    """Draw galaxies and stars, limited in LSST i magnitude.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n : int
        How many sources.
    surveys : Survey or sequence of Survey
        Surveys whose bands the sources need; every band needs an effective wavelength.
    min_magnitude, max_magnitude : float
        Range of the i magnitude.
    star_fraction : float
        Probability that a source is a star. It depends on the galactic latitude and the depth: the default is a round
        number for blends at high latitude, not one of a field.

    Returns
    -------
    SkySources
        The n sources; `row` counts them.
    """
    _check_population(min_magnitude, max_magnitude, star_fraction)
    star = rng.random(n) < star_fraction
    galaxy_magnitude = _power_law_magnitudes(rng, n, 0.31, min_magnitude, max_magnitude)  # [1]
    star_magnitude = _power_law_magnitudes(rng, n, 0.1, min_magnitude, max_magnitude)  # slope chosen after [7]
    galaxies = draw_galaxies(rng, galaxy_magnitude, _bulge_shares(rng, n), surveys)
    return _with_stars(rng, galaxies, star, star_magnitude, surveys)


def draw_galaxies(
    rng: np.random.Generator, magnitude: np.ndarray, bulge_share: np.ndarray, surveys: Survey | Sequence[Survey]
) -> SkySources:
    """Draw what goes with a magnitude and a bulge: sizes, shapes, redshifts and colours.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    magnitude : (n,) array
        In LSST's i band.
    bulge_share : (n,) array
        Share of the bulge in its light. Galaxies with more than half have the ellipticities of bulges.
    surveys : Survey or sequence of Survey
        Whose bands the galaxies need.

    Returns
    -------
    SkySources
        The n galaxies.
    """
    n = len(magnitude)
    bands, grid = _bands_and_grid(surveys)
    scale_length = _scale_lengths(rng, magnitude)
    g, axis_ratio = _shapes(rng, bulge_share > 0.5)
    redshift = _redshifts(rng, magnitude)
    spectrum, bulge_fraction = _galaxy_spectra(rng, grid, redshift, bulge_share)
    size = scale_length * np.sqrt(axis_ratio)
    return SkySources(
        bands=bands,
        magnitude=magnitude[:, None] + _colours(spectrum),
        bulge_fraction=bulge_fraction[:, :-1],
        point_fraction=np.zeros((n, len(bands))),
        bulge_radius=np.where(bulge_share > 0, size, 0.0),
        disk_radius=np.where(bulge_share < 1, _half_light_over_scale_length() * size, 0.0),
        bulge_g=g,
        disk_g=g,
        redshift=redshift,
        row=np.arange(n),
    )


def _with_stars(rng, galaxies: SkySources, star: np.ndarray, magnitude: np.ndarray, surveys) -> SkySources:
    """Put stars in the place of some galaxies."""
    _, grid = _bands_and_grid(surveys)
    starlight = magnitude[:, None] + _colours(_star_spectra(rng, len(star), grid))
    each = star[:, None]
    return replace(
        galaxies,
        magnitude=np.where(each, starlight, galaxies.magnitude),
        bulge_fraction=np.where(each, 0.0, galaxies.bulge_fraction),
        point_fraction=np.where(each, 1.0, galaxies.point_fraction),
        bulge_radius=np.where(star, 0.0, galaxies.bulge_radius),
        disk_radius=np.where(star, 0.0, galaxies.disk_radius),
        bulge_g=np.where(each, 0.0, galaxies.bulge_g),
        disk_g=np.where(each, 0.0, galaxies.disk_g),
        redshift=np.where(star, 0.0, galaxies.redshift),
    )


def _colours(spectrum: np.ndarray) -> np.ndarray:
    """Magnitudes minus that of the last wavelength."""
    return -2.5 * np.log10(spectrum[:, :-1] / spectrum[:, -1:])


def _check_population(min_magnitude: float, max_magnitude: float, star_fraction: float) -> None:
    if not min_magnitude < max_magnitude:
        raise ValueError(
            f"Got min_magnitude={min_magnitude} and max_magnitude={max_magnitude}: the first must be the smaller."
        )
    if not 0 <= star_fraction <= 1:
        raise ValueError(f"Got star_fraction={star_fraction}: it is a probability, between 0 and 1.")


def _bands_and_grid(surveys: Survey | Sequence[Survey]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of all bands, and their wavelengths with LSST's i after them."""
    surveys = (surveys,) if isinstance(surveys, Survey) else tuple(surveys)
    wavelength: dict[str, float] = {}
    for survey in surveys:
        for band, value in zip(survey.bands, survey.effective_wavelength, strict=True):
            wavelength.setdefault(band, value)
    unknown = [band for band, value in wavelength.items() if not np.isfinite(value)]
    if unknown:
        raise ValueError(
            f"Bands {unknown} have no effective wavelength in surveycodex, so the built-in population has no "
            "magnitude for them: give a catalogue."
        )
    return tuple(wavelength), np.array([*wavelength.values(), lsst_wavelengths()["i"]])


def _power_law_magnitudes(rng: np.random.Generator, n: int, slope: float, bright: float, faint: float) -> np.ndarray:
    """Draw magnitudes with counts N(<m) proportional to 10 ** (slope m) between two limits."""
    low, high = 10.0 ** (slope * (bright - faint)), 1.0
    return faint + np.log10(rng.uniform(low, high, n)) / slope


def _redshifts(rng: np.random.Generator, magnitude: np.ndarray) -> np.ndarray:
    """Draw from p(z) ~ z**2 exp(-z / z0), z0 = 0.0417 i - 0.744 [1]: there for all brighter than i, here at i."""
    return rng.gamma(3.0, np.clip(0.0417 * magnitude - 0.744, 0.02, None))


def _scale_lengths(rng: np.random.Generator, magnitude: np.ndarray) -> np.ndarray:
    """Draw major-axis scale lengths in arcsec: p(r) ~ r exp(-(r/a)**(4/3)), median exp(-1.145 - 0.269 (i - 23)) [2]."""
    median = np.exp(-1.145 - 0.269 * (magnitude - 23.0))
    # With t = (r/a)**(4/3), t follows a gamma distribution of shape 3/2, of median 1.183.
    t = rng.gamma(1.5, 1.0, len(magnitude))
    return median * (t / 1.18298) ** 0.75


def _half_light_over_scale_length() -> float:
    from scipy.special import gammaincinv

    return float(gammaincinv(2.0, 0.5))


def _bulge_shares(rng: np.random.Generator, n: int) -> np.ndarray:
    """Make one galaxy in ten all bulge; the others have |N(0, 0.1)| of their i-band light in one [2]."""
    bulge_dominated = rng.random(n) < 0.1
    share = np.minimum(np.abs(rng.normal(0.0, 0.1, n)), 1.0)
    return np.where(bulge_dominated, 1.0, share)


def _shapes(rng: np.random.Generator, bulge_dominated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw reduced shears (n, 2) and axis ratios (n,), from the moduli of disks and of bulges [2]."""
    e = np.linspace(0.0, 0.804, 400)
    disk = e * -np.expm1((e - 0.804) / 0.2539) / ((1.0 + e) * np.sqrt(e**2 + 0.0256**2))
    bulge = e * np.exp(-2.368 * e - 6.691 * e**2)
    quantile = rng.random(len(bulge_dominated))
    modulus = np.where(bulge_dominated, _inverse_cdf(quantile, e, bulge), _inverse_cdf(quantile, e, disk))
    phase = rng.uniform(0.0, 2.0 * np.pi, len(bulge_dominated))
    g = modulus[:, None] * np.stack([np.cos(phase), np.sin(phase)], axis=1)
    return g, (1.0 - modulus) / (1.0 + modulus)


def _inverse_cdf(quantile: np.ndarray, x: np.ndarray, density: np.ndarray) -> np.ndarray:
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return np.interp(quantile, cumulative / cumulative[-1], x)


def _galaxy_spectra(
    rng: np.random.Generator, wavelength: np.ndarray, redshift: np.ndarray, bulge_share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute flux densities f_nu and bulge fractions, (n, C); the last wavelength is where `bulge_share` holds."""
    n = len(redshift)
    rest = wavelength / (1.0 + redshift[:, None])

    def normal(mean: float, sigma: float) -> np.ndarray:
        return rng.normal(mean, sigma, (n, 1))

    # f_nu ~ wavelength ** (slope + 2) for an ultraviolet f_lambda slope [5]; breaks [4]; optical slopes after [3].
    disk = _two_slopes(rest, normal(0.6, 0.4), normal(1.0, 0.25), normal(1.3, 0.08))
    bulge = _two_slopes(rest, normal(3.0, 0.4), normal(1.8, 0.15), normal(1.7, 0.08))
    bulge = bulge / bulge[:, -1:] * bulge_share[:, None]
    disk = disk / disk[:, -1:] * (1.0 - bulge_share[:, None])
    total = bulge + disk
    return total * _transmission(rest, redshift[:, None]), bulge / total


def elliptical_spectrum(wavelength: np.ndarray, redshift: float) -> np.ndarray:
    """Compute the mean flux density f_nu of galaxies on the red sequence of a cluster.

    Two power laws about the 4000 A break, whose three numbers are a least-squares fit to the mean colours g-r, r-i
    and i-z of red-sequence galaxies in the Dark Energy Survey at redshifts 0.2 to 0.65 (the polynomials in the
    diagnostics of cosmoDC2, Korytov et al. 2019, ApJS 245, 26): the rms of what is left is 0.10 mag, and the largest
    0.28, in g-r at 0.2.

    Parameters
    ----------
    wavelength : (C,) array
        Effective wavelengths as observed, nm.
    redshift : float
        Of the cluster.

    Returns
    -------
    (C,) array
        Any unit.
    """
    rest = np.asarray(wavelength, float) / (1.0 + redshift)
    blue, red, jump = map(np.asarray, ELLIPTICAL_SLOPES)
    return _two_slopes(rest, blue, red, jump) * _transmission(rest, np.asarray(redshift))


def _two_slopes(rest: np.ndarray, blue: np.ndarray, red: np.ndarray, jump: np.ndarray) -> np.ndarray:
    """Join power laws of f_nu on the two sides of the 4000 A break, where it jumps."""
    x = np.log(rest / BREAK_4000)
    step = 0.5 * (1.0 + np.tanh(x / BAND_WIDTH))
    return np.exp(x * (blue + (red - blue) * step)) * (1.0 + (jump - 1.0) * step)


def _transmission(rest: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    """Compute the mean transmission of intergalactic hydrogen: Lyman alpha forest and Lyman limit [6]."""
    forest = np.exp(-0.0036 * (1.0 + redshift) ** 3.46)
    below_alpha = 0.5 * (1.0 - np.tanh(np.log(rest / LYMAN_ALPHA) / BAND_WIDTH))
    below_limit = 0.5 * (1.0 - np.tanh(np.log(rest / LYMAN_LIMIT) / BAND_WIDTH))
    return (1.0 - (1.0 - forest) * below_alpha) * (1.0 - 0.99 * below_limit)


def _star_spectra(rng: np.random.Generator, n: int, wavelength: np.ndarray) -> np.ndarray:
    """Draw black bodies between 3000 and 7500 K, uniform in the logarithm: M to F dwarfs [8], without lines."""
    temperature = np.exp(rng.uniform(np.log(3000.0), np.log(7500.0), (n, 1)))
    return wavelength**-3.0 / np.expm1(PLANCK_WAVELENGTH / (wavelength * temperature))
