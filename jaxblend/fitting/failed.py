"""The place of a blend that could not be fitted: a result of NaN, flagged, so that the rest of a batch goes on."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import numpy as np

from jaxblend.fitting.prepare import prepare
from jaxblend.fitting.result import Fit
from jaxblend.fitting.solve import compute

__all__ = ["failed_fit"]


def failed_fit(observations, positions, message: str, reference: int, **options) -> Fit:
    """A ``Fit`` with as many rows as there are positions, all NaN and flagged, and the message in its context.

    Raises what ``prepare`` raises where even blank images cannot be fitted: then the fault is not the blend's.
    """
    n = max(len(positions), 1) if np.ndim(positions) == 2 else 1
    blank = tuple(o.replace(weight=_somehow(o.weight), image=np.zeros_like(o.image)) for o in observations)
    item = prepare(blank, np.repeat(_middle(blank), n, axis=0), **options)
    shapes = eqx.filter_eval_shape(compute, item, reference)
    result, summary, _ = jax.tree.map(_nothing, shapes)
    fit = Fit.of(observations, item, result, summary, reference=reference, keep=True)
    # Nothing can be drawn of it: it is kept without images, like a fit whose images were let go.
    return dataclasses.replace(fit, observations=(), item=None, context={**fit.context, "message": message})


def _somehow(weight: np.ndarray) -> np.ndarray:
    """The weight itself where every band has some, which is as deep as the zero point says."""
    return weight if np.any(weight > 0, axis=(1, 2)).all() else np.ones_like(weight)


def _middle(observations) -> np.ndarray:
    first = observations[0]
    if len(observations) == 1:
        return np.array([first.frame.centre])
    if first.wcs is None:
        return np.zeros((1, 2))
    return np.array([first.wcs.pixel_to_world_values(*first.frame.centre)], float)


def _nothing(leaf) -> np.ndarray:
    return np.full(leaf.shape, np.nan if np.issubdtype(leaf.dtype, np.floating) else 0, leaf.dtype)
