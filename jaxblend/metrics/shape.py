"""How good are shapes? Ellipticities and sizes, of fits and of moments, against the truth.

Ellipticity is the reduced shear ``g = (a - b) / (a + b) exp(2 i phi)``, with GalSim's sign. Others report the
distortion ``e = (a^2 - b^2) / (a^2 + b^2) exp(2 i phi)``, which is about twice that: `distortion` of both sides makes
their residuals. Which definition of an ellipse of which light is meant (that of a model, of the PSF-convolved image)
must be the same for estimate and truth.

References
----------
.. [1] Bartelmann & Schneider 2001, Phys. Rep. 340, 291, section 4.2: both ellipticities, there epsilon and chi, and the
   formulas from one to the other.
.. [2] Hirata & Seljak 2003, MNRAS 343, 459: adaptive moments.
.. [3] Heymans et al. 2006, MNRAS 368, 1323 (STEP): errors of shears as differences, and their bias as a line.
.. [4] Hyndman & Koehler 2006, Int. J. Forecast. 22, 679: relative ("percentage") errors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from jaxblend.metrics.checks import alike, mask, real
from jaxblend.metrics.moments import adaptive_moments
from jaxblend.metrics.ratio import over_truth

__all__ = [
    "MomentsResidual",
    "distortion",
    "ellipticity_residual",
    "moments_residual",
    "reduced_shear",
    "size_residual",
]


class MomentsResidual(NamedTuple):
    """Errors of the adaptive moments of images; NaN where either image has none.

    Attributes
    ----------
    g
        Error of the reduced shear.
    size
        Relative error of sigma.
    position
        Error of the centre x, y, in pixels.
    converged
        Whether moments of both images were found.
    """

    g: Float[Array, "... 2"]
    size: Float[Array, "..."]
    position: Float[Array, "... 2"]
    converged: Bool[Array, "..."]


def distortion(g: Any, *, where: Any = None) -> Float[Array, "... 2"]:
    """Distortion of a reduced shear, ``e = 2 g / (1 + |g|^2)`` [1].

    Parameters
    ----------
    g : (..., 2) array
        Reduced shears, ``|g| < 1``.
    where : (...) booleans, optional
        Which count.

    Returns
    -------
    (..., 2) array
        e1, e2; NaN where ``where`` is False.

    Raises
    ------
    ValueError
        If what counts is not finite, or ``|g|`` is 1 or more (not seen inside ``jax.jit``, where that gives NaN).
    """
    g, square, where = _vectors("g", g, where)
    return jnp.where(where & (square < 1), 2.0 * g / (1.0 + square), jnp.nan)


def reduced_shear(e: Any, *, where: Any = None) -> Float[Array, "... 2"]:
    """Reduced shear of a distortion, ``g = e / (1 + sqrt(1 - |e|^2))`` [1].

    Parameters
    ----------
    e : (..., 2) array
        Distortions, ``|e| < 1``.
    where : (...) booleans, optional
        Which count.

    Returns
    -------
    (..., 2) array
        g1, g2; NaN where ``where`` is False.

    Raises
    ------
    ValueError
        If what counts is not finite, or ``|e|`` is 1 or more (not seen inside ``jax.jit``, where that gives NaN).
    """
    e, square, where = _vectors("e", e, where)
    return jnp.where(where & (square < 1), e / (1.0 + jnp.sqrt(jnp.maximum(1.0 - square, 0.0))), jnp.nan)


def ellipticity_residual(g: Any, true_g: Any, *, where: Any = None) -> Float[Array, "... 2"]:
    """Ellipticity error, ``g - g_true``, component by component [3].

    Parameters
    ----------
    g, true_g : (..., 2) arrays
        Ellipticities in one definition; for reduced shears, those of a fit and of the truth, or of moments.
    where : (...) booleans, optional
        Sources that count.

    Returns
    -------
    (..., 2) array
        For `residual_summary`, or `shear_bias`; NaN where ``where`` is False.

    Raises
    ------
    ValueError
        If shapes differ, or what counts is not finite.
    """
    g, true_g, where = alike(_of_vectors("g", g, where), g=g, true_g=true_g)
    return jnp.where(where, g - true_g, jnp.nan)


def size_residual(size: Any, true_size: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Relative size error, ``(r - r_true) / r_true`` [4].

    Parameters
    ----------
    size, true_size : (...) arrays
        Half-light radii, or sigmas of moments, in one unit.
    where : (...) booleans, optional
        Sources that count.

    Returns
    -------
    (...) array
        Relative errors. Of a point source, whose true size is 0: 0 if the estimate is 0, else infinite. NaN where
        ``where`` is False.

    Raises
    ------
    ValueError
        If shapes differ, or what counts is not finite.
    """
    size, true_size, where = alike(where, size=size, true_size=true_size)
    return jnp.where(where, over_truth(size - true_size, true_size), jnp.nan)


def moments_residual(
    image: Any, true_image: Any, *, position: Any = None, sigma: float = 5.0, where: Any = None
) -> MomentsResidual:
    """Errors of ellipticity, size and centre by adaptive moments [2] of estimated and true image.

    Both images are convolved with the PSF, or neither is: it stays in the moments of both.

    Parameters
    ----------
    image, true_image : (..., H, W) arrays
        Deblended image of each source, and its noiseless isolated image.
    position : (..., 2) array, optional
        Pixels x, y to start from, such as the true centres; the middle of the image by default.
    sigma : float
        Size to start from, in pixels.
    where : (..., H, W) booleans, optional
        Pixels that count; of whole sources, give ``where[..., None, None]``.

    Returns
    -------
    MomentsResidual
        Errors, and whether they could be had: how many could not belongs to the result.

    Raises
    ------
    ValueError
        If shapes differ, or what counts is not finite.
    """
    image, true_image, where = alike(where, image=image, true_image=true_image)
    estimate, truth = (
        adaptive_moments(one, position=position, sigma=sigma, where=where) for one in (image, true_image)
    )
    converged = estimate.converged & truth.converged
    return MomentsResidual(
        estimate.g - truth.g, estimate.sigma / truth.sigma - 1.0, estimate.position - truth.position, converged
    )


def _of_vectors(name: str, vectors: Any, where: Any) -> Bool[Array, "... 2"]:
    """A mask of vectors for their components."""
    shape = jnp.shape(vectors)
    if shape[-1:] != (2,):
        raise ValueError(f"{name} must be (..., 2), got shape {shape}")
    return jnp.broadcast_to(mask(where, shape[:-1])[..., None], shape)


def _vectors(name: str, vectors: Any, where: Any) -> tuple[Array, Array, Array]:
    """Vectors, their squares, and which count: those of length 1 or more must not."""
    vectors, where = alike(_of_vectors(name, real(name, vectors), where), **{name: vectors})
    square = (vectors**2).sum(axis=-1, keepdims=True)
    if not (isinstance(square, Tracer) or isinstance(where, Tracer)):
        long = np.asarray(where & (square >= 1))[..., 0]
        if long.any():
            raise ValueError(f"|{name}| must be below 1, but is not for {long.sum()} of {long.size} sources")
    return vectors, square, where
