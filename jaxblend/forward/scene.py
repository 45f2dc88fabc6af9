"""Sources as the renderer sees them: positions on the sky, shapes and a flux per component and band."""

from __future__ import annotations

from typing import Any

import equinox as eqx
from jaxtyping import Bool, Float

from jaxblend.forward.galaxies import AbstractGalaxy

__all__ = ["Sources"]


class Sources(eqx.Module):
    """K sources of one galaxy model; a slot with ``present`` False contributes nothing.

    Fluxes are total, in the unit of the image; positions are tangent-plane arcsec.
    """

    position: Float[Any, "*K 2"]
    shape: Float[Any, "*K n"]
    flux: Float[Any, "*K components C"]
    present: Bool[Any, "*K"]
    model: AbstractGalaxy
