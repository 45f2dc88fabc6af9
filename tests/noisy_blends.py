"""Small blends of two galaxies in one band, drawn from the prior that they are fitted with, and without their noise."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxblend as jb
from jaxblend.forward.render import render
from jaxblend.priors.sources import sources_of

SIDE = 24
PSF = jb.MoffatPSF(fwhm=0.8, beta=3.0)
SEEDS = np.array([[8.5, 11.0], [14.5, 12.5]])
OPTIONS = {
    "model": jb.Exponential(),
    "population": jb.Population(
        magnitude=19.3,
        magnitude_scatter=0.5,
        log_radius=float(np.log(0.45)),
        log_radius_slope=0.0,
        log_radius_scatter=0.2,
        ellipticity_scatter=0.15,
    ),
}


def observe(image, weight, *, brighter=1.0, **options):
    """``brighter`` is the factor by which the fluxes of the prior's magnitudes are larger."""
    zero_point = 27.0 + 2.5 * np.log10(brighter)
    return jb.Observation(image, weight, PSF, pixel_scale=0.2, bands="r", zero_point=zero_point, **options)


def noiseless_blends(n, *, seed=0, brighter=1.0):
    """(n, 24, 24) images and (n, 2) fluxes, of about 1200 where the noise of a pixel is 1."""
    frame, model = jb.Frame((SIDE, SIDE), 0.2), OPTIONS["model"]
    population, yes = OPTIONS["population"], jnp.ones(2, bool)
    prior = jb.population_prior(model, "r", zero_point=[27.0], position_scatter=0.2, population=population)
    transfer, seeds = PSF.transfer(frame)[None, 0], jnp.asarray(frame.pixel_to_sky(SEEDS), jnp.float32)

    def draw(u):
        sources = sources_of(jax.vmap(prior.physical)(u), seeds, yes, ~yes, model=model, n_bands=1)
        return render(sources, frame, transfer)[0], sources.flux[:, 0, 0]

    u = np.random.default_rng(seed).normal(size=(n, 2, prior.size)).astype(np.float32)
    drawn, fluxes = (brighter * np.asarray(a, float) for a in jax.jit(jax.vmap(draw))(u))
    return drawn, fluxes


def pulls(fits, fluxes):
    """(n, 2): errors of the log flux in units of what the fit says of them."""
    column = fits[0].quantity_names.index("log_flux_r")
    values = np.array([fit.quantities[:, column] for fit in fits])
    return (values - np.log(fluxes)) / np.array([fit.errors[:, column] for fit in fits])
