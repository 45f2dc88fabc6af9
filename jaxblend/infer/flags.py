"""What may be wrong with a source (a bit mask) and how the fit of its blend ended."""

from __future__ import annotations

import enum

__all__ = ["Flag", "Outcome", "decode_flags"]


class Flag(enum.IntFlag):
    """Bits of the ``flags`` column."""

    NOT_CONVERGED = 1
    """The fit of the blend stopped before its minimum."""
    AT_BOUND = 2
    """A parameter is more than four prior standard deviations out, or |g| > 0.9."""
    OUTSIDE = 4
    """The fitted centre lies outside the image; of a joint fit, outside every image."""
    MASKED = 8
    """More than half of the source's light, weighted by itself, falls on masked pixels or off the image."""
    SHARED_FLUX = 16
    """The flux is strongly correlated (|rho| > 0.7) with a neighbour's."""
    SECOND_MODE = 32
    """Another solution fits nearly as well."""
    FAILED = 64
    """Nothing finite was found; the values mean nothing."""
    LOW_SNR = 128
    """Signal to noise below 3: the values are mostly prior."""
    UNUSUAL = 256
    """Not what the galaxy model or its prior describes: chi2 per pixel under the source is above 1.5 and beyond five
    standard deviations of noise, or its latent vector is one that fewer than one in a thousand galaxies have."""


class Outcome(enum.Enum):
    """How the fit of a blend ended."""

    CONVERGED = "converged"
    MAX_STEPS = "stopped at the largest number of steps"
    FAILED = "no finite solution"


def decode_flags(flags: int) -> list[str]:
    """Names of the bits that are set, lower case."""
    known = sum(Flag)
    if flags < 0 or flags & ~known:
        raise ValueError(f"flags is a sum of {[int(f) for f in Flag]}, got {flags}")
    return [str(f.name).lower() for f in Flag if flags & f]
