"""The S/N of a source without an image of it: enough to say whether it is far above or below a limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxblend.forward.galaxies import sheared_k2
from jaxblend.simulation import host_profiles
from jaxblend.simulation.grid import frame_of, sampled_transfer
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey

if TYPE_CHECKING:
    import galsim

__all__ = ["QuickSNR"]

WIDTHS = (32, 48, 96, 144)  # of the periodic grids, pixels: each holds ...
HOLDS = 5.0, 4.0  # ... half-light radii along the major axis and full widths of the PSF
UNDERSAMPLED = 0.1  # transfer function at the Nyquist wavenumber
CLEAR = 3.0  # of either, from the centre to the edge of the stamp


class _Grid(NamedTuple):
    """Wavenumbers of a periodic grid, the PSF there, and what squared amplitudes count in the sum of squared pixels."""

    width: int
    x: np.ndarray
    y: np.ndarray
    transfer: np.ndarray
    power: np.ndarray

    @classmethod
    def of(cls, width: int, psf: galsim.GSObject, pixel_scale: float) -> _Grid:
        frame = frame_of(width, pixel_scale, width, 1)
        transfer = np.abs(sampled_transfer([psf], frame, pixel_scale)[0])
        twice = np.where(np.isin(np.arange(transfer.shape[1]), (0, width // 2)), 1.0, 2.0)
        y, x = frame.pixel_wavenumbers()
        return cls(width, x / pixel_scale, y / pixel_scale, transfer, transfer**2 * twice / width**2)


@dataclass(frozen=True, eq=False)
class QuickSNR:
    """S/N of sources in one band by Parseval's theorem on coarse grids; its grids are made when they are needed.

    Attributes
    ----------
    survey : Survey
        Of the one band.
    stamp_size : int
        Width and height of the stamp, pixels.
    psf : GalSim object
        Without the pixel.
    """

    survey: Survey
    stamp_size: int
    psf: galsim.GSObject
    _grids: dict[int, _Grid] = field(default_factory=dict)

    def estimate(self, source: SkySources, offset: np.ndarray) -> float | None:
        """Compute the S/N of one source at a place, (2,) arcsec.

        Good to a percent. None for a source that does not lie well within the stamp, is larger than the grids or has a
        GalSim profile; and where the PSF is undersampled, so that the S/N depends on the place in the pixel.
        """
        if source.profile is not None and source.profile[0] is not None:
            return None
        band = source.bands.index(self.survey.bands[0])
        bulge, point = float(source.bulge_fraction[0, band]), float(source.point_fraction[0, band])
        parts = [
            (host_profiles.de_vaucouleurs, bulge, float(source.bulge_radius[0]), source.bulge_g[0]),
            (host_profiles.exponential, max(1.0 - bulge - point, 0.0), float(source.disk_radius[0]), source.disk_g[0]),
        ]
        lit = [part for part in parts if part[1] > 0]
        major = max((radius * np.sqrt((1 + np.hypot(*g)) / (1 - np.hypot(*g))) for *_, radius, g in lit), default=0.0)
        fwhm, scale = float(self.survey.psf_fwhm[0]), self.survey.pixel_scale
        room = 0.5 * self.stamp_size * scale - float(np.max(np.abs(offset)))
        width = next((width for width in WIDTHS if width * scale >= HOLDS[0] * major + HOLDS[1] * fwhm), None)
        if width is None or room < CLEAR * max(major, fwhm):
            return None
        grid = self._grid(width)
        if not _well_sampled(grid):
            return None
        waves = point + sum(share * profile(_sheared(grid, *g) * radius**2) for profile, share, radius, g in lit)
        flux = 10.0 ** (-0.4 * (float(source.magnitude[0, band]) - float(self.survey.zero_point[0])))
        return flux * float(np.sqrt(np.sum(waves * waves * grid.power) / self.survey.sky_level[0]))

    def _grid(self, width: int) -> _Grid:
        """Sample the PSF when a grid is first used."""
        if width not in self._grids:
            self._grids[width] = _Grid.of(width, self.psf, self.survey.pixel_scale)
        return self._grids[width]


def _well_sampled(grid: _Grid) -> bool:
    half = grid.width // 2
    edge = max(grid.transfer[half].max(), grid.transfer[:, half].max())
    return bool(edge < UNDERSAMPLED)


def _sheared(grid: _Grid, g1: float, g2: float) -> np.ndarray:
    return np.asarray(sheared_k2(grid.x, grid.y, float(g1), float(g2)))
