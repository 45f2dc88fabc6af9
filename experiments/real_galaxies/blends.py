"""Blends of real galaxies: HST images of COSMOS, deconvolved and seen through LSST's PSF and noise in i."""

import functools

import galsim
import numpy as np

import jaxblend as jb
from experiments.calibration.blends import TrueBlend, draw_seeds, observed, to_pixels
from experiments.calibration.noise import draw_noise, signal_to_noise, white
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.truth import blendedness

SEED = 20261122
CATALOG = "real_galaxy_catalog.fits"
SURVEY, BAND, PSF = "LSST", "i", "kolmogorov"
YEARS = 0.1  # of the survey's full exposure: its noise hides that of the HST images
FAINTEST = 24.5  # fainter stamps are noisy, and some hold a companion
SIDE = 48  # pixels
COUNTS = (2, 3)  # sources, in turn
SPREAD = 1.5  # arcsec: seeds are uniform in a square of twice that side
NEAREST = 0.8  # arcsec between two seeds
POSITION_SCATTER = 0.2  # arcsec, one pixel: the default of a fit


class RealBlends:
    """Draws blend after blend from a folder with GalSim's COSMOS sample."""

    def __init__(self, folder: str):
        self.catalog = galsim.COSMOSCatalog(CATALOG, dir=str(folder), exclusion_level="none")
        self.magnitude = np.asarray(self.catalog.real_cat.mag, float)[self.catalog.orig_index]
        self.used = np.flatnonzero(self.magnitude < FAINTEST)
        if len(self.used) < max(COUNTS):
            raise ValueError(f"{folder} has {len(self.used)} galaxies brighter than {FAINTEST}: at least 3 are needed")

    def draw(self, index: int) -> TrueBlend:
        """Blend ``index``: no galaxy twice in it, each turned by a random angle."""
        rng = np.random.default_rng([SEED, index])
        seeds = draw_seeds(rng, COUNTS[index % len(COUNTS)], SPREAD, NEAREST)
        places = seeds + rng.normal(0.0, POSITION_SCATTER, seeds.shape)
        chosen, angles = rng.choice(self.used, len(seeds), replace=False), rng.uniform(0.0, 360.0, len(seeds))
        flux = survey().flux(self.magnitude[chosen][:, None])[:, 0]
        profiles = [self._profile(*each) for each in zip(chosen, angles, flux, strict=True)]
        isolated = np.stack([_draw(p, xy) for p, xy in zip(profiles, _pixels(places), strict=True)])
        sigma = np.sqrt(survey().sky_level / YEARS)
        image = isolated.sum(0) + draw_noise(rng, sigma, (SIDE, SIDE), white())
        centres = np.stack([_centre(i, xy) for i, xy in zip(isolated, _pixels(places), strict=True)])
        sky = (centres - 0.5 * (SIDE - 1)) * survey().pixel_scale
        return TrueBlend(
            observation=observed(image, sigma, survey(), PSF),
            seeds=_pixels(seeds),
            truth={f"flux_{BAND}": flux, "u": sky[:, 0], "v": sky[:, 1]},
            about={
                "snr": signal_to_noise(isolated, float(sigma[0]), white()),
                "blendedness": blendedness(isolated),
                "galaxy": chosen,
                "magnitude": self.magnitude[chosen],
            },
        )

    def _profile(self, index: int, angle: float, flux: float) -> galsim.GSObject:
        """One galaxy before the PSF; beyond its HST stamp there is no light."""
        galaxy = self.catalog.makeGalaxy(int(index), gal_type="real", noise_pad_size=0)
        return galaxy.rotate(angle * galsim.degrees).withFlux(float(flux))


@functools.cache
def survey() -> Survey:
    return jb.get_survey(SURVEY, BAND)


def _pixels(places: np.ndarray) -> np.ndarray:
    return to_pixels(places, side=SIDE, pixel_scale=survey().pixel_scale)


def _draw(galaxy: galsim.GSObject, place: np.ndarray) -> np.ndarray:
    image = galsim.ImageD(bounds=galsim.BoundsI(0, SIDE - 1, 0, SIDE - 1), scale=survey().pixel_scale)
    seen = galsim.Convolution(galaxy, survey_psfs(survey(), PSF)[0])
    return seen.drawImage(image=image, center=galsim.PositionD(*map(float, place))).array


def _centre(isolated: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Centroid of a galaxy alone, weighted by its light and by the elliptical Gaussian that fits it best.

    The weight keeps out the noise of the HST image, which pulls a plain centroid about.
    """
    image = galsim.Image(isolated, xmin=0, ymin=0, scale=1.0)
    found = galsim.hsm.FindAdaptiveMom(image, guess_centroid=galsim.PositionD(*map(float, place)))
    return np.array([found.moments_centroid.x, found.moments_centroid.y])
