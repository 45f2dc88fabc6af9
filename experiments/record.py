"""What the results in a folder depend on, so that a run that goes on is the one that was begun."""

import hashlib
import json
from pathlib import Path

import equinox as eqx
import jax
import numpy as np

from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.io.atomic import to_json, write_json


def check_record(record: dict, out: Path) -> None:
    """Write ``out/run.json`` with all that results depend on; ``ValueError`` if the folder holds another run."""
    path, record = out / "run.json", json.loads(to_json(record))
    if path.exists() and json.loads(path.read_text()) != record:
        raise ValueError(f"{out} holds another run, see {path}: give another folder")
    write_json(record, path)


def digest(model: AbstractGalaxy) -> str:
    """Of a model's weights, wherever they were read from."""
    leaves = jax.tree.leaves(eqx.filter(model, eqx.is_array))
    return hashlib.sha256(b"".join(np.ascontiguousarray(leaf).tobytes() for leaf in leaves)).hexdigest()
