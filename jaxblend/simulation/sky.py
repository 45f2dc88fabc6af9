"""Places on the sky of catalogued sources."""

from __future__ import annotations

import numpy as np

__all__ = ["fits_a_plane", "tangent_plane"]

ARCSEC_PER_RADIAN = 180.0 * 3600.0 / np.pi
WIDEST = 10.0  # degrees from the middle, where the tangent plane stretches distances by 3 % and more


def fits_a_plane(ra: np.ndarray, dec: np.ndarray) -> bool:
    """Say whether sky coordinates (n,), degrees, are finite and lie within 10 degrees of their middle."""
    if not len(ra) or not (np.isfinite(ra).all() and np.isfinite(dec).all()):
        return False
    direction = _directions(ra, dec)
    return bool(np.min(direction @ _middle(direction)) >= np.cos(np.radians(WIDEST)))


def tangent_plane(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Project sky coordinates on the plane that touches the sphere in their middle.

    Parameters
    ----------
    ra, dec : (n,) array
        Right ascension and declination, degrees.

    Returns
    -------
    (n, 2) array
        Along x to the west and y to the north, arcsec: the sky with east to the left.

    Raises
    ------
    ValueError
        If a coordinate is not finite, or further than 10 degrees from the middle.
    """
    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    if not fits_a_plane(ra, dec):
        raise ValueError(
            f"Got {len(ra)} right ascensions and declinations that are not all finite degrees within {WIDEST} of "
            "their middle: cut the catalogue to a smaller part of the sky."
        )
    direction = _directions(ra, dec)
    middle = _middle(direction)
    east = np.array([-middle[1], middle[0], 0.0])
    # At a pole every direction is as good.
    east = east / np.hypot(*east[:2]) if np.any(east) else np.array([0.0, 1.0, 0.0])
    north = np.cross(middle, east)
    depth = direction @ middle
    return ARCSEC_PER_RADIAN * np.stack([-(direction @ east) / depth, direction @ north / depth], axis=1)


def _directions(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Compute unit vectors, (n, 3)."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)


def _middle(direction: np.ndarray) -> np.ndarray:
    mean = direction.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)
