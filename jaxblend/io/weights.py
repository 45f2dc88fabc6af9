"""Weights of networks in safetensors files, with a model card in JSON in the file's header."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxblend.io.atomic import atomic_path, to_json

__all__ = ["read_weights", "write_weights"]

_CARD = "card"


def write_weights(arrays: Mapping[str, np.ndarray], card: Mapping[str, Any], path: str | os.PathLike) -> Path:
    """Write named arrays and what is to be known of them; the file appears whole or not at all."""
    from safetensors.numpy import save

    path = Path(path)
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with atomic_path(path) as temporary:
        # Its own files would be for their owner alone.
        temporary.write_bytes(save(plain, metadata={_CARD: to_json(card)}))
    return path


def read_weights(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Named arrays of a file and its card.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not one of `write_weights`, or some number in it is not finite.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
            card = json.loads((file.metadata() or {})[_CARD])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} has no weights of jaxblend: {error}") from error
    bad = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if bad:
        raise ValueError(f"{path} has weights that are not finite: {bad}")
    return arrays, card
