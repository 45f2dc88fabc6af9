"""Image against true image: errors in the unit of the image, PSNR and SSIM on a common scale, and likeness of form.

Images are (..., y, x), so those of several bands (..., C, y, x) give a number per band. For one number of all bands,
reshape them to (..., C * H, W). The structural similarity has a file of its own, `structural`.

PSNR and SSIM are relative to the range of values that the truth has. The Blending ToolKit (1.0) and MADNESS divide each
of the two images by its own maximum first, and so see no error in flux: half the flux scores as a perfect image. Here
both are divided by one number.

References
----------
.. [1] Biswas et al. 2024, arXiv:2408.15236: MADNESS, with its pixel cosine similarity.
.. [2] Horé & Ziou 2010, 20th Int. Conf. on Pattern Recognition, 2366, doi:10.1109/ICPR.2010.579: PSNR and SSIM.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from jaxblend.metrics.checks import alike, check_axes, real

__all__ = [
    "correlation",
    "cosine_distance",
    "cosine_similarity",
    "flux_weighted_rmse",
    "images",
    "psnr",
    "rmse",
    "truth_range",
]

PIXELS = (-2, -1)


def rmse(image: Any, truth: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Root mean square error, ``sqrt(mean((image - truth)**2))``, in the unit of the image.

    This is what the Blending ToolKit (1.0) calls MSE.

    Parameters
    ----------
    image : (..., H, W) array
        The estimate.
    truth : (..., H, W) array
        The true image, in the same unit.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default.

    Returns
    -------
    (...) array
        0 for the truth itself; NaN where no pixel counts.

    Raises
    ------
    ValueError
        If shapes differ, or pixels that count are NaN or infinite.
    """
    image, truth, where = images(image, truth, where)
    return _root_mean_square(image - truth, jnp.asarray(where, image.dtype))


def flux_weighted_rmse(image: Any, truth: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Root mean square error where the light is, ``sqrt(sum(w (image - truth)**2) / sum(w))``, ``w = max(truth, 0)``.

    Each pixel counts by its true flux, so the result does not fall as the stamp grows, as that of `rmse` does. The
    definition is our own: we know of no published one that says which flux is the weight.

    Parameters
    ----------
    image : (..., H, W) array
        The estimate.
    truth : (..., H, W) array
        The true image, in the same unit.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default.

    Returns
    -------
    (...) array
        In the unit of the image; 0 for the truth itself; NaN where the truth has no light.

    Raises
    ------
    ValueError
        If shapes differ, or pixels that count are NaN or infinite.
    """
    image, truth, _ = images(image, truth, where)
    return _root_mean_square(image - truth, jnp.maximum(truth, 0.0) / _largest(truth))


def psnr(image: Any, truth: Any, *, data_range: Any = None, where: Any = None) -> Float[Array, "..."]:
    """Peak signal to noise ratio in decibel, ``20 log10(R / rmse)`` [2], with R the range of the truth.

    Equal to ``skimage.metrics.peak_signal_noise_ratio(truth, image, data_range=R)``.

    Parameters
    ----------
    image : (..., H, W) array
        The estimate.
    truth : (..., H, W) array
        The true image, in the same unit.
    data_range : number or (...) array, optional
        R. By default the largest minus the smallest value of each true image; give one number to hold all images
        to the same error.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default.

    Returns
    -------
    (...) array
        Infinite for the truth itself; NaN where no pixel counts or the truth is flat and R is not given.

    Raises
    ------
    ValueError
        If shapes differ, pixels that count are NaN or infinite, or R is not positive.
    """
    image, truth, where = images(image, truth, where)
    scale = truth_range(truth, data_range, where)
    error = _root_mean_square(image - truth, jnp.asarray(where, image.dtype))
    return 20.0 * jnp.log10(scale / error)


def cosine_similarity(image: Any, truth: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Cosine of the angle between two images, ``<image, truth> / (|image| |truth|)``: likeness of form, blind to flux.

    MADNESS's pixel cosine similarity [1].

    Parameters
    ----------
    image : (..., H, W) array
        The estimate.
    truth : (..., H, W) array
        The true image.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default.

    Returns
    -------
    (...) array
        From -1 to 1, 1 for the truth times any positive number; 0 for an image without light, NaN where the truth
        has none.

    Raises
    ------
    ValueError
        If shapes differ, or pixels that count are NaN or infinite.
    """
    image, truth, _ = images(image, truth, where)
    return _cosine(image, truth)


def cosine_distance(image: Any, truth: Any, *, where: Any = None) -> Float[Array, "..."]:
    """``1 - cosine_similarity``, to full precision where the two images are nearly alike.

    Parameters
    ----------
    image : (..., H, W) array
        The estimate.
    truth : (..., H, W) array
        The true image.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default.

    Returns
    -------
    (...) array
        From 0 to 2; 1 for an image without light, NaN where the truth has none.

    Raises
    ------
    ValueError
        If shapes differ, or pixels that count are NaN or infinite.
    """
    image, truth, _ = images(image, truth, where)
    image, truth = _unit(image), _unit(truth)
    # In float32 a cosine cannot tell 1e-8 from 0; half the squared chord can.
    distance = 0.5 * jnp.sum((image - truth) ** 2, axis=PIXELS)
    distance = jnp.where(jnp.any(image != 0.0, axis=PIXELS), distance, 1.0)
    return jnp.where(jnp.any(truth != 0.0, axis=PIXELS), distance, jnp.nan)


def correlation(image: Any, truth: Any, *, where: Any = None) -> Float[Array, "..."]:
    """Pearson's correlation of the pixels: the cosine similarity of images less their means.

    What is called scarlet's correlation of recovered and true morphology is either this or `cosine_similarity`; we
    found no definition of it to hold this one against. The two agree as the stamp grows.

    Parameters
    ----------
    image : (..., H, W) array
        The estimate.
    truth : (..., H, W) array
        The true image.
    where : booleans that broadcast to (..., H, W), optional
        Pixels that count; all by default.

    Returns
    -------
    (...) array
        From -1 to 1; blind to flux and to a constant background. 0 for a flat image, NaN where the truth is flat.

    Raises
    ------
    ValueError
        If shapes differ, or pixels that count are NaN or infinite.
    """
    image, truth, where = images(image, truth, where)
    return _cosine(_centred(image, where), _centred(truth, where))


def images(image: Any, truth: Any, where: Any) -> tuple[Array, Array, Array]:
    """Two images of one shape, 0 where they do not count, and where they do."""
    image, truth, where = alike(where, image=image, truth=truth)
    check_axes("image", image.shape, "y, x")
    return image, truth, where


def truth_range(truth: Float[Array, "..."], data_range: Any, where: Bool[Array, "..."]) -> Float[Array, "..."]:
    """Range of true images, measured unless given; NaN where it is 0."""
    if data_range is None:
        largest = jnp.max(truth, axis=PIXELS, where=where, initial=-jnp.inf)
        smallest = jnp.min(truth, axis=PIXELS, where=where, initial=jnp.inf)
        return jnp.where(largest > smallest, largest - smallest, jnp.nan)
    given = real("data_range", data_range)
    if not isinstance(given, Tracer) and not bool(jnp.all((given > 0) & jnp.isfinite(given))):
        raise ValueError(f"data_range must be positive, got {data_range}; leave it out to take the range of the truth")
    try:
        return jnp.broadcast_to(jnp.asarray(given, truth.dtype), truth.shape[:-2])
    except ValueError:
        raise ValueError(
            f"data_range must be one number, or one per image, {truth.shape[:-2]}, got shape {given.shape}"
        ) from None


@jax.jit
def _root_mean_square(error: Float[Array, "..."], weights: Float[Array, "..."]) -> Float[Array, "..."]:
    # Squares of calibrated fluxes (1e-30 of the SI unit) underflow in float32.
    scale = _largest(error)
    mean = jnp.sum(weights * (error / scale) ** 2, axis=PIXELS) / jnp.sum(weights, axis=PIXELS)
    return scale[..., 0, 0] * jnp.sqrt(mean)


@jax.jit
def _centred(image: Float[Array, "..."], where: Bool[Array, "..."]) -> Float[Array, "..."]:
    # What all pixels share goes first: a flat image is then exactly 0, and a bright sky costs no digits.
    image = image - jnp.min(image, axis=PIXELS, keepdims=True, where=where, initial=jnp.inf)
    image = jnp.where(where, image, 0.0)
    return jnp.where(where, image - jnp.mean(image, axis=PIXELS, keepdims=True, where=where), 0.0)


@jax.jit
def _cosine(a: Float[Array, "..."], truth: Float[Array, "..."]) -> Float[Array, "..."]:
    cosine = jnp.sum(_unit(a) * _unit(truth), axis=PIXELS)
    return jnp.where(jnp.any(truth != 0.0, axis=PIXELS), jnp.clip(cosine, -1.0, 1.0), jnp.nan)


def _unit(image: Float[Array, "..."]) -> Float[Array, "..."]:
    """Image over its norm; 0 where that is 0."""
    image = image / _largest(image)
    norm = jnp.sqrt(jnp.sum(image**2, axis=PIXELS, keepdims=True))
    return image / jnp.where(norm > 0.0, norm, 1.0)


def _largest(image: Float[Array, "..."]) -> Float[Array, "... 1 1"]:
    largest = jnp.max(jnp.abs(image), axis=PIXELS, keepdims=True)
    return jnp.where(largest > 0.0, largest, 1.0)
