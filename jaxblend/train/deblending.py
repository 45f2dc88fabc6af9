"""Training of the deblending encoders by neural posterior estimation: what is minimised, and on what."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.stats import norm

from jaxblend.forward.likelihood import Exposure
from jaxblend.infer.each import each
from jaxblend.nets.deblender import Encoder, Glance, Look
from jaxblend.nets.encode import Field, ask, glance_at
from jaxblend.train.blends import Drawing, draw_training_blend

__all__ = ["LEVELS", "Judgement", "batch_of_blends", "glance_loss", "judge", "look_loss"]

LEVELS = (0.68, 0.9, 0.95)


def glance_loss(glance: Glance, key, *, drawing: Drawing, blends: int):
    """Mean over the known sources of fresh blends of minus the log density of their true ``u``, in nats."""
    u, counted, fields = batch_of_blends(key, drawing, blends)
    _, said = glance_at(glance, fields)
    return _mean(said.negative_log_density(u), counted), {}


def look_loss(look: Look, key, *, glance: Glance, drawing: Drawing, blends: int):
    """The same of the answer; beside it those at a glance and of the models between them."""
    u, counted, fields = batch_of_blends(key, drawing, blends)
    said = ask(Encoder(glance, look), fields)
    nats = {name: _mean(one.negative_log_density(u), counted) for name, one in said._asdict().items()}
    return nats.pop("answer"), nats


class Judgement(NamedTuple):
    """Of one of the distributions that an encoder goes through: nats of a source, and shares of truths in intervals.

    ``inside`` (levels,) is the mean over parameters, ``farthest`` the parameter's that is farthest from its level.
    """

    nats: float
    inside: np.ndarray
    farthest: np.ndarray


def judge(encoder: Encoder, key, *, drawing: Drawing, batches: int, blends: int) -> dict[str, Judgement]:
    """Hold an encoder against the known sources of fresh blends."""
    held = eqx.filter_jit(lambda encoder, key: _asked(encoder, key, drawing, blends))
    parts = [held(encoder, jax.random.fold_in(key, i)) for i in range(batches)]
    counted = np.concatenate([np.asarray(counted).ravel() for counted, _ in parts])
    limits = norm.ppf(0.5 + 0.5 * np.asarray(LEVELS))
    found = {}
    for name in parts[0][1]:
        nats, z = (np.concatenate([_rows(part[1][name][i]) for part in parts])[counted] for i in range(2))
        shares = np.mean(np.abs(z)[:, :, None] < limits, axis=0)
        far = np.argmax(np.abs(shares - LEVELS), axis=0)
        found[name] = Judgement(float(nats.mean()), shares.mean(0), shares[far, np.arange(len(LEVELS))])
    return found


def _asked(encoder: Encoder, key, drawing: Drawing, blends: int):
    """Which slots count; of each distribution the nats, and the deviations in units of the errors."""
    u, counted, fields = batch_of_blends(key, drawing, blends)
    said = ask(encoder, fields)._asdict()
    return counted, {name: (one.negative_log_density(u), (u - one.mean) / one.errors()) for name, one in said.items()}


def _rows(array) -> np.ndarray:
    array = np.asarray(array)
    return array.reshape(-1, *array.shape[2:])


def batch_of_blends(key, drawing: Drawing, blends: int) -> tuple[Array, Array, Field]:
    """True ``u`` (B, K, D) of so many blends, which of them are known sources, and what an encoder is given."""
    drawn = each(lambda key: draw_training_blend(key, drawing), jax.random.split(key, blends))
    frame, zero_point, prior = (_repeated(x, blends) for x in (drawing.frame, drawing.zero_point, drawing.prior))
    exposure = Exposure(drawn.image, drawn.root_weight, drawn.transfer, frame)
    return drawn.u, drawn.present & drawn.known, Field(exposure, zero_point, drawn.positions, drawn.known, prior)


def _repeated(tree: Any, n: int) -> Any:
    """The same for each of n blends."""
    return jax.tree.map(lambda x: jnp.broadcast_to(jnp.asarray(x), (n, *np.shape(x))) if eqx.is_array(x) else x, tree)


def _mean(nats: Float[Array, "B K"], counted: Array) -> Float[Array, ""]:
    return jnp.sum(jnp.where(counted, nats, 0.0)) / jnp.maximum(jnp.sum(counted), 1)
