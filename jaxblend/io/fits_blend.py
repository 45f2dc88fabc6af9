"""A simulated blend as one FITS file, for programs that read nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxblend.forward.psf_images import effective_psf
from jaxblend.io.images import Extension, write_images

if TYPE_CHECKING:
    from jaxblend.simulation.blend import Blend

__all__ = ["write_fits"]

_PSF_SIDE = 63  # pixels


def write_fits(blend: Blend, path: str | os.PathLike, *, isolated: bool = True) -> Path:
    """Write a blend as IMAGE, WEIGHT, PSF and, for each source, its image without noise, for `read_fits`.

    The PSF becomes an image on the pixels of the blend, pixel included, which loses what lies beyond it: to keep an
    analytic PSF as it is, write NumPy archives or HDF5. The name of the survey is not written. Correlated noise is, as
    NOISE_CORRELATION.

    Parameters
    ----------
    blend : Blend
        From `jaxblend.simulate`.
    path : path
        An existing file is replaced, in one step.
    isolated : bool
        Whether to write the images of each source: extensions ISOLATED_0, ISOLATED_1 ..., with its pixel and its row in
        the truth in the header. `read_fits` leaves them out.

    Returns
    -------
    Path
        The file.
    """
    observation = blend.observation
    extensions = [
        Extension("IMAGE", observation.image),
        Extension("WEIGHT", observation.weight),
        Extension("PSF", effective_psf(observation, _PSF_SIDE)),
    ]
    if observation.noise_correlation is not None:
        extensions.append(Extension("NOISE_CORRELATION", observation.noise_correlation))
    if isolated:
        for row, (image, (x, y)) in enumerate(zip(blend.isolated, blend.positions, strict=True)):
            cards = {"SOURCEID": row, "SOURCEX": (float(x), "pixel, from 0"), "SOURCEY": (float(y), "pixel, from 0")}
            extensions.append(Extension(f"ISOLATED_{row}", np.asarray(image), cards))
    return write_images(path, extensions, observation=observation)
