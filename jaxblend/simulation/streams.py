"""The numbers that set apart the random streams of one blend.

Each stream is ``jax.random.fold_in(key, number)``: what draws from one changes nothing in the others, so that a key
goes on to mean the same blend where options are added. Numbers are never used again.
"""

import jax
import numpy as np

from jaxblend.simulation.sample import numpy_generator

__all__ = ["ARTEFACTS", "DITHER", "NOISE", "PSF", "ROTATION", "SCENE", "SEEDS", "SHEAR", "SURVEYS", "generator"]

SCENE, NOISE, ROTATION, SHEAR, DITHER, SEEDS, PSF, ARTEFACTS, SURVEYS = range(9)


def generator(key: jax.Array, stream: int) -> np.random.Generator:
    """Make the generator of one stream of the blend that has this key."""
    return numpy_generator(jax.random.fold_in(key, stream))
