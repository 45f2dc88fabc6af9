"""Bit masks: which pixels are bad."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxblend.errors import JaxblendWarning

__all__ = ["bad_pixels", "mask_planes"]

BAD_NAMES = ("BAD", "NO_DATA", "SAT", "SUSPECT", "EDGE")  # those that the LSST pipeline's deblender leaves out
MASK_PLANE_PREFIX = "MP_"


def mask_planes(header: Mapping[str, Any]) -> dict[str, int]:
    """Read the names of mask bits from a header, as the LSST and HSC pipelines write them (MP_BAD = 0, ...)."""
    return {
        key[len(MASK_PLANE_PREFIX) :]: int(header[key])
        for key in header
        if key.startswith(MASK_PLANE_PREFIX) and isinstance(header[key], int)
    }


def bad_pixels(mask: np.ndarray, bits: int | None = None, *, named: Mapping[str, int] | None = None) -> np.ndarray:
    """Say which pixels are bad.

    Parameters
    ----------
    mask : array of bool or int
        Nonzero where something is known of a pixel.
    bits : int, optional
        The bits that make a pixel bad, added up; -1 for any, 0 for none.
    named : mapping of str to int, optional
        Which bit (counted from 0) means what; bad are BAD, NO_DATA, SAT, SUSPECT and EDGE.

    Returns
    -------
    array of bool
        True where a pixel is bad. An integer mask of several bits that nobody explained is not used, with a warning:
        pipelines flag detected pixels in the same array.
    """
    mask = np.asarray(mask)
    if mask.dtype == bool:
        return mask
    if not np.issubdtype(mask.dtype, np.integer):
        if not np.array_equal(mask, np.round(mask)):
            raise ValueError(f"Got a mask of {mask.dtype} with fractions, expected bools or integers: convert it.")
        mask = mask.astype(np.int64)
    if bits is not None:
        return (mask & bits) != 0
    named_bits = sum(1 << named[name] for name in BAD_NAMES if name in named) if named else 0
    if named_bits:
        return (mask & named_bits) != 0
    present = [bit for bit in range(mask.dtype.itemsize * 8 - 1) if np.any(mask & (1 << bit))]
    if present in ([], [0]):
        return mask != 0
    warnings.warn(
        f"The mask has bits {present} and does not say which are bad: it was not used. Give mask_bits, the sum of "
        "2**bit over the bad ones (-1 for all).",
        JaxblendWarning,
        stacklevel=2,
    )
    return np.zeros(mask.shape, bool)
