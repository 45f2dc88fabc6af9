"""Noiseless images of single sources, drawn by GalSim: a truth that shares no code with the renderer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from jaxblend.simulation.sources import SkySources

if TYPE_CHECKING:
    import galsim

    from jaxblend.simulation.survey import Survey


def draw_isolated(
    sources: SkySources,
    positions: np.ndarray | Sequence,
    survey: Survey,
    *,
    psfs: Sequence[galsim.GSObject],
    shape: tuple[int, int],
    gsparams: galsim.GSParams | None = None,
) -> np.ndarray:
    """Draw each source alone, without noise, in every band of a survey.

    Parameters
    ----------
    sources : SkySources
        The n sources.
    positions : (n, 2) array
        Pixel x (column) and y (row); (0, 0) is the centre of the first pixel.
    survey : Survey
        Bands, pixel scale and zero points.
    psfs : sequence of GalSim objects
        One per band, without the pixel.
    shape : (int, int)
        Height and width of the images in pixels.
    gsparams : galsim.GSParams, optional
        Accuracy; GalSim's own by default. See `accurate_gsparams`.

    Returns
    -------
    (n, C, H, W) array
        Electrons in the full exposure, float64. The light that falls off the stamp is not there.
    """
    positions = np.asarray(positions, float)
    chosen = sources.in_bands(survey.bands)
    flux = chosen.flux(survey)
    images = np.zeros((len(chosen), len(survey.bands), *shape))
    for source in range(len(chosen)):
        own, (bulge, disk) = own_profile(chosen, source), unit_profiles(chosen, source)
        for band, psf in enumerate(psfs):
            total, point = flux[source, band], chosen.point_fraction[source, band]
            bulge_and_disk = [
                (bulge, total * chosen.bulge_fraction[source, band]),
                (disk, total * chosen.disk_fraction[source, band]),
            ]
            extended = bulge_and_disk if own is None else [(own, total * (1.0 - point))]
            profile = _compose(extended, (psf, total * point), psf=psf)
            images[source, band] = _draw(profile, positions[source], survey.pixel_scale, shape, gsparams)
    return images


def own_profile(sources: SkySources, index: int) -> galsim.GSObject | None:
    """Make the GalSim profile of one source, turned and sheared, before the PSF; None where it has none."""
    if sources.profile is None or sources.jacobian is None or sources.profile[index] is None:
        return None
    (dudx, dudy), (dvdx, dvdy) = sources.jacobian[index].tolist()
    return cast("galsim.GSObject", sources.profile[index]().transform(dudx, dudy, dvdx, dvdy))


def unit_profiles(sources: SkySources, index: int) -> tuple[galsim.GSObject | None, galsim.GSObject | None]:
    """Make the bulge and disk of one source, of flux 1 and sheared, before the PSF; None where there is no light."""
    import galsim

    bulge = disk = None
    if np.any(sources.bulge_fraction[index] > 0):
        bulge = galsim.DeVaucouleurs(half_light_radius=float(sources.bulge_radius[index]))
        bulge = _sheared(bulge, sources.bulge_g[index])
    if np.any(sources.disk_fraction[index] > 0):
        disk = galsim.Exponential(half_light_radius=float(sources.disk_radius[index]))
        disk = _sheared(disk, sources.disk_g[index])
    return bulge, disk


def accurate_gsparams() -> galsim.GSParams:
    """Make GalSim parameters about ten times stricter than its own, and several times slower."""
    import galsim

    return galsim.GSParams(
        folding_threshold=5e-4,
        maxk_threshold=1e-4,
        kvalue_accuracy=1e-6,
        stepk_minimum_hlr=10,
        maximum_fft_size=32768,
    )


def _sheared(profile: galsim.GSObject, g: np.ndarray) -> galsim.GSObject:
    return cast("galsim.GSObject", profile.shear(g1=float(g[0]), g2=float(g[1])))


def _compose(
    extended: Sequence[tuple[galsim.GSObject | None, float]],
    point: tuple[galsim.GSObject, float],
    *,
    psf: galsim.GSObject,
) -> galsim.GSObject:
    import galsim

    lit = [profile.withFlux(flux) for profile, flux in extended if profile is not None and flux > 0]
    parts: list[galsim.GSObject] = [galsim.Convolution(galsim.Sum(lit), psf)] if lit else []
    if point[1] > 0:
        parts.append(cast("galsim.GSObject", point[0].withFlux(point[1])))
    return galsim.Sum(parts)


def _draw(
    profile: galsim.GSObject,
    position: np.ndarray,
    pixel_scale: float,
    shape: tuple[int, int],
    gsparams: galsim.GSParams | None,
) -> np.ndarray:
    import galsim

    height, width = shape
    image = galsim.ImageD(bounds=galsim.BoundsI(0, width - 1, 0, height - 1), scale=pixel_scale)
    if gsparams is not None:
        profile = profile.withGSParams(gsparams)
    profile.drawImage(image=image, center=galsim.PositionD(float(position[0]), float(position[1])))
    return image.array
