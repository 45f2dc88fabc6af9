"""From the fits of all groups to one catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from jaxblend.forward.observation import Observation
from jaxblend.frames.scene import Scene
from jaxblend.frames.source import FrameSource, total_model

if TYPE_CHECKING:
    from astropy.table import QTable, Table

__all__ = ["assemble"]

PER_FIT = ("outcome", "chi2", "chi2_per_pixel", "log_evidence")  # metadata of one fit, which says nothing of the frame


def assemble(observation: Observation, sources: Sequence[FrameSource], groups: np.ndarray, detections: Table) -> Scene:
    """The scene of fitted sources; ``groups`` (n,) numbers their groups."""
    return Scene(
        observation=observation,
        catalog=_catalog(observation, sources, groups),
        model=total_model(sources, observation.image.shape),
        images=[(source.part.image, source.part.stamp) for source in sources],
        groups=np.asarray(groups),
        detections=detections,
    )


def _catalog(observation, sources, groups) -> QTable:
    from astropy.table import QTable, vstack

    if not sources:
        return _empty(observation)
    fits = {id(source.fitted.fit): source.fitted.fit for source in sources}
    tables = [fit.catalog for fit in fits.values()]
    first_row = dict(zip(fits, np.cumsum([0, *map(len, tables[:-1])]), strict=True))
    rows = [first_row[id(source.fitted.fit)] + source.fitted.row for source in sources]
    # astropy's types do not know rows from columns
    catalog = cast("Any", QTable(vstack(tables, metadata_conflicts="silent"))[rows])
    catalog.meta = {name: value for name, value in tables[0].meta.items() if name not in PER_FIT}
    corners = [(source.fitted.stamp[1].start, source.fitted.stamp[0].start) for source in sources]
    for name, corner in zip(("x", "y"), np.array(corners, float).T, strict=True):
        unit = catalog[name].unit
        catalog[name] = catalog[name] + (corner if unit is None else corner * unit)
    _add_sky(catalog, observation)
    catalog["group"] = np.asarray(groups)
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

    catalog = QTable(meta={"survey": observation.survey, "bands": list(observation.bands)})
    catalog["id"] = np.zeros(0, int)
    catalog["x"], catalog["y"] = np.zeros(0) * u.pix, np.zeros(0) * u.pix
    for band in observation.bands:
        catalog[f"flux_{band}"] = np.zeros(0)
    catalog["group"] = np.zeros(0, int)
    return catalog
