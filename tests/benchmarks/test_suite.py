"""The suite for pytest-benchmark runs; nothing is timed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_suite_runs():
    pytest.importorskip("pytest_benchmark")
    command = [sys.executable, "-m", "pytest", "benchmarks/suite", "--benchmark-disable", "--quiet"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert " passed" in ended.stdout
    assert "skipped" not in ended.stdout
