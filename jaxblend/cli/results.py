"""Results of deblending, from the catalogues that `jaxblend fit` and `deblend` write or from anybody's."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxblend.cli.inputs import naming
from jaxblend.cli.stored import number_of, split

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import QTable

    from jaxblend.compare import Deblended

__all__ = ["read_results"]

SUFFIXES = (".ecsv", ".parquet", ".fits", ".csv")
EXPECTED = (
    "expected catalogues whose names end in the number of their blend, as blend_0007.ecsv or blend_0007/catalog.ecsv"
)


def read_results(path: Path, truths: Sequence[Any]) -> list[Any]:
    """Read a result for each truth: a catalogue, with the images of its sources where they lie beside it.

    Parameters
    ----------
    path
        A table, of one blend or with a column ``blend``; the folder of one result; or a folder of folders or tables
        whose names end in the number of their blend, those that are missing having failed.
    truths
        As `jaxblend.cli.stored.read_truth` gives them.

    Returns
    -------
    list of QTable, Deblended or None

    Raises
    ------
    ValueError, OSError
        If there is no catalogue, or one belongs to no blend.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}: expected a catalogue, or a folder of them.")
    catalog = _catalog_of(path)
    if catalog is not None:
        return _of_one_table(catalog, truths)
    members = _members(path)
    beyond = sorted(number for number in members if number >= len(truths))
    if beyond:
        raise ValueError(f"{path} has results of blends {beyond[:10]}, but the truth is that of {len(truths)} blends.")
    missing = [number for number in range(len(truths)) if number not in members]
    if missing:
        from jaxblend.errors import JaxblendWarning

        more = " ..." if len(missing) > 10 else ""
        warnings.warn(
            f"{path} has no catalogue of blends {', '.join(map(str, missing[:10]))}{more}: they count as failed",
            JaxblendWarning,
            stacklevel=2,
        )
    return [_read(members[i], truth) if i in members else None for i, truth in enumerate(truths)]


def _of_one_table(path: Path, truths: Sequence[Any]) -> list[Any]:
    from jaxblend.io.tables import read_table

    with naming(path):
        table = read_table(path)
        if "blend" in table.colnames:
            return list(split(table, len(truths)))
        if len(truths) > 1:
            raise ValueError(
                f"the truth is that of {len(truths)} blends, and there is no column blend: number the blend of each "
                "row from 0, or give a folder with a catalogue for each."
            )
    return [_read(path, truths[0])]


def _catalog_of(path: Path) -> Path | None:
    """A table itself, or the catalogue in the folder of a result."""
    if path.is_file():
        return path
    return next((found for suffix in SUFFIXES if (found := path / f"catalog{suffix}").is_file()), None)


def _members(folder: Path) -> dict[int, Path]:
    """Catalogues by the number of their blend."""
    found = {}
    for suffix in reversed(SUFFIXES):  # the first is kept
        for each in sorted(folder.iterdir()):
            catalog = each / f"catalog{suffix}" if each.is_dir() else each
            number = number_of(each)
            if number is not None and catalog.suffix == suffix and catalog.is_file():
                found[number] = catalog
    if not found:
        raise ValueError(f"There is no catalogue in {folder}: {EXPECTED}.")
    return found


def _read(path: Path, truth: Any) -> QTable | Deblended:
    from jaxblend.io.tables import read_table

    with naming(path):
        catalog = read_table(path)
        images = path.parent / "deblended.fits"
        observation = getattr(truth, "observation", None)
        if path.stem != "catalog" or observation is None or not images.is_file():
            return catalog
        from jaxblend.compare import Deblended

        return Deblended("result", _images(images, catalog, observation), catalog)


def _images(path: Path, catalog: Any, observation: Any) -> np.ndarray:
    """What `jaxblend fit` and `deblend` write, on all pixels of the blend, in the order of the catalogue."""
    import numpy as np
    from astropy.io import fits

    images = np.zeros((len(catalog), *np.shape(observation.image)), np.float32)
    rows = {int(source): row for row, source in enumerate(catalog["id"])}
    with naming(path), fits.open(path) as hdus:
        hdu: Any  # astropy's types take it for a file
        for hdu in hdus:
            if "SOURCEID" not in hdu.header:
                continue
            x, y = hdu.header.get("X0", 0), hdu.header.get("Y0", 0)
            _, height, width = hdu.data.shape
            place = images[rows[hdu.header["SOURCEID"]], :, y : y + height, x : x + width]
            if place.shape != hdu.data.shape:
                raise ValueError(
                    f"{hdu.name} is of shape {hdu.data.shape} at x, y = {x}, {y}, and the blend of "
                    f"{np.shape(observation.image)}: the result is not one of this blend."
                )
            place[...] = hdu.data
    return images
