"""Point-spread functions: each gives its transfer function on the Fourier grid of a frame.

To add a PSF, write a Module with ``transfer(frame)``; nothing else changes. Analytic PSFs live on the sky, in arcsec,
without the pixel, which ``transfer`` multiplies in. A sampled PSF is an array of pixels (see ``ImagePSF``).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxblend.forward.frame import Frame

__all__ = ["AbstractPSF", "AiryPSF", "ConvolvedPSF", "GaussianPSF", "KolmogorovPSF", "MoffatPSF", "pixel_response"]


_MOFFAT_STEPS = 80  # of the sum below: 1e-7 of the transfer function for beta of 1.5 and more, 1e-4 at 1.2


class AbstractPSF(eqx.Module):
    """A PSF per band, or per source and band."""

    @abstractmethod
    def transfer(self, frame: Frame) -> Complex[Array, "*sources C Ky Kx"]:
        """Transfer function, pixel included, on the Fourier grid of a frame."""

    @property
    @abstractmethod
    def n_bands(self) -> int | None:
        """Number of bands, or None if the same PSF serves any."""


def _parameter(value) -> Any:
    """A list of one value per band becomes an array."""
    return np.asarray(value, float) if isinstance(value, (list, tuple)) else value


class _RoundPSF(AbstractPSF):
    """A circular analytic PSF; parameters are scalars or one per band."""

    @abstractmethod
    def profile(self, k: Float[Array, "1 Ky Kx"]) -> Float[Array, "C Ky Kx"]:
        """Transfer function without the pixel at wavenumber k in radians per arcsec."""

    def transfer(self, frame):
        """The PSF on the sky, times the pixel."""
        ky, kx = frame.pixel_wavenumbers()
        inverse = frame.inverse_jacobian
        u, v = inverse[0, 0] * kx + inverse[1, 0] * ky, inverse[0, 1] * kx + inverse[1, 1] * ky
        k = jnp.asarray(np.hypot(u, v) if isinstance(u, np.ndarray) else jnp.hypot(u, v), dtype=float)
        return (self.profile(k[None]) * pixel_response(frame)).astype(_complex())

    @property
    def n_bands(self):
        """Length of the parameters, None for scalars."""
        sizes = {np.shape(leaf)[0] for leaf in jax.tree.leaves(self) if np.ndim(leaf)}
        if len(sizes - {1}) > 1:
            raise ValueError(f"{type(self).__name__} has parameters for {sorted(sizes)} bands: give all for the same")
        return max(sizes, default=None)


class GaussianPSF(_RoundPSF):
    """A Gaussian of full width at half maximum ``fwhm`` (arcsec)."""

    fwhm: ArrayLike = eqx.field(converter=_parameter)

    def __check_init__(self):
        _require("fwhm", self.fwhm, above=0)

    def profile(self, k):
        """``exp(-k^2 sigma^2 / 2)``."""
        sigma = _bands(self.fwhm) / (2 * np.sqrt(2 * np.log(2)))
        return jnp.exp(-0.5 * (k * sigma) ** 2)


class MoffatPSF(_RoundPSF):
    """A Moffat profile, ``(1 + r^2/rd^2)^-beta``, not truncated; ``fwhm`` in arcsec, ``beta`` above 1.1."""

    fwhm: ArrayLike = eqx.field(converter=_parameter)
    beta: ArrayLike = eqx.field(converter=_parameter)

    def __check_init__(self):
        _require("fwhm", self.fwhm, above=0)
        _require("beta", self.beta, above=1.1)

    def profile(self, k):
        """The Moffat as a gamma mixture of Gaussians, summed by the trapezoidal rule in log s."""
        beta = _bands(self.beta)
        scale = _bands(self.fwhm) / (2 * jnp.sqrt(2 ** (1 / beta) - 1))
        quarter = 0.25 * (k * scale) ** 2
        lowest, log_norm = -16.0 / (beta - 1), jax.scipy.special.gammaln(beta - 1)
        step = (4.0 - lowest) / _MOFFAT_STEPS

        def add(total, i):
            log_s = lowest + i * step
            s = jnp.exp(log_s)
            return total + jnp.exp((beta - 1) * log_s - s - log_norm - quarter / s), None

        start = jnp.zeros(jnp.broadcast_shapes(quarter.shape, beta.shape), quarter.dtype)
        return step * jax.lax.scan(add, start, jnp.arange(_MOFFAT_STEPS, dtype=quarter.dtype))[0]


class KolmogorovPSF(_RoundPSF):
    """Long-exposure atmospheric seeing of full width at half maximum ``fwhm`` (arcsec)."""

    fwhm: ArrayLike = eqx.field(converter=_parameter)

    def __check_init__(self):
        _require("fwhm", self.fwhm, above=0)

    def profile(self, k):
        """``exp(-3.44 (lambda k / 2 pi r0)^(5/3))`` (Fried 1966), with FWHM = 0.97586 lambda / r0."""
        lam_over_r0 = _bands(self.fwhm) / 0.9758634299
        return jnp.exp(-0.5 * 6.8838771822938116 * (k * lam_over_r0 / (2 * np.pi)) ** (5 / 3))


class AiryPSF(_RoundPSF):
    """Diffraction by a round aperture with a central obscuration.

    ``lam_over_diam`` is in arcsec, ``obscuration`` the linear fraction (0 to below 1) of the diameter.
    """

    lam_over_diam: ArrayLike = eqx.field(converter=_parameter)
    obscuration: ArrayLike = eqx.field(converter=_parameter, default=0.0)

    def __check_init__(self):
        _require("lam_over_diam", self.lam_over_diam, above=0)
        _require("obscuration", self.obscuration, above=-1)
        if np.any(np.asarray(self.obscuration) < 0) or np.any(np.asarray(self.obscuration) >= 1):
            raise ValueError(f"obscuration is a linear fraction from 0 to below 1, got {self.obscuration}")

    def profile(self, k):
        """Autocorrelation of the annular aperture (O'Neill 1956)."""
        hole = _bands(self.obscuration)
        shift = k * _bands(self.lam_over_diam) / np.pi  # of two apertures of radius 1
        overlap = _lens(shift, 1.0, 1.0) - 2 * _lens(shift, 1.0, hole) + _lens(shift, hole, hole)
        return overlap / (np.pi * (1 - hole**2))


class ConvolvedPSF(AbstractPSF):
    """Two or more analytic PSFs convolved, for example the atmosphere and the telescope."""

    parts: tuple[_RoundPSF, ...]

    def transfer(self, frame):
        """Product of the transfer functions, with one pixel."""
        product = self.parts[0].transfer(frame)
        pixel = pixel_response(frame)
        for part in self.parts[1:]:
            # The pixel is in every transfer function: divide it out where it is not small, which is where light is.
            product = product * jnp.where(jnp.abs(pixel) > 1e-3, part.transfer(frame) / pixel, 0.0)
        return product

    @property
    def n_bands(self):
        """Of the first part that says."""
        return next((p.n_bands for p in self.parts if p.n_bands is not None), None)


def pixel_response(frame: Frame) -> Float[Any, "Ky Kx"]:
    """Transfer function of the square pixel."""
    ky, kx = frame.pixel_wavenumbers()
    return np.sinc(ky / (2 * np.pi)) * np.sinc(kx / (2 * np.pi))


def _lens(distance, a, b):
    """Area shared by two circles of radii a >= b whose centres are ``distance`` apart."""
    inside = distance <= a - b
    apart = distance >= a + b
    d = jnp.where(inside | apart, a, distance)  # any distance where the formula is finite
    b_safe = jnp.maximum(b, 1e-12)
    cos_a = jnp.clip((d**2 + a**2 - b**2) / (2 * d * a), -1, 1)
    cos_b = jnp.clip((d**2 + b**2 - a**2) / (2 * d * b_safe), -1, 1)
    kite = jnp.sqrt(jnp.maximum((-d + a + b) * (d + a - b) * (d - a + b) * (d + a + b), 0))
    area = a**2 * jnp.arccos(cos_a) + b**2 * jnp.arccos(cos_b) - kite / 2
    return jnp.where(apart, 0.0, jnp.where(inside, np.pi * b**2, area))


def _bands(parameter):
    """A scalar, or a value per band against (C, Ky, Kx)."""
    return jnp.reshape(jnp.asarray(parameter, dtype=float), (-1, 1, 1))


def _require(name, value, *, above):
    if isinstance(value, Tracer):
        return
    try:
        values = np.asarray(value, float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number or one per band, got {value!r}") from None
    if values.ndim > 1 or not np.all(np.isfinite(values)) or np.any(values <= above):
        raise ValueError(f"{name} must be finite and above {above}, a number or one per band; got {value}")


def _complex():
    return jnp.result_type(jnp.asarray(0.0, dtype=float), jnp.complex64)
