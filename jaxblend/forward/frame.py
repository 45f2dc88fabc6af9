"""Where pixels are: the shape of a stamp, its local affine map to the sky and the Fourier grid it is drawn on."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

__all__ = ["Frame", "fast_size"]


class Frame(eqx.Module):
    """A stamp of pixels on the tangent plane.

    Sky coordinates ``(u, v)`` are in arcsec: ``sky = jacobian @ (pixel - origin)`` with ``pixel = (x, y)``.

    Parameters
    ----------
    shape
        Height and width of the stamp in pixels.
    pixel_scale
        Arcsec per pixel, for u parallel to x and v parallel to y. Give this or ``jacobian``.
    jacobian
        (2, 2), arcsec per pixel: d(u, v) / d(x, y); may rotate, flip and shear.
    origin
        (2,), the pixel (x, y) where sky is (0, 0); the centre of the stamp by default.
    padding
        The scene is drawn on a periodic grid at least this many times wider than the stamp, so that what leaves
        one side does not come back on the other.
    oversampling
        The Fourier grid reaches this many times the Nyquist wavenumber and is folded back onto the pixels.
    """

    jacobian: Float[Any, "2 2"]
    origin: Float[Any, "2"]
    shape: tuple[int, int] = eqx.field(static=True)
    padded: tuple[int, int] = eqx.field(static=True)
    oversampling: int = eqx.field(static=True)

    def __init__(self, shape, pixel_scale: Any = None, *, jacobian=None, origin=None, padding=2.0, oversampling=1):
        if (pixel_scale is None) == (jacobian is None):
            raise ValueError("a Frame needs either pixel_scale (arcsec) or jacobian (2 x 2, arcsec per pixel)")
        height, width = (int(n) for n in shape)
        jacobian = float(pixel_scale) * np.eye(2) if jacobian is None else np.asarray(jacobian, float)
        if jacobian.shape != (2, 2) or not np.isfinite(jacobian).all() or np.linalg.det(jacobian) == 0:
            raise ValueError(f"jacobian must be a finite, invertible 2 x 2 matrix in arcsec per pixel, got {jacobian}")
        self.jacobian = jacobian
        self.origin = np.array([(width - 1) / 2, (height - 1) / 2]) if origin is None else np.asarray(origin, float)
        if not isinstance(padding, (int, float, np.number)) or not 1 <= padding <= 32:
            raise ValueError(f"padding must be a number from 1 to 32 (2 is usual), got {padding!r}")
        if oversampling != int(oversampling) or oversampling < 1:
            raise ValueError(f"oversampling must be a whole number of at least 1, got {oversampling}")
        self.shape = (height, width)
        self.padded = (fast_size(padding * height), fast_size(padding * width))
        self.oversampling = int(oversampling)

    @property
    def centre(self) -> np.ndarray:
        """Pixel (x, y) at the centre of the stamp."""
        return np.array([(self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2])

    @property
    def pixel_scale(self):
        """Arcsec: square root of the area of a pixel."""
        (a, b), (c, d) = self.jacobian
        return abs(a * d - b * c) ** 0.5

    def pixel_to_sky(self, pixels):
        """Tangent-plane coordinates (..., 2) in arcsec of pixels (..., 2)."""
        return (pixels - self.origin) @ self.jacobian.T

    def sky_to_pixel(self, sky):
        """Pixels (..., 2) of tangent-plane coordinates (..., 2) in arcsec."""
        return sky @ self.inverse_jacobian.T + self.origin

    @property
    def inverse_jacobian(self):
        """d(x, y) / d(u, v), pixels per arcsec."""
        (a, b), (c, d) = self.jacobian
        module = np if isinstance(self.jacobian, np.ndarray) else jnp
        return module.array([[d, -b], [-c, a]]) / (a * d - b * c)

    def pixel_wavenumbers(self) -> tuple[np.ndarray, np.ndarray]:
        """Wavenumbers ky (Ky, 1) and kx (1, Kx) in radians per pixel, in the order of a real FFT."""
        ny, nx = (n * self.oversampling for n in self.padded)
        step = 2 * np.pi * self.oversampling
        return (step * np.fft.fftfreq(ny))[:, None], (step * np.fft.rfftfreq(nx))[None, :]

    def with_oversampling(self, oversampling: int) -> Frame:
        """The same frame with another reach of its Fourier grid."""
        return self._with("oversampling", int(oversampling))

    def about_centre(self) -> Frame:
        """The same frame with sky (0, 0) at its centre: coordinates in float32 are then exact for a cutout, too."""
        return self._with("origin", self.centre)

    def _with(self, name, value) -> Frame:
        copy = object.__new__(Frame)
        for field in dataclasses.fields(self):
            object.__setattr__(copy, field.name, getattr(self, field.name))
        object.__setattr__(copy, name, value)
        return copy


def fast_size(minimum: float | int) -> int:
    """Smallest even length of at least ``minimum`` without prime factors above 5, for which FFTs are fast."""
    n = max(2, int(np.ceil(minimum)))
    while n % 2 or _largest_factor(n) > 5:
        n += 1
    return n


def _largest_factor(n: int) -> int:
    for p in (2, 3, 5):
        while n % p == 0:
            n //= p
    return max(n, 1)
