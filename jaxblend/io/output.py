"""The results of a fit, or of a whole frame, as files in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxblend.io.atomic import write_json
from jaxblend.io.images import Extension, write_images
from jaxblend.io.noise import write_noise_correlation
from jaxblend.io.tables import write_table

if TYPE_CHECKING:
    import astropy.table

__all__ = ["CATALOG_FORMATS", "write_fit", "write_scene"]

CATALOG_FORMATS = ("ecsv", "fits", "parquet")
DEFAULT_FORMATS = ("ecsv", "parquet")


def write_fit(
    fit: Any,
    folder: str | os.PathLike,
    *,
    options: Mapping[str, Any] | None = None,
    formats: Sequence[str] = DEFAULT_FORMATS,
    images: bool = True,
) -> dict[str, Path]:
    """Write the catalogue and the images of a fit. Each file appears whole or not at all.

    Parameters
    ----------
    fit : Fit
        Made by `jaxblend.fit`.
    folder : path
        Made if it is not there; files of the same names are replaced.
    options : mapping, optional
        How the fit was made; written as options.json.
    formats : sequence of {"ecsv", "fits", "parquet"}
        Formats of the catalogue.
    images : bool
        Whether to write deblended.fits (an extension per source, each (C, H, W)) and model.fits (extensions MODEL and
        RESIDUAL). In a joint fit of several observations the names end in the number of the observation.

    Returns
    -------
    dict of str to Path
        The files by what they are: "catalog.ecsv", "deblended", "model", "options" ... Correlated noise is among them:
        `jaxblend.io.read_noise_correlation` reads it.

    Raises
    ------
    ValueError
        If a format is unknown.
    """
    folder = Path(folder)
    files = _write_catalogs(fit.catalog, folder, formats)
    joint = len(fit.observations) > 1
    for index, observation in enumerate(fit.observations):
        name = f"_{index}" if joint else ""
        if images:
            files |= _write_fit_images(fit, index if joint else None, observation, folder, name)
        files |= _write_noise(observation, folder, name)
    return files | _write_options(options, folder)


def write_scene(
    scene: Any,
    folder: str | os.PathLike,
    *,
    options: Mapping[str, Any] | None = None,
    formats: Sequence[str] = DEFAULT_FORMATS,
    images: bool = True,
) -> dict[str, Path]:
    """Write the catalogue and the images of a deblended frame. Each file appears whole or not at all.

    Parameters
    ----------
    scene : Scene
        Made by `jaxblend.deblend`.
    folder : path
        Made if it is not there; files of the same names are replaced.
    options, formats
        As for `write_fit`.
    images : bool
        Whether to write deblended.fits (a cutout per source, with its place in the WCS and in X0, Y0) and model.fits
        (extensions MODEL and RESIDUAL of the whole frame).

    Returns
    -------
    dict of str to Path
        The files by what they are.
    """
    folder = Path(folder)
    files = _write_catalogs(scene.catalog, folder, formats)
    if images:
        ids = _ids(scene.catalog)
        cutouts = []
        for source, cutout in zip(ids, scene.images, strict=True):
            data, (rows, columns) = _cutout(cutout)
            origin = int(columns.start), int(rows.start)
            cutouts.append(Extension(f"SOURCE_{source}", data, {"SOURCEID": source}, origin))
        files["deblended"] = write_images(folder / "deblended.fits", cutouts, observation=scene.observation)
        files["model"] = _write_model(scene.model, scene.residual, folder / "model.fits", scene.observation)
    return files | _write_noise(scene.observation, folder, "") | _write_options(options, folder)


def _write_catalogs(table: astropy.table.QTable, folder: Path, formats: Sequence[str]) -> dict[str, Path]:
    unknown = [name for name in formats if name not in CATALOG_FORMATS]
    if unknown:
        raise ValueError(f"Got catalogue formats {unknown}, expected some of {CATALOG_FORMATS}.")
    return {f"catalog.{name}": write_table(table, folder / f"catalog.{name}") for name in formats}


def _write_fit_images(fit: Any, index: int | None, observation: Any, folder: Path, name: str) -> dict[str, Path]:
    images = fit.images if index is None else fit.image_of(index)
    model = fit.model if index is None else np.sum(images, axis=0)
    ids = _ids(fit.catalog)
    sources = [
        Extension(f"SOURCE_{source}", image, {"SOURCEID": source}) for source, image in zip(ids, images, strict=True)
    ]
    return {
        f"deblended{name}": write_images(folder / f"deblended{name}.fits", sources, observation=observation),
        f"model{name}": _write_model(
            model, np.asarray(observation.image) - np.asarray(model), folder / f"model{name}.fits", observation
        ),
    }


def _write_model(model: np.ndarray, residual: np.ndarray, path: Path, observation: Any) -> Path:
    extensions = [Extension("MODEL", model), Extension("RESIDUAL", residual)]
    return write_images(path, extensions, observation=observation)


def _write_noise(observation: Any, folder: Path, name: str) -> dict[str, Path]:
    """What was measured on a whole frame serves fits of its stamps."""
    correlation, path = observation.noise_correlation, folder / f"noise_correlation{name}.fits"
    if correlation is None:
        return {}
    return {f"noise_correlation{name}": write_noise_correlation(correlation, path, bands=observation.bands)}


def _write_options(options: Mapping[str, Any] | None, folder: Path) -> dict[str, Path]:
    return {} if options is None else {"options": write_json(options, folder / "options.json")}


def _ids(table: Any) -> list[int]:
    return [int(source) for source in table["id"]]


def _cutout(cutout: Any) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Take a cutout of a scene apart: the image (C, h, w) and where it lies, rows before columns."""
    image, slices = cutout
    return np.asarray(image), tuple(slices)[-2:]
