"""What an encoder says of whole blends: the same for those that it is trained on and those of users."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.forward.likelihood import Exposure
from jaxblend.infer.each import each
from jaxblend.infer.posterior import Blend
from jaxblend.nets.approach import approach
from jaxblend.nets.normal import Normal
from jaxblend.nets.target import Target, target_stamps
from jaxblend.priors import Prior

if TYPE_CHECKING:
    from jaxblend.nets.deblender import Encoder, Glance

__all__ = ["Field", "Followed", "Said", "ask", "follow", "glance_at"]


class Field(eqx.Module):
    """A blend as an encoder is given it: one exposure and K positions in pixels (x, y), of which some are known.

    ``prior`` is that of each source, bulge and disk, in all bands.
    """

    exposure: Exposure
    zero_point: Float[Any, "*B C"]
    positions: Float[Any, "*B K 2"]
    known: Bool[Any, "*B K"]
    prior: Prior

    def blend(self) -> Blend:
        """Sources at the known positions."""
        frame = self.exposure.frame
        seeds = jnp.asarray(frame.pixel_to_sky(self.positions), self.positions.dtype)
        bands = (tuple(range(self.exposure.image.shape[-3])),)
        return Blend((self.exposure,), seeds, self.known, jnp.zeros_like(self.known), self.prior, BulgeDisk(), bands)


class Said(NamedTuple):
    """Distributions of the ``u`` of every slot: at a glance, of the models that came of it, and the answer."""

    glance: Normal
    found: Normal
    answer: Normal


class Followed(NamedTuple):
    """What the models of a blend have become, stamps without those of neighbours, and of each target's own model."""

    found: Normal
    image: Float[Array, "*B K C S S"]
    own: Float[Array, "*B K C S S"]


def ask(encoder: Encoder, fields: Field) -> Said:
    """Of B blends (leading axis) with K slots each: distributions with axes (B, K)."""
    many = fields.known.shape
    targets, begin = glance_at(encoder.glance, fields)
    found, image, own = map(_flat, follow(begin.mean, fields, encoder.look.side))
    answer = encoder.look(_flat(targets)._replace(image=image), own, _flat(begin), found)
    return Said(begin, *(jax.tree.map(lambda x: x.reshape(*many, *x.shape[1:]), one) for one in (found, answer)))


def glance_at(glance: Glance, fields: Field) -> tuple[Target, Normal]:
    """Stamps of all slots (B, K), and what is seen at a glance."""
    targets = _each(lambda field: _targets(field, glance.side), fields)
    return targets, jax.tree.map(lambda x: x.reshape(*fields.known.shape, *x.shape[1:]), glance(_flat(targets)))


def follow(begin: Float[Array, "B K D"], fields: Field, side: int) -> Followed:
    """Let the models of each blend find together what fits, from the means at a glance."""

    def one(field, mean):
        found, light = approach(mean, field.blend())
        image = field.exposure.image - light.sum(0) + light  # of each target without its neighbours
        return Followed(found, _targets(field, side, image).image, _targets(field, side, light).image)

    return _each(one, fields, begin)


def _targets(field: Field, side: int, images: Array | None = None) -> Target:
    """Stamps about the slots; of an image of its own for each, if these are given."""
    exposure = field.exposure

    def cut(image, positions, known):
        return target_stamps(
            image, exposure.root_weight, exposure.transfer, field.zero_point, exposure.frame, positions, known, side
        )

    if images is None:
        return cut(exposure.image, field.positions, field.known)
    one = jax.vmap(lambda image, position, known: cut(image, position[None], known[None]))
    return jax.tree.map(lambda x: x[:, 0], one(images, field.positions, field.known))


def _each(function: Callable, fields: Field, *others: Array) -> Any:
    """``each``, of modules that hold more than arrays."""
    arrays, static = eqx.partition(fields, eqx.is_array)
    return each(lambda given: function(eqx.combine(given[0], static), *given[1:]), (arrays, *others))


def _flat(tree):
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), tree)
