"""The numbers that set apart the random streams of one blend.

Each stream is ``jax.random.fold_in(key, number)``: what draws from one changes nothing in the others, so that a key
goes on to mean the same blend where options are added. Numbers are never used again.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxblend.simulation.sample import numpy_generator

__all__ = [
    "ARTEFACTS",
    "DITHER",
    "NOISE",
    "PSF",
    "ROTATION",
    "SCENE",
    "SEEDS",
    "SHEAR",
    "SURVEYS",
    "Streams",
    "generator",
]

SCENE, NOISE, ROTATION, SHEAR, DITHER, SEEDS, PSF, ARTEFACTS, SURVEYS = range(9)
_TOGETHER = 64  # blends of one call of a compiled program


@dataclass(frozen=True, eq=False)
class Streams:
    """All streams of one blend; made by `Streams.of` or `Streams.numbered`.

    Attributes
    ----------
    words : (9, w) array of uint32
        Data of each stream's key.
    implementation : str
        Of the keys.
    """

    words: np.ndarray
    implementation: str

    @classmethod
    def of(cls, key: jax.Array) -> Streams:
        """The streams of the blend that has this key."""
        return cls(np.asarray(_words(key)), str(jax.random.key_impl(key)))

    @classmethod
    def numbered(cls, key: jax.Array, first: int, n: int) -> list[Streams]:
        """The streams of the n blends that have the keys ``fold_in(key, first)`` and following."""
        calls = [np.arange(begin, begin + _TOGETHER, dtype=np.uint32) for begin in range(first, first + n, _TOGETHER)]
        words = [np.asarray(_words_numbered(key, numbers)) for numbers in calls]
        return [cls(each, str(jax.random.key_impl(key))) for each in np.concatenate(words)[:n]]

    def generator(self, stream: int) -> np.random.Generator:
        """Make the generator of one stream: that of `numpy_generator` for the stream's key."""
        return np.random.default_rng([int(word) for word in self.words[stream]])


def generator(key: jax.Array, stream: int) -> np.random.Generator:
    """Make the generator of one stream of the blend that has this key."""
    return numpy_generator(jax.random.fold_in(key, stream))


@jax.jit
def _words(key):
    keys = jax.vmap(lambda stream: jax.random.fold_in(key, stream))(jnp.arange(SURVEYS + 1, dtype=jnp.uint32))
    return jax.random.key_data(keys)


@jax.jit
def _words_numbered(key, numbers):
    return jax.vmap(lambda number: _words(jax.random.fold_in(key, number)))(numbers)
