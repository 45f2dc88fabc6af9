"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["atomic_path", "to_json", "write_json"]


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Lend a temporary path in the same folder, and move it to ``path`` once the block has ended without an error.

    A reader sees the old file or the new one, never half of it. Missing folders are made.

    Parameters
    ----------
    path : path
        Where the file is to be.

    Yields
    ------
    Path
        Where to write; it has the same suffix.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    temporary.unlink()  # some writers refuse a file that exists
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(content: Mapping[str, Any], path: str | os.PathLike) -> Path:
    """Write a mapping as indented JSON; paths, arrays and NumPy numbers become strings, lists and numbers."""
    path = Path(path)
    with atomic_path(path) as temporary:
        temporary.write_text(to_json(content, indent=2) + "\n", encoding="utf-8")
    return path


def to_json(content: Any, *, indent: int | None = None) -> str:
    """Encode what options and table metadata hold; what JSON has no word for becomes a string."""
    return json.dumps(content, indent=indent, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
