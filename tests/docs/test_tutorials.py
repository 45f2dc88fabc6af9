"""Tutorials run from their first cell to their last, at a small size; the documentation runs them at full size."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What is changed: numbers, and samplers that take a program of their own, which tests of sampling have.
SMALLER = {
    "posterior": {
        "key=jax.random.key(0))": 'key=jax.random.key(0), method="laplace", n_draws=80)',
        'method="nuts", n_draws=250, warmup=200': 'method="laplace", n_draws=80',
    },
    "numpyro-model": {"200, 300)": "5, 10)", "reshape(300, 2)": "reshape(10, 2)", "150, 250)": "5, 10)"},
    "one-or-two": {
        "key=key)": 'method="laplace")',
        "found.posteriors[1]": 'jb.sample(two, key=key, method="laplace")',
    },
    "simulate": {"(survey, 20,": "(survey, 3,", "(sampler, 8,": "(sampler, 2,"},
    "compare": {
        '"max_sources": 4': '"n_sources": 2',
        "(survey, 16, key=jax.random.key(2),": "(survey, 2, key=jax.random.key(0),",  # both are found: one program
    },
    "own-catalogue": {},
    "correlated-noise-hsc": {"num_samples=240": "num_samples=8", '"importance", n_draws=600': '"laplace"'},
}


def smaller(name: str) -> str:
    """The cells of a tutorial, with its changes."""
    text = (FOLDER / f"{name}.md").read_text()
    for long, short in SMALLER[name].items():
        assert long in text, f"{name}.md no longer has {long!r}"
        text = text.replace(long, short)
    return "\n".join(CELL.findall(text))


@pytest.mark.parametrize("name", SMALLER)
def test_a_tutorial_runs(name, tmp_path):
    script = tmp_path / f"{name}.py"
    script.write_text(smaller(name))
    environment = {key: value for key, value in os.environ.items() if key != "JAXBLEND_DATA"}
    ended = subprocess.run([sys.executable, script], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout  # every one of them prints what it has found
