"""How large the networks of a deblending encoder are."""

from __future__ import annotations

import dataclasses

import jax
from flax import nnx

from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.nets.deblender import Encoder, Glance, Look
from jaxblend.priors.prior import parameter_names

__all__ = ["EncoderSize", "make_encoder"]


@dataclasses.dataclass(frozen=True)
class EncoderSize:
    """Sizes of the networks and of what they see.

    Attributes
    ----------
    side
        Pixels of a stamp along each axis, an odd number.
    patch
        Of a patch, which divides the side.
    width, blocks
        Features of a patch, and how often they are mixed.
    """

    side: int = 45
    patch: int = 5
    width: int = 96
    blocks: int = 4

    def __post_init__(self):
        for name in ("side", "patch", "width", "blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.side % 2 == 0 or self.side % self.patch:
            raise ValueError(f"side must be odd and a multiple of patch, got {self.side} and {self.patch}")


def make_encoder(size: EncoderSize, n_bands: int, key) -> Encoder:
    """Untrained networks for bulges and disks in so many bands."""
    parameters = len(parameter_names(BulgeDisk(), [f"band{c}" for c in range(n_bands)]))
    common = {"bands": n_bands, "size": parameters, **dataclasses.asdict(size)}
    first, second = jax.random.split(key)
    return Encoder(Glance(**common, rngs=nnx.Rngs(first)), Look(**common, rngs=nnx.Rngs(second)))
