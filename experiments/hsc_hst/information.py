"""What a second image adds, at one and the same model: flux errors with and without it.

Errors of two fits also differ because the fits end at different models; here the model is that of the joint fit.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.blends import on_device
from jaxblend.forward.likelihood import weighted_residual
from jaxblend.infer.posterior import in_bands


def flux_error_ratios(joint):
    """Error of each source's flux in each band (n, C), all observations over the first alone, at the joint fit."""
    parts, slopes = _curvatures(on_device(joint.item), jnp.asarray(joint.result.u))
    slopes = np.asarray(slopes, float)
    size = slopes.shape[-1]
    prior = np.eye(size)
    first = prior + np.asarray(parts[0], float)
    everything = prior + sum(np.asarray(part, float) for part in parts)
    with_all, without = (np.einsum("kcd,de,kce->kc", slopes, np.linalg.inv(h), slopes) for h in (everything, first))
    return np.sqrt(with_all / without)[: joint.n]


@eqx.filter_jit
def _curvatures(item, u):
    """J^T J of every exposure (KD, KD), and the slopes of the log fluxes in u (K, C, KD)."""
    blend = item.blend()

    def residuals(flat, exposure, bands):
        sources = in_bands(blend.sources(flat.reshape(u.shape)), bands)
        return weighted_residual(sources, exposure).reshape(-1)

    def log_fluxes(flat):
        vectors = jax.vmap(blend.prior.physical)(flat.reshape(u.shape))
        return vectors[:, 2 : 2 + blend.n_bands]

    parts = []
    for exposure, bands in blend.with_bands():
        jacobian = jax.jacfwd(residuals)(u.reshape(-1), exposure, bands)
        parts.append(jacobian.T @ jacobian)
    return parts, jax.jacfwd(log_fluxes)(u.reshape(-1))
