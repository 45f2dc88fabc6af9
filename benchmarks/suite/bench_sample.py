"""Draws from the posterior of three galaxies in three bands."""

import jax
import numpy as np
import pytest

import jaxblend as jb

KEY = jax.random.key(2)


@pytest.mark.parametrize("method", ["laplace", "importance"])
def test_sample(timed, fits, method):
    timed(lambda: jb.sample(fits[0], key=KEY, method=method), lambda draws: bool(np.isfinite(draws.u).all()), rounds=3)
