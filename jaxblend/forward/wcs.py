"""The local affine map of a celestial WCS. Any object with astropy's low-level WCS interface will do."""

from __future__ import annotations

import numpy as np

from jaxblend.forward.frame import Frame

__all__ = ["local_frame", "project", "unproject"]


def local_frame(wcs, shape, *, centre=None, padding=2.0, oversampling=1) -> Frame:
    """Frame of a stamp whose sky coordinates are the tangent plane at ``centre``.

    Parameters
    ----------
    wcs
        With ``pixel_to_world_values`` and ``world_to_pixel_values`` in degrees.
    shape
        (H, W).
    centre
        (ra, dec) in degrees of the tangent point; the middle of the stamp by default.

    Notes
    -----
    u points west and v north, GalSim's convention, so that a north-up image has u along x.
    """
    for method in ("pixel_to_world_values", "world_to_pixel_values"):
        if not hasattr(wcs, method):
            raise ValueError(f"wcs has no {method}: give an astropy WCS, or pixel_scale instead")
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    if centre is None:
        centre = np.array([float(w) for w in wcs.pixel_to_world_values(*middle)])
    if np.shape(centre) != (2,) or not np.isfinite(centre).all():
        raise ValueError(f"the WCS puts the middle of the image at {centre}: a celestial WCS of two axes is needed")
    origin = np.array([float(p) for p in wcs.world_to_pixel_values(*centre)])
    steps = np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
    sky = project(np.stack(wcs.pixel_to_world_values(*(origin + steps).T), -1), centre)
    jacobian = np.stack([sky[0] - sky[1], sky[2] - sky[3]], -1)
    return Frame(shape, jacobian=jacobian, origin=origin, padding=padding, oversampling=oversampling)


def project(radec, centre):
    """Gnomonic projection of (..., 2) degrees to (u west, v north) in arcsec about ``centre``."""
    ra, dec = np.deg2rad(np.asarray(radec, float)).T
    ra0, dec0 = np.deg2rad(np.asarray(centre, float))
    cos_c = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
    u = -np.cos(dec) * np.sin(ra - ra0) / cos_c
    v = (np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)) / cos_c
    return np.rad2deg(np.stack([u, v], -1)) * 3600


def unproject(sky, centre):
    """Right ascension and declination (..., 2) in degrees of tangent-plane positions in arcsec."""
    u, v = np.moveaxis(np.deg2rad(np.asarray(sky, float) / 3600), -1, 0)
    ra0, dec0 = np.deg2rad(np.asarray(centre, float))
    rho = np.hypot(u, v)
    c = np.arctan(rho)
    ratio = np.divide(v * np.sin(c), rho, out=np.zeros_like(rho), where=rho > 0)
    dec = np.arcsin(np.cos(c) * np.sin(dec0) + ratio * np.cos(dec0))
    ra = ra0 + np.arctan2(-u * np.cos(c), np.cos(dec0) * np.cos(c) - v * np.sin(dec0) * np.cos(c))
    return np.rad2deg(np.stack([ra % (2 * np.pi), dec], -1))
