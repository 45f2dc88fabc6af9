"""Deblended images against true ones: all blends of one stamp shape at once, by one compiled program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxblend.evaluation.blends import Blends
from jaxblend.metrics.aperture import aperture_fluxes, aperture_weights
from jaxblend.metrics.leakage import leakage, light_exchange
from jaxblend.metrics.moments import adaptive_moments
from jaxblend.metrics.reconstruction import correlation, cosine_similarity, flux_weighted_rmse, psnr, rmse
from jaxblend.metrics.segment_blendedness import blended_area, neighbour_flux_ratio
from jaxblend.metrics.segmentation import dice, iou, threshold_mask
from jaxblend.metrics.shape import moments_residual
from jaxblend.metrics.structural import ssim

__all__ = ["APERTURE", "Stamps", "image_scores"]

APERTURE = 2.0  # radius, in sigma of the adaptive moments of the true image
PIXELS_AT_ONCE = 2**24
LIKENESS: dict[str, Callable[..., Float[Array, "..."]]] = {
    "rmse": rmse,
    "flux_weighted_rmse": flux_weighted_rmse,
    "psnr": psnr,
    "ssim": ssim,
    "cosine": cosine_similarity,
    "correlation": correlation,
}


class Stamps(NamedTuple):
    """The images of one blend in one band, or of B blends padded to M sources.

    Attributes
    ----------
    found
        Image of the partner of each true source; 0 where it has none.
    others
        All images of detections that are nobody's partner, summed.
    true
        Each source alone.
    measured
        Whether the partner has a finite image.
    present
        Whether there is a source.
    position
        Pixel x, y of the true sources; any number where there is none.
    field, weight
        What was observed, and its inverse variance.
    """

    found: Float[Any, "*B M H W"]
    others: Float[Any, "*B H W"]
    true: Float[Any, "*B M H W"]
    measured: Bool[Any, "*B M"]
    present: Bool[Any, "*B M"]
    position: Float[Any, "*B M 2"]
    field: Float[Any, "*B H W"]
    weight: Float[Any, "*B H W"]

    @classmethod
    def of(cls, blends: Blends, row: int, images: Float[Any, "n H W"] | None, true, field, weight) -> Stamps:
        """One blend; ``images`` are those of all detections, None where the blend failed."""
        index, size = blends.match.index[row], blends.truth.present.shape[1]
        if images is None:
            images = np.zeros((0, *true.shape[1:]), np.float32)
        finite = np.isfinite(images).all(axis=(1, 2))
        has = index >= 0
        measured = has.copy()
        measured[has] = finite[index[has]]
        found, padded = np.zeros((2, size, *true.shape[1:]), np.float32)
        padded[: len(true)] = true
        found[measured] = images[index[measured]]
        alone = finite & (blends.found.present & (blends.match.true_index < 0))[row, : len(images)]
        present = blends.truth.present[row]
        position = np.where(present[:, None], blends.truth.position[row], 0.0)
        return cls(found, images[alone].sum(axis=0), padded, measured, present, position, field, weight)


def image_scores(stamps: Sequence[Stamps | None]) -> dict[str, np.ndarray]:
    """Score the images of B blends, (B, M) each; NaN where there is nothing to compare, and for blends without images.

    Blends of one stamp shape go through one program, some hundreds at a time.
    """
    shapes = {each.field.shape for each in stamps if each is not None}
    columns: dict[str, np.ndarray] = {}
    for shape in sorted(shapes):
        rows = [row for row, each in enumerate(stamps) if each is not None and each.field.shape == shape]
        alike = [each for each in stamps if each is not None and each.field.shape == shape]
        for name, values in _scores_of_all(alike).items():
            column = columns.setdefault(name, np.full((len(stamps), values.shape[1]), np.nan))
            column[rows] = values
    return columns


def _scores_of_all(stamps: Sequence[Stamps]) -> dict[str, np.ndarray]:
    """In portions of one size, so that one program serves them all: the last one is filled up."""
    size = min(len(stamps), max(1, PIXELS_AT_ONCE // stamps[0].found.size))
    portions = []
    for start in range(0, len(stamps), size):
        portion = list(stamps[start : start + size])
        filled = portion + [portion[0]] * (size - len(portion))
        scores = _scores(Stamps(*(np.stack(arrays) for arrays in zip(*filled, strict=True))))
        portions.append({name: np.asarray(values)[: len(portion)] for name, values in scores.items()})
    return {name: np.concatenate([portion[name] for portion in portions]) for name in portions[0]}


@jax.jit
def _scores(stamps: Stamps) -> dict[str, Float[Array, "B M"]]:
    measured, pixels = stamps.measured, stamps.measured[..., None, None]
    scores = {name: metric(stamps.found, stamps.true, where=pixels) for name, metric in LIKENESS.items()}
    masks, true_masks = (_seen(images, stamps.weight) for images in (stamps.found, stamps.true))
    scores |= {"iou": iou(masks, true_masks), "dice": dice(masks, true_masks)}
    scores |= _moments(stamps) | _apertures(stamps)
    scores = {name: jnp.where(measured, values, jnp.nan) for name, values in scores.items()}
    blending = {
        "blended_area": blended_area(true_masks),
        "neighbour_flux_ratio": neighbour_flux_ratio(stamps.true, true_masks),
    }
    return scores | _light(stamps) | blending


def _seen(images: Float[Array, "B M H W"], weight: Float[Array, "B H W"]) -> Bool[Array, "B M H W"]:
    """Tell the pixels above three standard deviations of the noise."""
    sigma = jnp.where(weight > 0, 1.0 / jnp.sqrt(jnp.where(weight > 0, weight, 1.0)), jnp.inf)
    return threshold_mask(images, sigma[..., None, :, :])


def _moments(stamps: Stamps) -> dict[str, Array]:
    where = stamps.measured[..., None, None]
    error = moments_residual(stamps.found, stamps.true, position=stamps.position, where=where)
    return {
        "moments_g1_residual": error.g[..., 0],
        "moments_g2_residual": error.g[..., 1],
        "moments_size_residual": error.size,
        "moments_converged": jnp.asarray(error.converged, float),
    }


def _apertures(stamps: Stamps) -> dict[str, Array]:
    """Errors of fluxes in apertures that follow the true images; detections that are nobody's count as neighbours."""
    shape = stamps.field.shape[-2:]
    ellipse = adaptive_moments(stamps.true, position=stamps.position, where=stamps.present[..., None, None])
    radius = APERTURE * ellipse.sigma
    weights = aperture_weights(ellipse.position, radius, shape=shape, g=ellipse.g, where=ellipse.converged)
    weights = weights * (stamps.weight > 0)[..., None, :, :]
    found, true = _with_others(stamps)
    none = jnp.zeros_like(stamps.others)[..., None, :, :]
    fluxes = aperture_fluxes(found, true, field=stamps.field, weights=jnp.concatenate([weights, none], axis=-3))
    errors = {
        "aperture_honest": fluxes.honest(),
        "aperture_honest_of_field": fluxes.honest_of_field(),
        "aperture_noise_preserving": fluxes.noise_preserving(),
    }
    return {name: jnp.where(ellipse.converged, values[..., :-1], jnp.nan) for name, values in errors.items()}


def _light(stamps: Stamps) -> dict[str, Array]:
    """Who has whose light. A source that was missed keeps none, and what others have of it is lost."""
    found, true = _with_others(stamps)
    where = jnp.concatenate([stamps.present, jnp.ones_like(stamps.present[..., :1])], axis=-1)
    exchange = light_exchange(leakage(found, true, where=where), true.sum(axis=(-2, -1)), where=where)
    light = {f"light_{name}": values[..., :-1] for name, values in exchange._asdict().items()}
    return light | {"light_gained": jnp.where(stamps.measured, light["light_gained"], jnp.nan)}


def _with_others(stamps: Stamps) -> tuple[Array, Array]:
    """Images with one slot more, for what is found and is nobody's: it has no truth."""
    others = stamps.others[..., None, :, :]
    return jnp.concatenate([stamps.found, others], axis=-3), jnp.concatenate([stamps.true, 0.0 * others], axis=-3)
