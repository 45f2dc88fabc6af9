"""Packages that only one deblender needs."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = ["require"]


def require(module: str, *, install: str) -> ModuleType:
    """Import a module, or say how to install it.

    Parameters
    ----------
    module
        Its dotted name.
    install
        What follows ``pip install``.

    Raises
    ------
    ImportError
        If it cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise ImportError(f"{name} is needed for this deblender ({error}): pip install {install}") from error
