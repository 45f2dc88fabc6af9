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


TINY = (
    "--bands gri --sources 2 --stamp 32 --distinct 2 --batch-sizes 2 --draws 20 --warmup 10 --chains 2 --repeats 1 "
    "--matrix 64 --copy 1"
)
ROOT = Path(__file__).parents[1]


def run(program):
    done = subprocess.run([sys.executable, "-c", BARE + program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_benchmark_of_accelerators_can_be_imported():
    pytest.importorskip("numpyro")
    assert run("import benchmarks.gpu; print(*sys.modules)").split().count("benchmarks.gpu") == 1


@pytest.mark.slow
def test_the_benchmark_of_accelerators_runs(tmp_path):
    pytest.importorskip("numpyro")
    run(f"import benchmarks.gpu; benchmarks.gpu.main({[*TINY.split(), '--out', str(tmp_path)]!r})")
    found = json.loads((tmp_path / "gpu.json").read_text())
    rows = {row["method"]: row for row in found["rows"]}
    assert [*rows] == ["render", "gradient", "curvature", "stand-in", "fit", "importance", "nuts"]
    for row in rows.values():
        assert row["batch"] == 2
        assert row["blends_per_second"] == pytest.approx(2 / row["seconds"])
        assert row["galaxies_per_second"] == pytest.approx(4 / row["seconds"])
    flops = {name: row.get("flops_per_blend", 0) for name, row in rows.items()}
    assert 0 < flops["render"] < flops["gradient"] < flops["curvature"] < flops["stand-in"] < flops["nuts"]
    assert flops["fit"] == flops["importance"] == 0
    page = (tmp_path / "gpu.md").read_text()
    assert all(f"| {name} | 2 |" in page for name in rows)


def test_loops_of_a_fixed_length_are_counted():
    program = """
import jax
import jax.numpy as jnp

from benchmarks.roofline import cost

many = jnp.ones((5, 16, 16))
print(cost(lambda x: jax.lax.map(lambda a: a @ a, x), many).flops / cost(lambda a: a @ a, many[0]).flops)
"""
    assert float(run(program)) == pytest.approx(5, rel=0.05)


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
