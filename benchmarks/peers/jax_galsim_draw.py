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


def draw(
    *,
    radius: float = 0.6,
    bulge_fraction: float = 0.3,
    shear: tuple[float, float] = (0.1, -0.05),
    fwhm: float = 0.7,
    side: int = 64,
    pixel_scale: float = 0.2,
    batch: int = 64,
    fft_side: int = 128,
    repeats: int = 50,
) -> JaxGalSimDraw:
    """Draw one source and time it compiled, vectorised and with its gradient.

    Parameters
    ----------
    radius
        Half-light radius of the disk in arcsec; the bulge has half of it.
    bulge_fraction
        Fraction of the flux in the bulge.
    shear
        Reduced shear g1, g2.
    fwhm
        FWHM of the Moffat PSF (beta 3) in arcsec.
    side, pixel_scale
        Side of the stamp in pixels, and arcsec per pixel.
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
    render = renderer(fwhm=fwhm, side=side, pixel_scale=pixel_scale, fft_side=fft_side)
    source = jnp.asarray([radius, bulge_fraction, *shear, 0.0, 0.0])
    scatter = np.random.default_rng(1).uniform(0.9, 1.1, (batch, len(source)))
    sources = source * scatter.astype(np.float32)

    with CompileClock() as clock, warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Explicitly requested dtype"
        )  # it asks for float64, and draws in float32
        one = jax.jit(render)
        image = np.asarray(one(source))
        compiled = clock.seconds
        many = jax.jit(jax.vmap(render)).lower(sources).compile()
        slope = jax.jit(jax.value_and_grad(lambda values: jnp.sum(render(values) ** 2))).lower(source).compile()
    return JaxGalSimDraw(
        image=image,
        seconds_jit=median_seconds(lambda: jax.block_until_ready(one(source)), repeats=repeats),
        seconds_vmap=median_seconds(lambda: jax.block_until_ready(many(sources)), repeats=max(3, repeats // 10))
        / batch,
        seconds_gradient=median_seconds(lambda: jax.block_until_ready(slope(source)), repeats=repeats),
        seconds_compile=compiled,
    )


def renderer(*, fwhm: float, side: int, pixel_scale: float, fft_side: int) -> Callable:
    """Pure function from (radius, bulge fraction, g1, g2, dx, dy) to an image (side, side)."""
    galsim = require("jax_galsim", "jax_galsim")
    settings = galsim.GSParams(minimum_fft_size=fft_side, maximum_fft_size=fft_side)

    def render(values):
        radius, bulge_fraction, g1, g2, dx, dy = values
        disk = galsim.Exponential(half_light_radius=radius, flux=1 - bulge_fraction, gsparams=settings)
        bulge = galsim.Spergel(nu=-0.6, half_light_radius=radius / 2, flux=bulge_fraction, gsparams=settings)
        psf = galsim.Moffat(beta=3.0, fwhm=fwhm, gsparams=settings)
        galaxy = (disk + bulge).shear(g1=g1, g2=g2).shift(dx, dy)
        convolved = galsim.Convolve([galaxy, psf], gsparams=settings)
        return convolved.drawImage(nx=side, ny=side, scale=pixel_scale).array

    return render
