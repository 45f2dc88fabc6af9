"""What every result of a benchmark or an experiment carries, and how it is written."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jax

__all__ = ["RESULTS", "provenance", "table", "write"]

RESULTS = Path(__file__).parent / "results"


def provenance(*packages: str) -> str:
    """One line: when, on what and with which versions; a package that is not there is said to be so."""
    versions = ", ".join(f"{package} {_version(package)}" for package in ("jaxblend", "jax", *packages))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = f"{_processor()}, {cores} cores, JAX on {jax.devices()[0].device_kind}"
    return f"{date.today().isoformat()}; {machine}; Python {platform.python_version()}, {versions}."


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    return lines + [f"| {' | '.join(map(str, row))} |" for row in rows]


def write(path: Path, lines: Iterable[str]) -> None:
    """Print a result, and write it to a file."""
    text = "\n".join(lines).rstrip("\n") + "\n"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    print(text)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({platform.machine()})" if names else platform.machine()
