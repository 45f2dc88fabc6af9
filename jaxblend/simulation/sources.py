"""The light of simulated sources, before any instrument: magnitudes, sizes and shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammainc, gammaincinv

from jaxblend.simulation.geometry import rotate_shapes, rotation_matrix, shear_matrix, shear_shapes

if TYPE_CHECKING:
    from jaxblend.simulation.survey import Survey

EXPONENTIAL_INDEX = 1.0
DE_VAUCOULEURS_INDEX = 4.0
EARLY_TYPE_INDEX = 2.5


@dataclass(frozen=True, eq=False)
class SkySources:
    """n sources, each a de Vaucouleurs bulge, an exponential disk and a point, concentric.

    A star is a source that is all point; an active nucleus is the point of a galaxy. Sizes are
    half-light radii under area-preserving shear, shapes reduced shears in GalSim's sign.

    A source may instead have a GalSim profile, of any kind, which GalSim draws in the place of bulge and disk; what is
    said about these is then the nearest that there is, or NaN, and serves the tables of truth alone.

    Attributes
    ----------
    bands : tuple of str
        The C bands of the arrays.
    magnitude : (n, C) array
        Total AB magnitude.
    bulge_fraction, point_fraction : (n, C) array
        Fractions of the total flux; the disk has the rest.
    bulge_radius, disk_radius : (n,) array
        Half-light radius ``sqrt(a b)`` of each component, arcsec; 0 where there is none.
    bulge_g, disk_g : (n, 2) array
        Reduced shear (g1, g2) of each component.
    redshift : (n,) array
        NaN where unknown.
    row : (n,) array of int
        Row in the catalogue that the source was drawn from.
    place : (n, 2) array, optional
        Where the catalogue has each source: along x and y, arcsec. None where it does not say.
    profile : (n,) array of objects, optional
        For each source None, or a function without arguments that makes its GalSim profile, of any flux above 0,
        before the PSF. None where no source has one.
    jacobian : (n, 2, 2) array, optional
        How the profiles are turned and sheared; None where there are none.
    """

    bands: tuple[str, ...]
    magnitude: np.ndarray
    bulge_fraction: np.ndarray
    point_fraction: np.ndarray
    bulge_radius: np.ndarray
    disk_radius: np.ndarray
    bulge_g: np.ndarray
    disk_g: np.ndarray
    redshift: np.ndarray
    row: np.ndarray
    place: np.ndarray | None = None
    profile: np.ndarray | None = None
    jacobian: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: np.ndarray | Sequence[int] | slice) -> SkySources:
        """Take the sources at these positions (integers, a slice or a boolean mask), in this order."""
        return replace(self, **{name: value[index] for name, value in _columns(self).items()})

    @staticmethod
    def concatenate(*parts: SkySources) -> SkySources:
        """Put sources that have the same bands one after the other; what some of them lack, none has.

        Raises
        ------
        ValueError
            If the bands differ.
        """
        bands = [part.bands for part in parts]
        if len(set(bands)) != 1:
            raise ValueError(f"Got sources in the bands {bands}, expected the same in all: use `in_bands` first.")
        with_profiles = any(part.profile is not None for part in parts)
        columns = [_columns(part, with_profiles) for part in parts]
        common = [name for name in columns[0] if all(name in each for each in columns)]
        lost = {name: None for each in columns for name in each if name not in common}
        return replace(parts[0], **lost, **{name: np.concatenate([each[name] for each in columns]) for name in common})

    def rotated(self, angle: np.ndarray) -> SkySources:
        """Turn each source about its centre, by angles (n,) in radians from x towards y."""
        bulge_g, disk_g = (rotate_shapes(g, angle) for g in (self.bulge_g, self.disk_g))
        jacobian = None if self.jacobian is None else rotation_matrix(angle) @ self.jacobian
        return replace(self, bulge_g=bulge_g, disk_g=disk_g, jacobian=jacobian)

    def sheared(self, shear: np.ndarray) -> SkySources:
        """Shear each source about its centre, by a reduced shear (2,) that conserves area."""
        bulge_g, disk_g = (shear_shapes(g, shear) for g in (self.bulge_g, self.disk_g))
        jacobian = None if self.jacobian is None else shear_matrix(shear) @ self.jacobian
        return replace(self, bulge_g=bulge_g, disk_g=disk_g, jacobian=jacobian)

    def in_bands(self, bands: tuple[str, ...]) -> SkySources:
        """Keep only these bands, in this order.

        Raises
        ------
        ValueError
            If a band is missing.
        """
        missing = [band for band in bands if band not in self.bands]
        if missing:
            raise ValueError(
                f"The sources have magnitudes in {list(self.bands)}, but {missing} were asked for: "
                "make the sources from a catalogue with these bands."
            )
        columns = [self.bands.index(band) for band in bands]
        return replace(
            self,
            bands=tuple(bands),
            magnitude=self.magnitude[:, columns],
            bulge_fraction=self.bulge_fraction[:, columns],
            point_fraction=self.point_fraction[:, columns],
        )

    @property
    def disk_fraction(self) -> np.ndarray:
        """Fraction of the flux in the disk, (n, C)."""
        return np.clip(1.0 - self.bulge_fraction - self.point_fraction, 0.0, 1.0)

    @property
    def is_star(self) -> np.ndarray:
        """Whether all the light comes from a point, (n,)."""
        return np.all(self.point_fraction == 1.0, axis=1)

    def flux(self, survey: Survey) -> np.ndarray:
        """Compute the total flux in each of the survey's bands, (n, C) electrons."""
        return survey.flux(self.in_bands(survey.bands).magnitude)

    def shape(self, band: str) -> np.ndarray:
        """Compute the reduced shear (n, 2): the mean of bulge and disk weighted by flux in a band, 0 for a star."""
        one = self.in_bands((band,))
        bulge, disk = one.bulge_fraction, one.disk_fraction
        total = bulge + disk
        mean = bulge * self.bulge_g + disk * self.disk_g
        return np.divide(mean, total, out=np.where(np.isnan(mean), np.nan, 0.0), where=total > 0)

    def half_light_radius(self, band: str) -> np.ndarray:
        """Find the half-light radius of all the light of each source in a band, (n,) arcsec.

        Computed from the circularised components: exact where bulge and disk share their ellipticity.
        """
        one = self.in_bands((band,))
        bulge, disk, point = (f[:, 0] for f in (one.bulge_fraction, one.disk_fraction, one.point_fraction))

        bulge_inside = _growth_curve(self.bulge_radius, DE_VAUCOULEURS_INDEX)
        disk_inside = _growth_curve(self.disk_radius, EXPONENTIAL_INDEX)

        def enclosed(radius: np.ndarray) -> np.ndarray:
            return point + bulge * bulge_inside(radius) + disk * disk_inside(radius)

        low, high = np.zeros(len(self)), np.maximum(self.bulge_radius, self.disk_radius)
        for _ in range(60):
            middle = 0.5 * (low + high)
            below = enclosed(middle) < 0.5
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.where(point >= 0.5, 0.0, 0.5 * (low + high))


def is_concentrated(index: np.ndarray) -> np.ndarray:
    """Say of Sersic profiles of these indices (n,) whether a bulge is nearer to them than a disk: 2.5 and above.

    It divides early from late types in Shen et al. 2003, MNRAS 343, 978.
    """
    return np.asarray(index) >= EARLY_TYPE_INDEX


def _columns(sources: SkySources, with_profiles: bool = False) -> dict[str, np.ndarray]:
    """Collect the arrays that sources have; on demand those of GalSim profiles, where no source has one."""
    columns = {name: value for name, value in vars(sources).items() if name != "bands" and value is not None}
    if with_profiles and sources.profile is None:
        columns["profile"] = np.full(len(sources), None)
        columns["jacobian"] = np.tile(np.eye(2), (len(sources), 1, 1))
    return columns


def _growth_curve(half_light_radius: np.ndarray, index: float) -> Callable[[np.ndarray], np.ndarray]:
    """Make the light of circular Sersic profiles of flux 1 within a radius (n,): Graham & Driver 2005, PASA 22, 118."""
    size = np.where(half_light_radius > 0, half_light_radius, 1.0)
    b = gammaincinv(2.0 * index, 0.5)
    return lambda radius: gammainc(2.0 * index, b * (radius / size) ** (1.0 / index))
