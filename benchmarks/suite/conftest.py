"""What all benchmarks of the suite share. Annotations are not executed here, as they are in tests: that takes time."""

import jax
import pytest

import jaxblend as jb
from jaxblend.simulation import draw_population
from jaxblend.simulation.sample import Selection, numpy_generator

BANDS, STAMP, N_SOURCES, N_BLENDS = "gri", 48, 3, 4


@pytest.fixture(scope="session")
def survey():
    return jb.get_survey("LSST", bands=BANDS)


@pytest.fixture(scope="session")
def options(survey):
    """A scene of three galaxies, none a star, in every blend."""
    galaxies = draw_population(numpy_generator(jax.random.key(0)), 400, survey, star_fraction=0.0)
    selection = Selection(max_magnitude=24.5)
    return {"catalog": galaxies, "n_sources": N_SOURCES, "stamp_size": STAMP, "selection": selection}


@pytest.fixture(scope="session")
def blends(survey, options):
    return list(jb.simulate_blends(survey, N_BLENDS, key=jax.random.key(1), **options))


@pytest.fixture(scope="session")
def fits(blends):
    return jb.fit_batch([b.observation for b in blends], [b.positions for b in blends])


@pytest.fixture
def timed(benchmark):
    """Time a call, after one that is not counted and compiles, and check what it gives."""

    def run(call, check, rounds=5):
        result = benchmark.pedantic(lambda: jax.block_until_ready(call()), rounds=rounds, warmup_rounds=1)
        assert check(result)

    return run
