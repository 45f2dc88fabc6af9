"""Sources that GalSim draws from profiles of their own: any GSObject, and Sersic profiles of any index."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from jaxblend.simulation.sources import SkySources

if TYPE_CHECKING:
    import galsim

__all__ = ["SERSIC_KINDS", "galsim_sources", "sersic_profiles"]

SERSIC_KINDS = ("exact", "round")
LOWEST_INDEX, HIGHEST_INDEX = 0.3, 6.0  # as GalSim's COSMOSCatalog clips them
INDEX_STEP = 0.05  # GalSim tabulates each index that it meets


def galsim_sources(
    objects: Sequence[galsim.GSObject],
    magnitude: np.ndarray | Sequence,
    *,
    bands: Sequence[str],
    redshift: np.ndarray | Sequence | None = None,
) -> SkySources:
    """Make sources of GalSim objects, for `jaxblend.simulate` to draw at given magnitudes.

    Parameters
    ----------
    objects : sequence of n GalSim objects
        Before the PSF, of any flux above 0: the same in all bands but for the flux.
    magnitude : (n, C) array
        AB magnitudes of the whole object, in the bands.
    bands : sequence of str
        Names of the C bands.
    redshift : (n,) array, optional
        By default unknown.

    Returns
    -------
    SkySources
        Galaxies whose sizes, shapes and bulge fractions are NaN.

    Raises
    ------
    ValueError
        If the numbers of objects, bands and magnitudes do not fit.
    """
    values = np.asarray(magnitude, float)
    if values.shape != (len(objects), len(bands)) or not np.isfinite(values).all():
        raise ValueError(
            f"Got magnitudes of shape {values.shape} for {len(objects)} objects in the bands {list(bands)}, expected "
            f"{(len(objects), len(bands))} finite numbers."
        )
    return unmeasured(
        [partial(_same, each) for each in objects],
        values,
        bands=tuple(bands),
        redshift=np.full(len(objects), np.nan) if redshift is None else np.asarray(redshift, float),
        row=np.arange(len(objects)),
    )


def unmeasured(
    makers: Sequence, magnitude: np.ndarray, *, bands: tuple[str, ...], redshift: np.ndarray, row: np.ndarray
) -> SkySources:
    """Make sources of functions that make GalSim objects, about which no more is known than their magnitudes."""
    n = len(makers)
    profile = np.empty(n, object)
    profile[:] = makers
    return SkySources(
        bands=bands,
        magnitude=magnitude,
        bulge_fraction=np.full(magnitude.shape, np.nan),
        point_fraction=np.zeros(magnitude.shape),
        bulge_radius=np.full(n, np.nan),
        disk_radius=np.full(n, np.nan),
        bulge_g=np.full((n, 2), np.nan),
        disk_g=np.full((n, 2), np.nan),
        redshift=redshift,
        row=row,
        profile=profile,
        jacobian=np.tile(np.eye(2), (n, 1, 1)),
    )


def sersic_profiles(index: np.ndarray, radius: np.ndarray, g: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Make functions that make Sersic profiles.

    Parameters
    ----------
    index : (n,) array
        Sersic index: held within 0.3 and 6 and rounded to 0.05, as GalSim's COSMOSCatalog does.
    radius : (n,) array
        Half-light radius ``sqrt(a b)``, arcsec.
    g : (n, 2) array
        Reduced shear.
    used : (n,) array of bool
        Which of them to make.

    Returns
    -------
    (n,) array of objects
        Functions, and None where a profile is not used.
    """
    steps = np.floor(np.clip(index, LOWEST_INDEX, HIGHEST_INDEX) / INDEX_STEP + 0.5)
    profiles = np.full(len(index), None)
    for i in np.flatnonzero(used):
        profiles[i] = partial(_sersic, float(steps[i] * INDEX_STEP), float(radius[i]), *map(float, g[i]))
    return profiles


def _same(profile: galsim.GSObject) -> galsim.GSObject:
    return profile


def _sersic(index: float, radius: float, g1: float, g2: float) -> galsim.GSObject:
    import galsim

    return cast("galsim.GSObject", galsim.Sersic(n=index, half_light_radius=radius).shear(g1=g1, g2=g2))
