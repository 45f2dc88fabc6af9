"""What a detector does to an image: bad columns, cosmic rays, saturated stars that bleed, and the mask that tells."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["Artefacts"]

_STEPS_PER_PIXEL = 8  # of a cosmic ray's track


@dataclasses.dataclass(frozen=True, kw_only=True)
class Artefacts:
    """How often each kind of defect is drawn; none by default.

    Attributes
    ----------
    bad_columns : float
        Expected number of columns without signal, in each band's image.
    dead_pixels : float
        Share of pixels without signal.
    cosmic_rays : float
        Expected number of tracks in each band's image.
    cosmic_ray_length : float
        Mean length of a track, pixels; lengths are exponential and directions uniform.
    cosmic_ray_charge : float
        Mean charge per pixel of track, electrons; exponential.
    saturation : float, optional
        Electrons that a pixel holds: what is more bleeds up and down its column.
    masked : float
        Probability that a cosmic ray is known to the mask. All other defects are.
    """

    bad_columns: float | int = 0.0
    dead_pixels: float | int = 0.0
    cosmic_rays: float | int = 0.0
    cosmic_ray_length: float | int = 6.0
    cosmic_ray_charge: float | int = 2000.0
    saturation: float | int | None = None
    masked: float | int = 1.0

    def __post_init__(self) -> None:
        for name in ("bad_columns", "cosmic_rays", "cosmic_ray_length", "cosmic_ray_charge"):
            _check(name, getattr(self, name), np.inf, "a number, 0 or more")
        for name in ("dead_pixels", "masked"):
            _check(name, getattr(self, name), 1.0, "a share between 0 and 1")
        if self.saturation is not None and not (np.isfinite(self.saturation) and self.saturation > 0):
            raise ValueError(f"Got saturation={self.saturation}, expected electrons above 0, or None.")

    def draw(
        self, rng: np.random.Generator, image: Float[np.ndarray, "C H W"], sky: Float[np.ndarray, " C"]
    ) -> tuple[Float[np.ndarray, "C H W"], Bool[np.ndarray, "C H W"]]:
        """Spoil an image whose mean sky (C,) has been subtracted.

        Returns
        -------
        image : (C, H, W) array
            With the defects; the sky is subtracted in pixels without signal, too.
        mask : (C, H, W) booleans
            True where a pixel is known to be bad.
        """
        spoilt, mask = zip(*(self._band(rng, band, level) for band, level in zip(image, sky, strict=True)), strict=True)
        return np.stack(spoilt), np.stack(mask)

    def _band(self, rng, image, sky):
        charge, known = self._with_cosmic_rays(rng, image + sky)
        if self.saturation is not None:
            spread = bled(charge, float(self.saturation))
            known |= (spread >= self.saturation) | (spread != charge)
            charge = spread
        dead = rng.random(image.shape) < self.dead_pixels
        dead[:, rng.integers(image.shape[1], size=rng.poisson(self.bad_columns))] = True
        return np.where(dead, 0.0, charge) - sky, known | dead

    def _with_cosmic_rays(self, rng, charge):
        known = np.zeros(charge.shape, bool)
        for _ in range(rng.poisson(self.cosmic_rays)):
            track = self._track(rng, charge.shape)
            charge = charge + track
            known |= (track > 0) & (rng.random() < self.masked)
        return charge, known

    def _track(self, rng, shape):
        """A straight track of even charge: electrons in each pixel, by the length of it that lies there."""
        start = rng.uniform(-0.5, np.array(shape) - 0.5)
        length, angle = rng.exponential(self.cosmic_ray_length), rng.uniform(0, 2 * np.pi)
        n = 1 + int(_STEPS_PER_PIXEL * length)
        along = (np.arange(n) + 0.5) / n * length
        y, x = (np.rint(start[i] + along * step).astype(int) for i, step in enumerate((np.sin(angle), np.cos(angle))))
        inside = (y >= 0) & (x >= 0) & (y < shape[0]) & (x < shape[1])
        track = np.zeros(shape)
        per_pixel = rng.exponential(self.cosmic_ray_charge)
        np.add.at(track, (y[inside], x[inside]), per_pixel * max(length, 1.0) / n)
        return track


def bled(charge: Float[np.ndarray, "H W"], full: float) -> Float[np.ndarray, "H W"]:
    """Move what exceeds a full pixel along its column to the nearest pixels with room, half of it each way.

    Charge is conserved but for what runs over the image's edge, and for what one side cannot take, which is lost there.
    """
    result = np.minimum(charge, full)
    excess = charge - result
    for x in np.flatnonzero(excess.any(axis=0)):
        column = result[:, x]
        for y in np.flatnonzero(excess[:, x]):
            for way in (column[y + 1 :], column[:y][::-1]):
                room = full - way
                way += np.clip(0.5 * excess[y, x] - (np.cumsum(room) - room), 0.0, room)
    return result


def _check(name: str, value: float | int, most: float, expected: str) -> None:
    if not (np.isfinite(value) and 0 <= value <= most):
        raise ValueError(f"Got {name}={value}, expected {expected}.")
