"""Draw a Spergel bulge and an exponential disk with JAX-GalSim, compiled, one by one and vectorised.

JAX-GalSim has neither Sersic nor de Vaucouleurs nor Kolmogorov: a Spergel profile of index -0.6 stands for the bulge,
and a Moffat profile for the PSF. Under ``jax.jit`` the side of its Fourier grid must be fixed beforehand, which is what
`fft_side` does.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .compile_time import CompileClock
from .galaxy import Galaxy
from .importing import require
from .timing import median_seconds


@dataclass(frozen=True)
class JaxGalSimDraw:
    """Times per source and band in seconds, and one image to compare.

    Attributes
    ----------
    image
        Noiseless image, (side, side), flux 1 to infinity.
    seconds_jit
        One source a call.
    seconds_vmap
        A batch a call, over the number of sources in it.
    seconds_gradient
        Value and gradient of a sum of squares with respect to all six parameters, one source a call.
    seconds_compile
        Compilation of the function for one source.
    """

    image: np.ndarray
    seconds_jit: float
    seconds_vmap: float
    seconds_gradient: float
    seconds_compile: float


def draw(source: Galaxy, *, batch: int = 64, fft_side: int = 128, repeats: int = 50) -> JaxGalSimDraw:
    """Draw one source and time it compiled, vectorised and with its gradient.

    Parameters
    ----------
    source
        What to draw, with a Moffat PSF (beta 3).
    batch
        Sources in a vectorised call.
    fft_side
        Side of the Fourier grid.
    repeats
        Calls to time; the vectorised one is timed a tenth as often.

    Raises
    ------
    ImportError
        If JAX-GalSim is missing.
    """
    jax = require("jax")
    jnp = require("jax.numpy", "jax")
    render = renderer(source, fft_side)
    values = jnp.asarray([source.radius, source.bulge_fraction, *source.shear, 0.0, 0.0])
    scatter = np.random.default_rng(1).uniform(0.9, 1.1, (batch, len(values)))
    several = values * scatter.astype(np.float32)

    with CompileClock() as clock, warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Explicitly requested dtype"
        )  # it asks for float64, and draws in float32
        one = jax.jit(render)
        image = np.asarray(one(values))
        compiled = clock.seconds
        many = jax.jit(jax.vmap(render)).lower(several).compile()
        slope = jax.jit(jax.value_and_grad(lambda v: jnp.sum(render(v) ** 2))).lower(values).compile()
    return JaxGalSimDraw(
        image=image,
        seconds_jit=median_seconds(lambda: jax.block_until_ready(one(values)), repeats=repeats),
        seconds_vmap=median_seconds(lambda: jax.block_until_ready(many(several)), repeats=max(3, repeats // 10))
        / batch,
        seconds_gradient=median_seconds(lambda: jax.block_until_ready(slope(values)), repeats=repeats),
        seconds_compile=compiled,
    )


def renderer(source: Galaxy, fft_side: int) -> Callable:
    """Pure function from (radius, bulge fraction, g1, g2, dx, dy) to an image (side, side), seen as the source is."""
    galsim = require("jax_galsim", "jax_galsim")
    settings = galsim.GSParams(minimum_fft_size=fft_side, maximum_fft_size=fft_side)

    def render(values):
        radius, bulge_fraction, g1, g2, dx, dy = values
        disk = galsim.Exponential(half_light_radius=radius, flux=1 - bulge_fraction, gsparams=settings)
        bulge = galsim.Spergel(nu=-0.6, half_light_radius=radius / 2, flux=bulge_fraction, gsparams=settings)
        psf = galsim.Moffat(beta=3.0, fwhm=source.fwhm, gsparams=settings)
        galaxy = (disk + bulge).shear(g1=g1, g2=g2).shift(dx, dy)
        convolved = galsim.Convolve([galaxy, psf], gsparams=settings)
        return convolved.drawImage(nx=source.side, ny=source.side, scale=source.pixel_scale).array

    return render
