"""From the fits of all groups to one catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from jaxblend.fitting.bands import Bands
from jaxblend.fitting.buckets import reference_band
from jaxblend.fitting.catalog import noise_settings, settings
from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.forward.observation import Observation
from jaxblend.frames.scene import Scene
from jaxblend.frames.source import FrameSource, total_model
from jaxblend.priors import Prior

if TYPE_CHECKING:
    from astropy.table import QTable, Table

__all__ = ["assemble"]


def assemble(
    observation: Observation,
    sources: Sequence[FrameSource],
    detections: Table,
    *,
    model: AbstractGalaxy,
    prior: Prior,
) -> Scene:
    """The scene of fitted sources; groups are numbered in the order of their first members.

    Parameters
    ----------
    observation
        The whole image.
    sources
        All of its sources, fitted.
    detections
        What was detected before the first fit.
    model, prior
        Those of every fit, for the catalogue's metadata.
    """
    fits = list({id(source.part.fit): source.part.fit for source in sources}.values())
    number = {id(fit): i for i, fit in enumerate(fits)}
    groups = np.array([number[id(source.part.fit)] for source in sources], int)
    rows = np.array([source.part.row for source in sources], int)
    catalog = _catalog(observation, sources, fits, groups, rows) if sources else _empty(observation)
    catalog.meta = _settings(observation, model, prior)
    return Scene(
        observation=observation,
        catalog=catalog,
        model=total_model(sources, observation.image.shape),
        images=[(source.part.image, source.part.stamp) for source in sources],
        groups=groups,
        detections=detections,
        fits=fits,
        rows=rows,
    )


def _catalog(observation, sources, fits, groups, rows) -> QTable:
    from astropy.table import QTable, vstack

    # Metadata of one fit say nothing of the frame, and those of many would be merged.
    tables = [QTable(fit.catalog, meta={}, copy=False) for fit in fits]
    first_row = np.cumsum([0, *map(len, tables[:-1])])
    # astropy's types do not know rows from columns
    catalog = cast("Any", QTable(vstack(tables))[first_row[groups] + rows])
    corners = [(source.part.stamp[1].start, source.part.stamp[0].start) for source in sources]
    for name, corner in zip(("x", "y"), np.array(corners, float).T, strict=True):
        unit = catalog[name].unit
        catalog[name] = catalog[name] + (corner if unit is None else corner * unit)
    _add_sky(catalog, observation)
    catalog["group"] = groups
    catalog["outcome"] = [fits[group].outcome.value for group in groups]
    if "id" in catalog.colnames:
        catalog["id"] = np.arange(len(catalog))
    else:
        catalog.add_column(np.arange(len(catalog)), name="id", index=0)
    return catalog


def _add_sky(catalog, observation) -> None:
    """Right ascension and declination of the pixels in the whole image."""
    if observation.wcs is None:
        return
    import astropy.units as u

    x, y = (np.asarray(getattr(catalog[name], "value", catalog[name]), float) for name in ("x", "y"))
    ra, dec = observation.wcs.pixel_to_world_values(x, y)
    catalog["ra"], catalog["dec"] = np.asarray(ra) * u.deg, np.asarray(dec) * u.deg


def _empty(observation) -> QTable:
    import astropy.units as u
    from astropy.table import QTable

    catalog = QTable()
    catalog["id"] = np.zeros(0, int)
    catalog["x"], catalog["y"] = np.zeros(0) * u.pix, np.zeros(0) * u.pix
    for band in observation.bands:
        catalog[f"flux_{band}"] = np.zeros(0)
    catalog["group"], catalog["outcome"] = np.zeros(0, int), np.zeros(0, str)
    return catalog


def _settings(observation, model, prior) -> dict[str, Any]:
    made_with = settings(
        observation.bands,
        surveys=[observation.survey],
        model=type(model).__name__,
        prior=prior,
        reference=reference_band((observation,)),
        zero_points=Bands.among((observation,)).zero_points,
        pixel_scales=[observation.frame.pixel_scale],
    )
    return made_with | noise_settings((observation,))
