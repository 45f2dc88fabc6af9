"""Blends drawn on the device, as arrays."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["DrawnBlends"]


class DrawnBlends(eqx.Module):
    """Drawn blends as arrays: a pytree with a leading axis per `vmap`, none for a single blend.

    Attributes
    ----------
    u : (..., K, D)
        Whitened parameters of each slot, N(0, 1) where they are drawn from the prior. Empty slots have some, too.
    vectors : (..., K, D)
        Physical parameters, ``prior.physical(u)``.
    seeds : (..., K, 2)
        Sky positions in arcsec that the offsets in `vectors` count from; pixels by ``sampler.frame.sky_to_pixel``.
    present : (..., K) bool
        Which slots hold a source: the first ones.
    is_star : (..., K) bool
        Which slots hold a star, whose shape parameters mean nothing.
    row : (..., K) int
        Row of the catalogue; -1 where sources are drawn from the prior.
    isolated : (..., K, C, H, W)
        Each source alone, without noise, electrons; 0 for empty slots.
    image : (..., C, H, W)
        All sources, with noise, sky subtracted, electrons.
    """

    u: Float[Any, "*B K D"]
    vectors: Float[Any, "*B K D"]
    seeds: Float[Any, "*B K 2"]
    present: Bool[Any, "*B K"]
    is_star: Bool[Any, "*B K"]
    row: Int[Any, "*B K"]
    isolated: Float[Any, "*B K C H W"]
    image: Float[Any, "*B C H W"]

    @property
    def offsets(self) -> Any:
        """True places (..., K, 2) along x and y from the stamp centre, arcsec."""
        return self.seeds + self.vectors[..., :2]

    def one(self, index: int | None = None) -> DrawnBlends:
        """Take one blend, as NumPy arrays, without a leading axis.

        Parameters
        ----------
        index : int, optional
            Which of them; needed where there is a leading axis, and only there.

        Raises
        ------
        ValueError
            If the index does not name one blend.
        """
        if self.image.ndim == 3 and index is None:
            return jax.tree.map(np.asarray, self)
        n = len(self.image) if self.image.ndim == 4 else 0
        # JAX would take an index beyond the end for the last.
        if index is None or not -n <= index < n:
            raise ValueError(
                f"Got index={index} for images of shape {self.image.shape}: give the number of one of the blends "
                "along the first of four axes, and none where there are three."
            )
        return jax.tree.map(lambda leaf: np.asarray(leaf[index]), self)
