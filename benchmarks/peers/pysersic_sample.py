"""Sample a blend in one band with pysersic's fitter for several sources, every source a Sersic profile.

Catalogue, priors, renderer and NumPyro's settings are those of the package, with one exception: its prior of the flux
is a normal one as wide as twice the root of the flux, whatever the unit of the image, which can be much narrower than
the noise; here it is as wide as the flux itself. Chains begin at the prior's median, which is the catalogue that is
given, with Sersic index 4.3 and ellipticity 0.45.
"""

import warnings

import numpy as np

from .importing import require
from .sample_chains import Chains, Start, in_two_stages


def sample(
    image: np.ndarray,
    weight: np.ndarray,
    psf: np.ndarray,
    start: Start,
    *,
    pixel_scale: float,
    chains: int,
    draws: int,
    warmup: int,
    seed: int = 0,
) -> Chains:
    """Sample all sources of a blend together.

    Parameters
    ----------
    image, weight
        Data and inverse variance, (H, W); weight 0 masks a pixel.
    psf
        Effective PSF at the pixel scale, (h, w), not larger than the image.
    start
        Catalogue about which the priors are; its fluxes are (n, 1).
    pixel_scale
        Arcsec per pixel.
    chains, draws, warmup
        Numbers of chains, of draws kept of each, and of steps before.
    seed
        Of the chains.

    Raises
    ------
    ImportError
        If pysersic is missing.
    """
    pysersic = require("pysersic")
    jax, infer = require("jax"), require("numpyro.infer", "numpyro")

    def begin():
        fitter.sample(
            jax.random.PRNGKey(seed),
            num_samples=1,
            num_warmup=warmup,
            num_chains=chains,
            init_strategy=infer.init_to_median,
            return_model=False,
            mcmc_kwargs={"progress_bar": False, "chain_method": "sequential"},
        )
        return fitter.sampling_results.input

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # equinox's, of static arrays
        fitter = _fitter(pysersic, image, weight, psf, start, pixel_scale)
        run = in_two_stages(begin, draws)
    n = len(start.seeds)
    values = {name: np.stack([run.sites[f"{name}_{i}"] for i in range(n)], axis=2) for name in _PARTS}
    axis_ratio = 1 - values["ellip"]
    length = (1 - axis_ratio) / (1 + axis_ratio)
    angle = 2 * (values["theta"] + 0.5 * np.pi)  # theta is counted from the y axis
    return Chains(
        draws={
            "flux": values["flux"][..., None],
            "position": np.stack([values["xc"], values["yc"]], axis=-1),
            "radius": values["r_eff"] * np.sqrt(axis_ratio) * pixel_scale,
            "shear": np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1),
        },
        n_parameters=n * len(_PARTS),
        **run.costs,
    )


_PARTS = ("xc", "yc", "flux", "r_eff", "n", "ellip", "theta")


def _fitter(pysersic, image, weight, psf, start, pixel_scale):
    priors = require("pysersic.priors", "pysersic")
    weight = np.asarray(weight, float)
    used = weight > 0
    catalog = {
        "x": np.asarray(start.seeds[:, 0], float),
        "y": np.asarray(start.seeds[:, 1], float),
        "flux": np.asarray(start.fluxes[:, 0], float),
        "r": np.asarray(start.radii, float) / pixel_scale,
        "type": ["sersic"] * len(start.seeds),
    }
    prior = priors.PySersicMultiPrior(catalog)
    for i, flux in enumerate(catalog["flux"]):
        prior.set_gaussian_prior(f"flux_{i}", float(flux), float(flux))
    rms = np.sqrt(1 / np.where(used, weight, np.median(weight[used])))
    return pysersic.FitMulti(np.asarray(image), rms, np.asarray(psf), prior=prior, mask=~used)
