"""A galaxy of a CATSIM row as the Blending ToolKit draws it, written from its `render_single_catsim_galaxy`.

https://github.com/LSSTDESC/BlendingToolKit, btk/draw_blends.py, version 1.0.9: total flux by the zero point; bulge,
disk and nucleus share it in proportion to ``fluxnorm_*``; half-light radius sqrt(a b), axis ratio b / a, position angle
in degrees; the nucleus is a Gaussian of 1e-8 arcsec. BTK floors the flux to whole electrons, which is left out here.
"""

from collections.abc import Mapping

import galsim
import numpy as np

__all__ = ["render"]


def render(
    row: Mapping[str, float],
    magnitude: float,
    offset: np.ndarray,
    *,
    zero_point: float,
    psf: galsim.GSObject,
    side: int,
    pixel_scale: float,
) -> np.ndarray:
    """Electrons (side, side) of a galaxy of this AB magnitude at an offset (2,) from the stamp centre, arcsec."""
    total = 10.0 ** (-0.4 * (magnitude - zero_point))
    norm = {part: float(row[f"fluxnorm_{part}"]) for part in ("disk", "bulge", "agn")}
    flux = {part: total * value / sum(norm.values()) for part, value in norm.items()}
    parts = []
    if flux["disk"] > 0:
        parts.append(_sheared(galsim.Exponential, flux["disk"], row, "d", "disk"))
    if flux["bulge"] > 0:
        parts.append(_sheared(galsim.DeVaucouleurs, flux["bulge"], row, "b", "bulge"))
    if flux["agn"] > 0:
        parts.append(galsim.Gaussian(flux=flux["agn"], sigma=1e-8))
    convolved = galsim.Convolve(galsim.Add(parts), psf).shift(float(offset[0]), float(offset[1]))
    return convolved.drawImage(nx=side, ny=side, scale=pixel_scale, dtype=float).array


def _sheared(profile, flux, row, letter, part):
    major, minor = float(row[f"a_{letter}"]), float(row[f"b_{letter}"])
    round_one = profile(flux=flux, half_light_radius=np.sqrt(major * minor))
    return round_one.shear(q=minor / major, beta=float(row[f"pa_{part}"]) * galsim.degrees)
