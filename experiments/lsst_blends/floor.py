"""The flux errors to expect: the Fisher matrix, prior included, at the true parameters of a blend."""

import equinox as eqx
import jax
import numpy as np

from jaxblend.fitting.prepare import prepare
from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.infer import laplace
from jaxblend.infer.columns import exact_normal_equations
from jaxblend.simulation.vectors import bulge_disk_vectors


@eqx.filter_jit
def _information(vectors, item):
    blend = item.blend()
    u = jax.vmap(blend.prior.whitened)(vectors)
    return exact_normal_equations(u, blend)[0], jax.vmap(jax.jacfwd(blend.prior.physical))(u)


def flux_floor(simulated, observation, survey, band, **options) -> np.ndarray:
    """Standard deviation (n,) of the log flux in a band, at the truth as `BulgeDisk` can describe it."""
    item = prepare((observation,), simulated.positions, model=BulgeDisk(), **options)
    vectors = bulge_disk_vectors(simulated.sources, survey)
    n, (slots, size) = len(vectors), (len(item.present), item.prior.size)
    padded = np.concatenate([vectors, np.repeat(vectors[:1], slots - n, axis=0)]).astype(np.float32)
    hessian, slopes = _information(padded, item)
    covariance = laplace.covariance(np.asarray(hessian)).reshape(slots, size, slots, size)
    column = item.prior.names.index(f"log_flux_{band}")
    return np.array([np.sqrt(slopes[i, column] @ covariance[i, :, i] @ slopes[i, column]) for i in range(n)])
