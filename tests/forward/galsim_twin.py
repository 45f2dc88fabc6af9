"""One source drawn by the renderer and by GalSim."""

import equinox as eqx
import galsim
import jax.numpy as jnp
import numpy as np

from jaxblend.forward.render import render
from jaxblend.forward.scene import Sources

ACCURATE = galsim.GSParams(
    folding_threshold=1e-4, maxk_threshold=1e-5, kvalue_accuracy=1e-7, stepk_minimum_hlr=20, maximum_fft_size=4096
)


def sources(model, shape, *, position=(0.0, 0.0), flux=None, present=True):
    """K = 1 sources with total flux 1 in one band."""
    flux = np.full(model.n_components, 1 / model.n_components) if flux is None else np.asarray(flux)
    shape = jnp.asarray(shape, float).reshape(1, -1)
    return Sources(
        jnp.asarray(position, float)[None], shape, jnp.asarray(flux, float)[None, :, None], jnp.array([present]), model
    )


def ours(model, shape, psf, frame, **keywords):
    return np.asarray(_render(sources(model, shape, **keywords), frame, psf.transfer(frame)))[0]


_render = eqx.filter_jit(render)


def theirs(galaxy, psf, frame, position=(0.0, 0.0)):
    parts = [part for part in (galaxy, psf) if part is not None]
    whole = galsim.Convolve(parts, gsparams=ACCURATE).shift(*position)
    wcs = galsim.JacobianWCS(*np.asarray(frame.jacobian).ravel())
    height, width = frame.shape
    return whole.drawImage(nx=width, ny=height, wcs=wcs, method="auto", dtype=float).array


def difference(image, truth):
    """Largest difference over the peak."""
    return np.abs(image - truth).max() / truth.max()
