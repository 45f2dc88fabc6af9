"""The numbers that set apart the random streams of one blend.

Each stream is ``jax.random.fold_in(key, number)``: what draws from one changes nothing in the others, so that a key
goes on to mean the same blend where options are added. Numbers are never used again.
"""

__all__ = ["ARTEFACTS", "DITHER", "NOISE", "PSF", "ROTATION", "SCENE", "SEEDS", "SHEAR", "SURVEYS"]

SCENE, NOISE, ROTATION, SHEAR, DITHER, SEEDS, PSF, ARTEFACTS, SURVEYS = range(9)
