"""Decoders, flows and populations in files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flowjax.bijections import AbstractBijection

from jaxblend.io.weights import read_weights, write_weights
from jaxblend.nets.decoder import SplatDecoder
from jaxblend.nets.flow import CouplingSize, FlowSize, make_coupling, make_flow
from jaxblend.priors.population import Population

__all__ = ["KIND", "add_population", "read_galaxy", "write_galaxy"]

KIND = "galaxy morphology"
_SIZES = ("latent", "splats", "components", "hidden")


def write_galaxy(
    decoder: SplatDecoder, flow: AbstractBijection, size: FlowSize, about: Mapping[str, Any], path: str | os.PathLike
) -> Path:
    """Write a decoder and the flow of its latent vectors, with what is to be known of both."""
    arrays = _named({"decoder": decoder, "flow": flow})
    morphology = {name: getattr(decoder, name) for name in _SIZES}
    card = {"kind": KIND, "morphology": morphology, "flow": dataclasses.asdict(size), **about}
    return write_weights({name: np.asarray(array) for name, array in arrays.items()}, card, path)


def add_population(
    population: Population, size: CouplingSize, about: Mapping[str, Any], path: str | os.PathLike
) -> Path:
    """Write a population with its coupling into the file of the galaxies that it is of."""
    arrays, card = read_weights(path)
    arrays = {name: array for name, array in arrays.items() if not name.startswith("coupling.")}
    arrays |= {name: np.asarray(array) for name, array in _named({"coupling": population.coupling}).items()}
    numbers = {field.name: getattr(population, field.name) for field in dataclasses.fields(population)}
    del numbers["coupling"]
    card |= {"population": {"coupling": dataclasses.asdict(size), "numbers": numbers, **about}}
    return write_weights(arrays, card, path)


def read_galaxy(path: str | os.PathLike) -> tuple[Callable, AbstractBijection, Population | None, dict[str, Any]]:
    """Decoder, flow, the population that was learned with them, if there is one, and card of a file.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is of another kind, or its arrays are not those that its card speaks of.
    """
    arrays, card = read_weights(path)
    if card.get("kind") != KIND:
        raise ValueError(f"{path} holds {card.get('kind')!r}, expected {KIND!r}: give a file of a galaxy model")
    sizes = card["morphology"]
    empty = {
        "decoder": SplatDecoder(**{name: sizes[name] for name in _SIZES}, rngs=nnx.Rngs(0)),
        "flow": make_flow(sizes["latent"], FlowSize(**card["flow"]), jax.random.key(0)),
    }
    if "population" in card:
        size = CouplingSize(**card["population"]["coupling"])
        empty["coupling"] = make_coupling(sizes["latent"], size, jax.random.key(0))
    expected = {name: array.shape for name, array in _named(empty).items()}
    if expected != (found := {name: array.shape for name, array in arrays.items()}):
        wrong = sorted(set(expected.items()) ^ set(found.items()))
        raise ValueError(f"{path} has other arrays than its card says: {wrong[:3]} ...")
    dtype = jnp.asarray(0.0, dtype=float).dtype
    filled = jax.tree_util.tree_map_with_path(
        lambda where, leaf: jnp.asarray(arrays[_name(where)], dtype) if eqx.is_inexact_array(leaf) else leaf, empty
    )
    population = None
    if "population" in card:
        population = Population(**card["population"]["numbers"], coupling=filled["coupling"])
    return filled["decoder"], filled["flow"], population, card


def _named(tree) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(tree, eqx.is_inexact_array))
    return {_name(where): leaf for where, leaf in leaves}


def _name(where) -> str:
    return jax.tree_util.keystr(where, simple=True, separator=".")
