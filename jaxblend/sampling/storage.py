"""Posterior draws as netCDF files, which xarray reads too, and as ArviZ data."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxblend.io.atomic import atomic_path, to_json

if TYPE_CHECKING:
    from jaxblend.sampling.posterior import Posterior

__all__ = ["load", "save", "to_arviz"]

_DIMENSIONS = {
    "u": ("chain", "draw", "source", "parameter"),
    "quantities": ("chain", "draw", "source", "quantity"),
    "zero_points": ("band",),
    "stars": ("source",),
    "diverging": ("chain", "draw"),
}
_BOOLEAN = ("stars", "diverging")  # as bytes
_WORDS = ("method", "quantity_names", "bands", "diagnostics")  # as JSON in one attribute


def save(posterior: Posterior, path: str | PathLike) -> None:
    """Write draws, names and diagnostics (netCDF 3, 64-bit offsets); the file appears whole or not at all."""
    from scipy.io import netcdf_file

    given = {name: getattr(posterior, name) for name in _DIMENSIONS}
    arrays = {name: np.asarray(array) for name, array in given.items() if array is not None}
    arrays |= {name: arrays[name].astype(np.int8) for name in _BOOLEAN if name in arrays}
    with atomic_path(path) as temporary, netcdf_file(str(temporary), "w", version=2) as file:
        file.jaxblend = to_json({name: getattr(posterior, name) for name in _WORDS})
        sizes = {d: n for k, a in arrays.items() for d, n in zip(_DIMENSIONS[k], a.shape, strict=True)}
        for dimension, size in sizes.items():
            file.createDimension(dimension, size)
        for name, array in arrays.items():
            file.createVariable(name, array.dtype, _DIMENSIONS[name])[:] = array


def load(path: str | PathLike) -> dict[str, Any]:
    """The attributes of a posterior that ``save`` has written; raises ``ValueError`` for any other file."""
    from scipy.io import netcdf_file

    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with netcdf_file(str(path), "r", mmap=False) as file:
            words = json.loads(getattr(file, "jaxblend"))  # noqa: B009 (an attribute of the file, which types do not know)
            there = [name for name in _DIMENSIONS if name != "diverging" or name in file.variables]
            arrays = {name: _native(file.variables[name][:]) for name in there}
    except (TypeError, AttributeError, LookupError, ValueError, OSError) as error:
        raise ValueError(f"{path} is not a posterior that jaxblend has saved as netCDF ({error})") from None
    arrays |= {name: arrays[name].astype(bool) for name in _BOOLEAN if name in arrays}
    names = {name: tuple(words[name]) for name in ("quantity_names", "bands")}
    return {"method": words["method"], "diagnostics": words["diagnostics"], **names, **arrays}


def _native(array):
    return np.array(array, dtype=array.dtype.newbyteorder("="))


def to_arviz(posterior: Posterior):
    """``InferenceData`` with the group posterior, one variable a quantity, and of NUTS sample_stats."""
    try:
        import arviz
    except ImportError as error:
        raise ImportError("to_arviz needs ArviZ: pip install 'jaxblend[arviz]'") from error
    n = posterior.quantities.shape[2]
    variables = {name: posterior.quantities[..., i] for i, name in enumerate(posterior.quantity_names)}
    dims = {name: ["source"] for name in variables}
    groups = {"posterior": variables}
    if posterior.diverging is not None:
        groups["sample_stats"] = {"diverging": posterior.diverging}
    given = (groups,) if int(arviz.__version__.split(".")[0]) >= 1 else ()  # their first argument since 1.0
    return arviz.from_dict(*given, **({} if given else groups), dims=dims, coords={"source": np.arange(n)})
