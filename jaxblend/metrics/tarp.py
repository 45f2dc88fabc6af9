"""Are joint posteriors right? Distances of draws and truth to a reference point (TARP).

References
----------
.. [1] Lemos, Coogan, Hezaveh & Perreault-Levasseur 2023, ICML, PMLR 202, 19256, arXiv:2302.03026.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Key

from jaxblend.metrics.calibration import truth_quantile
from jaxblend.metrics.draws import centred, numbers, relative_weights

__all__ = ["tarp"]

# Between the mean itself, from where widths and correlations show best but not all that is wrong with a shape, and
# references farther off.
OWN_REFERENCES = 0.5
JITTER = 1e-5  # of the correlation matrix, whose factor float32 is to carry


def tarp(
    draws: Any, truth: Any, *, key: Key[Array, ""], references: Any = None, weights: Any = None
) -> Float[Array, " N"]:
    """Share of draws that lie nearer to a reference point than the truth: uniform if joint posteriors are right [1].

    The ECDF of the result is the expected coverage of balls around the references against their credibility, so
    ``ecdf_test(tarp(...))`` is the TARP curve with an exact simultaneous band; give it ``blend`` where two objects
    come from one blend. The share is made continuous as in `pit`, and needs independent draws as well.

    Distances are Euclidean in coordinates in which each object's own draws, and its truth as one more of them, have
    unit covariance. Truth and draws are treated alike, so right posteriors stay exactly uniform; arcsec and fluxes
    come to one scale, and a sum of fluxes that is known well counts as much as a difference that is not.

    References may depend on the data but not on the truth. Those drawn by default, half a standard deviation around
    the mean of each object's draws, show wrong widths and correlations. Coming from all sides, they are weak against
    a bias that all objects share: one reference for all, far off, ``references=[-1e6, 0]``, is strong along its
    direction. No choice tells right posteriors from the prior.

    Parameters
    ----------
    draws : (N, S, D) array
        Posterior draws of D joint quantities, such as the fluxes of two neighbours.
    truth : (N, D) array
        The true values.
    key : jax.random.key
        Draws references, and breaks ties.
    references : (N, D) or (D,) array, optional
        Reference points, in the units of ``truth``.
    weights : (N, S) array, optional
        Importance weights, known up to a factor per object.

    Returns
    -------
    (N,) array
        To be tested by `ecdf_test`.

    Raises
    ------
    ValueError
        If shapes do not match, or anything is NaN.
    """
    key_reference, key_spread = jax.random.split(key)
    difference, reference = _centred(draws, truth, references)
    weights = relative_weights(weights, difference.shape)
    x, mean, reference = _whitened(difference, weights, reference)
    if references is None:
        reference = mean + OWN_REFERENCES * jax.random.normal(key_reference, mean.shape)
    excess = _excess_distance(x, reference)
    return truth_quantile(excess, weights, jax.random.uniform(key_spread, excess.shape[:1]))


def _centred(draws: Any, truth: Any, references: Any) -> tuple[Float[Array, "N S D"], Float[Array, "N D"]]:
    """Draws and references minus truth, in one scale; references at the truth, of no use, for None."""
    shape = np.shape(draws)
    if len(shape) != 3:
        raise ValueError(f"draws must be (objects, draws, quantities), got shape {shape}; of one quantity, use pit")
    if references is None:
        difference = centred(draws, truth)
        return difference, jnp.zeros_like(difference[:, 0])
    n, _, d = shape
    references = numbers("references", references)
    if references.shape not in ((d,), (n, d)):
        raise ValueError(f"references must be ({n}, {d}) or ({d},), got shape {references.shape}")
    if not np.isfinite(references).all():
        raise ValueError(f"references has {np.sum(~np.isfinite(references))} entries that are NaN or infinite")
    xp = jnp if isinstance(draws, Tracer) else np
    both = xp.concatenate([xp.asarray(draws), np.broadcast_to(references, (n, d))[:, None]], axis=1)
    difference = centred(both, truth)
    return difference[:, :-1], difference[:, -1]


@jax.jit
def _whitened(
    difference: Float[Array, "N S D"], weights: Float[Array, "N S"], reference: Float[Array, "N D"]
) -> tuple[Float[Array, "N S D"], Float[Array, "N D"], Float[Array, "N D"]]:
    """Draws, their mean and a reference in coordinates in which draws and truth together have unit covariance."""
    # As one more draw the truth, at 0, has the mean weight. Were it left out, its distance in units of the spread
    # would be larger than that of the draws, by one part in S.
    own = 1.0 / difference.shape[1]
    share = (weights / (1.0 + own))[..., None]
    mean = (share * difference).sum(axis=1)
    centred = difference - mean[:, None]
    covariance = jnp.einsum("nsi,nsj->nij", share * centred, centred)
    covariance += own / (1.0 + own) * mean[:, :, None] * mean[:, None, :]
    variance = jnp.diagonal(covariance, axis1=1, axis2=2)
    sigma = jnp.where(variance > 0, jnp.sqrt(variance), 1.0)
    correlation = covariance / (sigma[:, :, None] * sigma[:, None, :]) + JITTER * jnp.eye(mean.shape[1])
    factor = jnp.linalg.cholesky(correlation)

    def whiten(x):
        scaled = jnp.swapaxes(x / sigma[:, None], 1, 2)
        return jnp.swapaxes(jax.scipy.linalg.solve_triangular(factor, scaled, lower=True), 1, 2)

    return whiten(difference), whiten(mean[:, None])[:, 0], whiten(reference[:, None])[:, 0]


@jax.jit
def _excess_distance(x: Float[Array, "N S D"], reference: Float[Array, "N D"]) -> Float[Array, "N S"]:
    """Squared distance to the reference of each draw minus that of the truth, which lies at 0."""
    # |x - r|^2 - |r|^2, without the cancellation that a far reference would bring.
    return (x * (x - 2.0 * reference[:, None])).sum(axis=-1)
