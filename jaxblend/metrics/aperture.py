"""Fluxes in elliptical apertures: the honest error, and the noise-preserving one of MADNESS.

The noise-preserving error compares "field minus the models of all others" with "field minus the truths of all others".
The noise, and whatever is wrong with a source's own model, are on both sides and cancel: what is left is how wrong
the neighbours are, the deblending alone. It is no error of the photometry. That is the honest error, against the
noiseless truth.

References
----------
.. [1] Biswas et al. 2025, A&A 700, A129, doi:10.1051/0004-6361/202451887 (MADNESS).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from jaxblend.metrics.checks import alike, mask, real
from jaxblend.metrics.ratio import over_truth

__all__ = ["ApertureFluxes", "aperture_fluxes", "aperture_weights"]


class ApertureFluxes(NamedTuple):
    """Fluxes of n sources, each in its own aperture, in four ways; NaN where a source does not count.

    Attributes
    ----------
    model
        Of the source's own model.
    measured
        Of the field minus the models of all other sources: its own light, their misfit, and the noise.
    true
        Of its noiseless isolated image.
    ideal
        Of the field minus the true images of all other sources: its own light and the noise, that is what perfect
        deblending would measure.
    """

    model: Float[Array, "..."]
    measured: Float[Array, "..."]
    true: Float[Array, "..."]
    ideal: Float[Array, "..."]

    def honest(self) -> Float[Array, "..."]:
        """``(model - true) / true``: the error of the deblended image, as that of `flux_residual`."""
        return over_truth(self.model - self.true, self.true)

    def honest_of_field(self) -> Float[Array, "..."]:
        """``(measured - true) / true``: the error of a flux measured on the field with the neighbours taken away."""
        return over_truth(self.measured - self.true, self.true)

    def noise_preserving(self) -> Float[Array, "..."]:
        """``(measured - ideal) / ideal``: MADNESS's error [1], that of the deblending alone.

        Infinite where noise makes ``ideal`` 0 or less, by the rule of `flux_residual`.
        """
        return over_truth(self.measured - self.ideal, self.ideal)


def aperture_weights(
    position: Any, radius: Any, *, shape: tuple[int, int], g: Any = (0.0, 0.0), where: Any = None
) -> Float[Array, "... H W"]:
    """Share of each pixel that lies inside an elliptical aperture: exact, no sub-pixels.

    The shear that makes the ellipse of a circle is undone. Pixels become parallelograms, and their overlap with the
    circle is a sum over edges of sectors and triangles (Green's theorem).

    Parameters
    ----------
    position : (..., 2) array
        Centre x, y in pixels, (0, 0) being the middle of the first pixel.
    radius : (...) array
        Geometric mean of the semi-axes, ``sqrt(a b)``, in pixels; positive.
    shape : (H, W)
        Of the image.
    g : (..., 2) array
        Reduced shear g1, g2, ``(a - b) / (a + b) exp(2 i phi)``; round by default.
    where : (...) booleans, optional
        Apertures that count.

    Returns
    -------
    (..., H, W) array
        Between 0 and 1; their sum is the aperture's area on the image. 0 where ``where`` is False.

    Raises
    ------
    ValueError
        If shapes do not match; or a radius that counts is not positive, or a ``|g|`` is 1 or more (not seen inside
        ``jax.jit``, where such weights are NaN).
    """
    position, radius, g = real("position", position), real("radius", radius), real("g", g)
    for name, vector in (("position", position), ("g", g)):
        if vector.shape[-1:] != (2,):
            raise ValueError(f"{name} must be (..., 2), got shape {vector.shape}")
    try:
        batch = np.broadcast_shapes(position.shape[:-1], radius.shape, g.shape[:-1])
    except ValueError:
        raise ValueError(
            "position (..., 2), radius (...) and g (..., 2) must be of one number of apertures, got shapes "
            f"{position.shape}, {radius.shape} and {g.shape}"
        ) from None
    where = mask(where, batch)
    x, y, g1, g2, radius = (jnp.broadcast_to(a, batch) for a in (*_parts(position), *_parts(g), radius))
    *ellipse, _ = alike(where, **{"position x": x, "position y": y, "radius": radius, "g1": g1, "g2": g2})
    _check_ellipse(ellipse[2], jnp.hypot(ellipse[3], ellipse[4]), where)
    ellipse[2] = jnp.where(where, ellipse[2], 1.0)
    return jnp.where(where[..., None, None], _overlap(tuple(ellipse), shape), 0.0)


def aperture_fluxes(models: Any, true_images: Any, *, field: Any, weights: Any, where: Any = None) -> ApertureFluxes:
    """Fluxes in apertures of models, truths and the field with neighbours taken away.

    Apertures are those of the truth (`aperture_weights` of the true centres and shapes), the same for all four fluxes.

    Parameters
    ----------
    models : (..., n, H, W) array
        Estimated image of each source.
    true_images : (..., n, H, W) array
        Noiseless images of each source alone.
    field : (..., H, W) array
        The image that was deblended, with its noise, its sky taken off.
    weights : (n, H, W) array, or of the shape of ``models``
        Apertures; 0 at pixels that are masked.
    where : (..., n) booleans, optional
        Sources that count. The others are taken for absent, from models and truths alike.

    Returns
    -------
    ApertureFluxes
        Of shape (..., n), with the errors that follow from them.

    Raises
    ------
    ValueError
        If shapes do not match, or what counts is not finite.
    """
    models, true_images = real("models", models), real("true_images", true_images)
    if models.ndim < 3:
        raise ValueError(f"models must be (..., n, H, W), got shape {models.shape}")
    where = mask(where, models.shape[:-2])
    models, true_images, _ = alike(where[..., None, None], models=models, true_images=true_images)
    weights = real("weights", weights)
    if weights.shape not in (models.shape[-3:], models.shape):
        raise ValueError(f"weights must be {models.shape[-3:]} or {models.shape}, got shape {weights.shape}")
    weights, _ = alike(where[..., None, None], weights=jnp.broadcast_to(weights, models.shape))
    looked_at = (weights != 0).any(axis=-3)
    field = real("field", field)
    if field.shape != looked_at.shape:
        raise ValueError(f"field must be {looked_at.shape} for models {models.shape}, got shape {field.shape}")
    field, _ = alike(looked_at, field=field)
    return _fluxes(field, models, true_images, weights, where)


def _parts(vector: Array) -> tuple[Array, Array]:
    return vector[..., 0], vector[..., 1]


def _check_ellipse(radius: Array, g: Array, where: Array) -> None:
    if any(isinstance(a, Tracer) for a in (radius, g, where)):
        return
    for name, bad, want in (("radius", radius <= 0, "positive"), ("|g|", g >= 1, "below 1")):
        bad = np.asarray(bad & where)
        if bad.any():
            raise ValueError(f"{name} must be {want}, but is not for {bad.sum()} of {int(where.sum())} apertures")


@partial(jax.jit, static_argnames="shape")
def _overlap(ellipse: tuple[Array, ...], shape: tuple[int, int]) -> Float[Array, "... H W"]:
    """Area of each pixel inside the ellipse, found in the frame in which that is the unit circle."""
    x0, y0, radius, g1, g2 = (a[..., None, None] for a in ellipse)
    y, x = (jnp.arange(n + 1, dtype=radius.dtype) - 0.5 for n in shape)
    x, y = jnp.meshgrid(x, y)  # of the corners of pixels
    x, y = x - x0, y - y0
    scale = jnp.where(radius > 0, radius, jnp.nan) * jnp.sqrt(1.0 - g1**2 - g2**2)
    u, v = ((1.0 - g1) * x - g2 * y) / scale, ((1.0 + g1) * y - g2 * x) / scale
    along_x = _swept(u[..., :-1], v[..., :-1], u[..., 1:], v[..., 1:])
    along_y = _swept(u[..., :-1, :], v[..., :-1, :], u[..., 1:, :], v[..., 1:, :])
    around = along_x[..., :-1, :] + along_y[..., 1:] - along_x[..., 1:, :] - along_y[..., :-1]
    # Far from the circle the sectors cancel to rounding: there the weight is to be 0.
    rounding = 10.0 * jnp.finfo(radius.dtype).eps
    return jnp.where(around < rounding, 0.0, jnp.minimum(around * radius**2, 1.0))


def _swept(u: Array, v: Array, u_end: Array, v_end: Array) -> Array:
    """Signed area inside the unit circle that the ray from its middle sweeps on the way along an edge."""
    du, dv = u_end - u, v_end - v
    square, slope = du**2 + dv**2, u * du + v * dv
    discriminant = slope**2 - square * (u**2 + v**2 - 1.0)
    root = jnp.sqrt(jnp.maximum(discriminant, 0.0))
    # Where the edge is inside the circle; an edge that misses it has no such part.
    enter, leave = (jnp.clip((-slope + sign * root) / square, 0.0, 1.0) for sign in (-1.0, 1.0))
    triangle = 0.5 * (leave - enter) * (u * dv - v * du)
    before = _sector(u, v, u + enter * du, v + enter * dv)
    return before + triangle + _sector(u + leave * du, v + leave * dv, u_end, v_end)


def _sector(u: Array, v: Array, u_end: Array, v_end: Array) -> Array:
    return 0.5 * jnp.arctan2(u * v_end - v * u_end, u * u_end + v * v_end)


@jax.jit
def _fluxes(
    field: Float[Array, "... H W"],
    models: Float[Array, "... n H W"],
    true_images: Float[Array, "... n H W"],
    weights: Float[Array, "... n H W"],
    where: Bool[Array, "... n"],
) -> ApertureFluxes:
    def cleaned(images):
        # What is left of the field, and one's own light again.
        return (field - images.sum(axis=-3))[..., None, :, :] + images

    def flux(images):
        return jnp.where(where, (weights * images).sum(axis=(-2, -1)), jnp.nan)

    return ApertureFluxes(flux(models), flux(cleaned(models)), flux(true_images), flux(cleaned(true_images)))
