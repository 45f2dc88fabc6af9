"""Decoders, flows and populations in files."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flowjax.bijections import AbstractBijection

from jaxblend.io.weights import read_weights, write_weights
from jaxblend.nets.decoder import SplatDecoder
from jaxblend.nets.flow import CouplingSize, FlowSize, make_coupling, make_flow
from jaxblend.priors.coupling import Coupling
from jaxblend.priors.population import Population

__all__ = ["KIND", "Found", "add_population", "read_galaxy", "write_galaxy"]

KIND = "galaxy morphology"
_SIZES = ("latent", "splats", "components", "hidden")


class Found(NamedTuple):
    """What a file holds: decoder, flow, the population that was learned with them, if any, digest of both, and card."""

    decoder: Callable
    flow: AbstractBijection
    population: Population | None
    digest: str
    card: dict[str, Any]


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
    arrays = _galaxy(arrays)
    coupling = {name: np.asarray(array) for name, array in _named({"coupling": population.coupling}).items()}
    numbers = {field.name: getattr(population, field.name) for field in dataclasses.fields(population)}
    del numbers["coupling"]
    own = {"galaxies": _digest(arrays), "coupling": dataclasses.asdict(size), "numbers": numbers, **about}
    return write_weights(arrays | coupling, card | {"population": own}, path)


def read_galaxy(path: str | os.PathLike) -> Found:
    """Read such a file.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is of another kind, its arrays are not those that its card speaks of, or the
        population was learned with other galaxies.
    """
    arrays, card = read_weights(path)
    if card.get("kind") != KIND:
        raise ValueError(f"{path} holds {card.get('kind')!r}, expected {KIND!r}: give a file of a galaxy model")
    sizes = card["morphology"]
    empty = {
        "decoder": SplatDecoder(**{name: sizes[name] for name in _SIZES}, rngs=nnx.Rngs(0)),
        "flow": make_flow(sizes["latent"], FlowSize(**card["flow"]), jax.random.key(0)),
    }
    learned = card.get("population")
    if learned:
        empty["coupling"] = make_coupling(sizes["latent"], CouplingSize(**learned["coupling"]), jax.random.key(0))
    expected = {name: array.shape for name, array in _named(empty).items()}
    if expected != (found := {name: array.shape for name, array in arrays.items()}):
        wrong = sorted(set(expected.items()) ^ set(found.items()))
        raise ValueError(f"{path} has other arrays than its card says: {wrong[:3]} ...")
    filled = jax.tree_util.tree_map_with_path(
        lambda where, leaf: jnp.asarray(arrays[_name(where)], _dtype(leaf)) if _is_number(leaf) else leaf, empty
    )
    digest, population = _digest(_galaxy(arrays)), None
    if learned:
        if learned["galaxies"] != digest:
            raise ValueError(f"{path} has a population that was learned with other galaxies: train it again")
        coupling = filled["coupling"]
        coupling = Coupling(coupling.flow, coupling.names, _digest(arrays), digest)
        population = Population(**learned["numbers"], coupling=coupling)
    return Found(filled["decoder"], filled["flow"], population, digest, card)


def _dtype(leaf):
    return jnp.asarray(0.0, dtype=float).dtype if eqx.is_inexact_array(leaf) else leaf.dtype


def _galaxy(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without the arrays of a population."""
    return {name: array for name, array in arrays.items() if not name.startswith("coupling.")}


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()


def _named(tree) -> dict[str, Any]:
    """Arrays of numbers: permutations between the layers of a flow are drawn at random, too; masks are not."""
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(tree, _is_number))
    return {_name(where): leaf for where, leaf in leaves}


def _is_number(leaf) -> bool:
    return eqx.is_array(leaf) and leaf.dtype != bool


def _name(where) -> str:
    return jax.tree_util.keystr(where, simple=True, separator=".")
