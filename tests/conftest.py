import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

# Read by jax when it is first imported, which the tests do after this file.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(REPOSITORY / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
# Programs of tests run a few times: a quarter of all time would go to making them fast.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
os.environ.setdefault("MPLBACKEND", "Agg")

# The first example of a test compiles: a deadline would measure XLA.
settings.register_profile("jaxblend", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("jaxblend")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images that lies beside the repository."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real images, ../shared/data beside the repository, is not there")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _programs_are_let_go():
    """Forget the compiled programs of each file: those of all tests together exhaust a process's memory maps."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
