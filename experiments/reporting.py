"""What every result carries: date, machine and versions."""

import os
import platform
from datetime import date
from importlib.metadata import version


def provenance(*packages: str) -> str:
    """One line: when, where and with what a result was made."""
    versions = ", ".join(f"{p} {version(p)}" for p in ("jaxblend", "jax", *packages))
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    return f"{date.today().isoformat()}; {machine}; Python {platform.python_version()}, {versions}"
