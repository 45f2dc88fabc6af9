"""Import an optional package, or say how to install it."""

import importlib
from types import ModuleType


def require(name: str, install: str | None = None) -> ModuleType:
    """Import a module that only the benchmarks need.

    Parameters
    ----------
    name
        Dotted name of the module.
    install
        What follows ``pip install``; by default the first part of `name`.

    Raises
    ------
    ImportError
        If the module is missing; the message says what to install.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        wanted = install or name.partition(".")[0]
        raise ImportError(
            f"this benchmark needs the module {name!r}, which cannot be imported ({error}); "
            f"run: pip install -c benchmarks/constraints-peers.txt {wanted}"
        ) from error
