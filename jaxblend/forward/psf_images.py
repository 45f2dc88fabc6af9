"""The PSF of an observation as arrays, for packages that take nothing else."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxblend.forward.frame import Frame
from jaxblend.forward.observation import Observation
from jaxblend.forward.render import to_pixels
from jaxblend.forward.sampled_psf import ImagePSF

__all__ = ["effective_psf"]


def effective_psf(observation: Observation, largest: int) -> Float[np.ndarray, "C side side"]:
    """A star of flux 1 in the middle of an odd number of pixels, in each band; pixel included, never renormalised.

    Parameters
    ----------
    observation
        Its PSF, pixels and bands.
    largest
        Most pixels along a side. A PSF that is given as such an image is taken as it is, another is drawn on as many
        as this and the observation allow.

    Raises
    ------
    ValueError
        If the observation has one PSF per source.
    """
    psf, side = observation.psf, min(largest, *observation.shape)
    side -= 1 - side % 2
    if isinstance(psf, ImagePSF) and _is_ready(psf, side):
        return np.broadcast_to(np.asarray(psf.image), (observation.n_bands, *psf.image.shape[1:])).copy()
    frame = Frame((side, side), jacobian=observation.frame.jacobian, oversampling=observation.frame.oversampling)
    transfer = psf.transfer(frame)
    if transfer.ndim == 4:
        raise ValueError(
            f"the PSF is one per source ({transfer.shape[0]} sources): this deblender needs one per band, (C, h, w)"
        )
    return np.broadcast_to(np.asarray(to_pixels(transfer, frame)), (observation.n_bands, side, side)).copy()


def _is_ready(psf: ImagePSF, side: int) -> bool:
    height, width = psf.image.shape[-2:]
    centred = not np.any(psf.centre) and psf.includes_pixel and psf.oversampling == 1
    return psf.image.ndim == 3 and centred and height == width and height % 2 == 1 and height <= side
