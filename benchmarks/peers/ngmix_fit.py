"""Fit one galaxy as bulge plus disk in all bands at once with ngmix's Levenberg-Marquardt.

The model is ngmix's ``bdf``: exponential plus de Vaucouleurs of one size and shape, with the fraction of the
de Vaucouleurs free, each a mixture of Gaussians. Fitter, PSF mixture, runners and priors follow the package's own
bulge+disk example; the start is its ``BDFGuesser``, since the guesser in that example fills the wrong columns when
there are several bands. Written for ngmix 2.4, which is not on PyPI: install numba, and ngmix from its source release.
"""

from dataclasses import dataclass

import numpy as np

from .importing import require
from .timing import median_seconds


@dataclass(frozen=True)
class NgmixFit:
    """What ngmix made of one galaxy.

    Attributes
    ----------
    fluxes, flux_errors
        Flux per band and its error, (C,); NaN where the fit failed.
    shear
        Reduced shear g1, g2, (2,), in the frame x along columns, y along rows.
    size
        ngmix's T in square arcsec.
    bulge_fraction
        Fraction of the flux in the de Vaucouleurs part.
    flags
        ngmix's flags; 0 is success.
    seconds_psf, seconds
        Median wall time to fit the PSF mixtures of all bands, and the galaxy; numba's compilation is not in it.
    """

    fluxes: np.ndarray
    flux_errors: np.ndarray
    shear: np.ndarray
    size: float
    bulge_fraction: float
    flags: int
    seconds_psf: float
    seconds: float


def fit(
    images: np.ndarray,
    weights: np.ndarray,
    psfs: np.ndarray,
    position: np.ndarray,
    *,
    pixel_scale: float = 0.2,
    seed: int = 1,
    repeats: int = 5,
) -> NgmixFit:
    """Fit a single galaxy; neighbours in the stamp must have been removed or masked.

    Parameters
    ----------
    images, weights
        Data and inverse variance, (C, H, W); weight 0 masks a pixel.
    psfs
        PSF per band at the pixel scale, (C, h, w), centred on the stamp.
    position
        Centre in pixels, (2,) as x, y.
    pixel_scale
        Arcsec per pixel.
    seed
        Seed of the random starts.
    repeats
        Fits to time.

    Raises
    ------
    ImportError
        If ngmix is missing.
    """
    ngmix = require("ngmix", "numba, then install ngmix 2.4 from its source release, which PyPI does not have")
    rng = np.random.RandomState(seed)  # ngmix asks for this kind
    bands = _observations(ngmix, images, weights, psfs, position, pixel_scale)
    prior = _prior(ngmix, rng, pixel_scale, n_bands=len(images))
    psf_runner = ngmix.runners.PSFRunner(
        fitter=ngmix.em.EMFitter(), guesser=ngmix.guessers.GMixPSFGuesser(rng=rng, ngauss=5), ntry=2
    )
    guesser = ngmix.guessers.BDFGuesser(T=0.25, flux=_start_fluxes(images, weights, position, pixel_scale), prior=prior)
    runner = ngmix.runners.Runner(fitter=ngmix.fitting.Fitter(model="bdf", prior=prior), guesser=guesser, ntry=2)

    seconds_psf = median_seconds(lambda: psf_runner.go(bands), repeats=repeats)
    seconds = median_seconds(lambda: runner.go(bands), repeats=repeats)
    result = runner.go(bands)
    failed = np.full(len(images), np.nan)
    good = result["flags"] == 0
    pars = np.asarray(result["pars"]) if good else np.full(6 + len(images), np.nan)
    return NgmixFit(
        fluxes=pars[6:],
        flux_errors=np.atleast_1d(result["flux_err"]) if good else failed,
        shear=pars[2:4],
        size=float(pars[4]),
        bulge_fraction=float(pars[5]),
        flags=int(result["flags"]),
        seconds_psf=seconds_psf,
        seconds=seconds,
    )


def _observations(ngmix, images, weights, psfs, position, pixel_scale):
    """ngmix's nested lists of observations, one epoch per band, in sky coordinates about `position`."""
    bands = ngmix.MultiBandObsList()
    for image, weight, psf in zip(images, weights, psfs, strict=True):
        row, col = (np.array(np.shape(psf)) - 1) / 2
        psf_observation = ngmix.Observation(
            np.asarray(psf, float), jacobian=ngmix.DiagonalJacobian(row=row, col=col, scale=pixel_scale)
        )
        jacobian = ngmix.DiagonalJacobian(row=position[1], col=position[0], scale=pixel_scale)
        epochs = ngmix.ObsList()
        epochs.append(
            ngmix.Observation(
                np.asarray(image, float), weight=np.asarray(weight, float), jacobian=jacobian, psf=psf_observation
            )
        )
        bands.append(epochs)
    return bands


def _prior(ngmix, rng, pixel_scale, *, n_bands):
    """The priors of ngmix's bulge+disk example, flat in size and flux."""
    flat = ngmix.priors.FlatPrior
    return ngmix.joint_prior.PriorBDFSep(
        cen_prior=ngmix.priors.CenPrior(cen1=0, cen2=0, sigma1=pixel_scale, sigma2=pixel_scale, rng=rng),
        g_prior=ngmix.priors.GPriorBA(sigma=0.1, rng=rng),
        T_prior=flat(minval=-1.0, maxval=1e3, rng=rng),
        fracdev_prior=ngmix.priors.Normal(mean=0.5, sigma=0.1, rng=rng),
        F_prior=[flat(minval=-1e9, maxval=1e9, rng=rng) for _ in range(n_bands)],
    )


def _start_fluxes(images, weights, position, pixel_scale, radius=2.0):
    """Flux within `radius` arcsec, per band, at least the noise in that aperture."""
    rows, columns = np.indices(np.shape(images)[-2:])
    aperture = np.hypot(columns - position[0], rows - position[1]) * pixel_scale < radius
    noise = np.array([np.sqrt(aperture.sum() / np.median(weight[weight > 0])) for weight in np.asarray(weights)])
    return np.maximum((np.asarray(images) * aperture).sum(axis=(1, 2)), noise)
