import jax
import pytest

import jaxblend as jb


@pytest.fixture(scope="session")
def blends():
    """Four simulated blends of three sources in two bands, with stamps of 41 pixels."""
    survey = jb.get_survey("LSST", bands="gr")
    return list(jb.simulate_blends(survey, 4, key=jax.random.key(7), n_sources=3, stamp_size=41))
