"""Trained deblending encoders in files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxblend.io.weights import read_weights, write_weights

if TYPE_CHECKING:
    from jaxblend.nets.deblender import Encoder
    from jaxblend.nets.sizes import EncoderSize

__all__ = ["KIND", "DeblendingEncoder", "write_encoder"]

KIND = "deblending encoder"


class DeblendingEncoder(eqx.Module):
    """Networks that answer for each galaxy of a blend at once, with what they were trained for.

    Attributes
    ----------
    networks
        Of both passes.
    bands
        That it knows; an image may have any of them.
    pixel_scale
        Arcsec.
    card
        Where it comes from.
    """

    networks: Any
    bands: tuple[str, ...] = eqx.field(static=True)
    pixel_scale: float = eqx.field(static=True)
    card: Any = eqx.field(static=True)

    @classmethod
    def load(cls, path: str | os.PathLike) -> DeblendingEncoder:
        """Load a file of ``jaxblend train encoder``.

        Raises
        ------
        ImportError
            If Flax or safetensors is missing: ``pip install "jaxblend[nets]"``.
        FileNotFoundError, ValueError
            If there is no such file, it is of another kind, or it has other weights than its card says.
        """
        try:
            from jaxblend.nets.sizes import EncoderSize, make_encoder

            arrays, card = read_weights(path)
        except ImportError as error:
            raise ImportError(f'encoders need Flax and safetensors ({error}): pip install "jaxblend[nets]"') from error
        if card.get("kind") != KIND:
            raise ValueError(
                f"{path} holds {card.get('kind')!r}, expected {KIND!r}: give a file of a deblending encoder"
            )
        empty = make_encoder(EncoderSize(**card["size"]), len(card["bands"]), jax.random.key(0))
        expected = {name: array.shape for name, array in _named(empty).items()}
        if expected != (found := {name: array.shape for name, array in arrays.items()}):
            wrong = sorted(set(expected.items()) ^ set(found.items()))
            raise ValueError(f"{path} has other arrays than its card says: {wrong[:3]} ...")
        dtype = jnp.asarray(0.0, dtype=float).dtype
        networks = jax.tree_util.tree_map_with_path(
            lambda where, leaf: jnp.asarray(arrays[_name(where)], dtype) if eqx.is_inexact_array(leaf) else leaf, empty
        )
        return cls(networks, tuple(card["bands"]), float(card["pixel_scale"]), _Card(card))


class _Card(dict):
    """Static fields are compared and hashed."""

    def __hash__(self) -> int:
        return hash(tuple(sorted(self)))


def write_encoder(
    networks: Encoder, size: EncoderSize, bands, pixel_scale: float, about: Mapping[str, Any], path: str | os.PathLike
) -> Path:
    """Write both networks in half precision, and what is to be known of them."""
    arrays = {name: np.asarray(array, np.float16) for name, array in _named(networks).items()}
    own = {"kind": KIND, "size": dataclasses.asdict(size), "bands": list(bands), "pixel_scale": float(pixel_scale)}
    return write_weights(arrays, own | dict(about), path)


def _named(tree) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(tree, eqx.is_inexact_array))
    return {_name(where): leaf for where, leaf in leaves}


def _name(where) -> str:
    return jax.tree_util.keystr(where, simple=True, separator=".")
