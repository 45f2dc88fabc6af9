"""What computes runs where only the JAX stack is installed, as on a bare GPU node."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BARE = """
import sys

ABSENT = {"arviz", "astropy", "galsim", "matplotlib", "pyarrow", "rich", "sep", "surveycodex", "tyro"}


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ImportError(f"{name} is not installed")


sys.meta_path.insert(0, Absent())
try:
    import astropy
except ImportError:
    pass
else:
    raise RuntimeError("astropy is there: nothing is tested")
"""

FIT = """
import json

import numpy as np

import jaxblend as jb

y, x = np.mgrid[-10:11, -10:11]
psf = np.exp(-(x**2 + y**2) / 8.0)
psf /= psf.sum()
image = np.random.default_rng(0).normal(size=(1, 32, 32))
image[0, 5:26, 6:27] += 2000 * psf
obs = jb.Observation(image, 1.0, psf, pixel_scale=0.2, bands="r", zero_point=27.0)
fit = jb.fit(obs, [(16.3, 14.8)], model=jb.Star())
flux = fit.quantity_names.index("log_flux_r")
print(json.dumps({
    "flux": float(np.exp(fit.quantities[0, flux])),
    "error": float(fit.errors[0, flux]),
    "position": fit.positions[0].tolist(),
    "outcome": fit.outcome.value,
    "flags": jb.decode_flags(int(fit.flags[0])),
    "chi2": float(fit.chi2[0]),
    "residual": float(np.std(fit.residual)),
    "there": sorted(ABSENT & set(sys.modules)),
}))
"""


ROOT = Path(__file__).parents[1]


def run(program):
    done = subprocess.run([sys.executable, "-c", BARE + program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_benchmark_of_accelerators_can_be_imported():
    pytest.importorskip("numpyro")
    assert run("import benchmarks.gpu; print(*sys.modules)").split().count("benchmarks.gpu") == 1


def test_a_fit_needs_neither_astronomy_nor_plotting():
    found = json.loads(run(FIT))
    assert found["there"] == []
    assert found["outcome"] == "converged"
    assert found["flags"] == []
    # The error of a star's flux: noise over the root of the PSF's sum of squares, 1 / (16 pi) here.
    assert 0.9 < 2000 * found["error"] / (16 * 3.14159) ** 0.5 < 1.2
    assert abs(found["flux"] / 2000 - 1) < 4 * found["error"]
    assert max(abs(found["position"][0] - 16), abs(found["position"][1] - 15)) < 0.05
    assert abs(found["residual"] - 1) < 4 / (2 * 32 * 32) ** 0.5
