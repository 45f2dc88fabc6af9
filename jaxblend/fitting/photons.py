"""Photon noise of the model itself: weights of the sky alone are given, and the sources' own light is added by a fit.

Weights from the data would count upward fluctuations as noisier than downward ones and pull fluxes low; weights from
the model, held fixed while it is fitted again, do not. They solve the likelihood equations of a Poisson variance
(iteratively reweighted least squares: Charnes, Frome & Yu 1976, J. Am. Stat. Assoc. 71, 169).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxblend.fitting.prepare import Item
from jaxblend.forward.render import render
from jaxblend.infer.posterior import in_bands

__all__ = ["has_photon_noise", "normalisation", "sky_share", "with_photon_noise", "with_root_weights"]


def sky_share(weight: Float[Any, "C H W"], light: Float[Any, "C H W"], gain: Float[Any, " C"]) -> Float[Any, "C H W"]:
    """The part of 1 / weight in 1 / weight + max(light, 0) / gain, the variance with the photon noise of that light.

    Times it, a weight becomes that of both.

    Parameters
    ----------
    weight, light
        Of NumPy or of JAX; light in the unit of the image.
    gain
        Photons per unit of flux.
    """
    return 1 / (1 + weight * light.clip(0) / gain[:, None, None])


def has_photon_noise(item: Item) -> bool:
    """Whether an image of the blend has a gain."""
    return any(gain is not None for gain in item.gains)


def with_photon_noise(item: Item, u) -> Item:
    """The blend with 1 / weight + max(model, 0) / gain as the variance of every pixel, in the model of ``u``."""
    blend = item.blend()
    sources, roots = blend.sources(u), []
    for (exposure, bands), gain in zip(blend.with_bands(), item.gains, strict=True):
        root = exposure.root_weight
        if gain is not None:
            model = render(in_bands(sources, bands), exposure.frame, exposure.transfer)
            root = root * jnp.sqrt(sky_share(root**2, model, jnp.asarray(gain)))
        roots.append(root)
    return with_root_weights(item, tuple(roots))


def with_root_weights(item: Item, root_weights) -> Item:
    """The blend with weights that hold all of the noise."""
    if root_weights is None:
        return item
    return dataclasses.replace(item, root_weights=root_weights, gains=(None,) * len(item.gains))


def normalisation(item: Item, observations) -> float:
    """Log of the noise's normalisation over that of the given weights: models of different light differ in it."""
    total = 0.0
    for observation, root in zip(observations, item.root_weights, strict=True):
        if observation.gain is not None:
            weight = np.asarray(observation.weight, float)
            own = np.asarray(root, float)[:, : weight.shape[1], : weight.shape[2]]
            used = (weight > 0) & (own > 0)
            total += float(np.log(own[used] / np.sqrt(weight[used])).sum())
    return total
