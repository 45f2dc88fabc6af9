"""Fourier transforms of round, unit-flux galaxy profiles, as functions of the squared wavenumber.

Every profile takes ``k2 = (|k| * half_light_radius)^2`` and returns its (real) transform, 1 at ``k2 = 0``.
The exponential is exact. Sersic and de Vaucouleurs profiles are polynomials that ``tools/fit_sersic_transform.py``
fits to FFTLog, good to about 1e-5 of the transform itself; no table is gathered, so they vectorise.
"""

from __future__ import annotations

from importlib.resources import files

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

__all__ = ["SERSIC_MAX", "SERSIC_MIN", "de_vaucouleurs", "exponential", "sersic"]

SERSIC_MIN, SERSIC_MAX = 0.5, 6.0

#: Scale length over half-light radius of an exponential disk: 1 / b with gamma(2, b) = 1/2.
EXPONENTIAL_SCALE = 1 / 1.6783469900166605

# sqrt has no derivative at k = 0; this shift of k by 1e-6 half-light radii changes no pixel.
_TINY = 1e-12

with files("jaxblend.forward").joinpath("sersic.npz").open("rb") as _file:
    _FITS = dict(np.load(_file, allow_pickle=False))
_LOG_RANGE = _FITS["ranges"].shape[0] - 1  # the last range of n has the logarithmic form
_DEV = [float(c) for c in _FITS["de_vaucouleurs"]]
_DEV_K0 = float(_FITS["de_vaucouleurs_k0"])
_K_MAX = float(_FITS["k_max"])
_DEV_STRETCH = 2 / float(np.log1p(_K_MAX / _DEV_K0))


def exponential(k2: Float[Array, "*grid"]) -> Float[Array, "*grid"]:
    """Transform of the exponential profile, ``(1 + k^2 r0^2)^(-3/2)``."""
    inverse = jax.lax.rsqrt(1 + k2 * EXPONENTIAL_SCALE**2)
    return inverse * inverse * inverse


@jax.custom_jvp
def de_vaucouleurs(k2: Float[Array, "*grid"]) -> Float[Array, "*grid"]:
    """Transform of the de Vaucouleurs profile (Sersic index 4): log F is a polynomial in log(1 + k/k0)."""
    x = _de_vaucouleurs_variable(jnp.sqrt(k2 + _TINY))
    log_f = jnp.full_like(x, _DEV[-1])
    for c in _DEV[-2::-1]:
        log_f = log_f * x + c
    return jnp.exp(jnp.minimum(log_f, 0.0))


@de_vaucouleurs.defjvp
def _de_vaucouleurs_jvp(primals, tangents):
    """The slope beside the value, in one pass: reverse mode would keep every power of the polynomial."""
    (k2,), (k2_dot,) = primals, tangents
    k = jnp.sqrt(k2 + _TINY)
    x = _de_vaucouleurs_variable(k)
    log_f, slope = jnp.full_like(x, _DEV[-1]), jnp.zeros_like(x)
    for c in _DEV[-2::-1]:
        log_f, slope = log_f * x + c, slope * x + log_f
    value = jnp.exp(jnp.minimum(log_f, 0.0))
    slope = jnp.where((log_f < 0) & (x < 1), slope * _DEV_STRETCH, 0.0)
    return value, value * slope / (2 * k * (k + _DEV_K0)) * k2_dot


def _de_vaucouleurs_variable(k):
    return jnp.minimum(jnp.log1p(k / _DEV_K0) * _DEV_STRETCH - 1, 1.0)


def sersic(k2: Float[Array, "*grid"], index: Float[Array, ""]) -> Float[Array, "*grid"]:
    """Transform of the Sersic profile, differentiable in its index.

    Parameters
    ----------
    k2
        Squared wavenumber times the squared half-light radius, any shape.
    index
        Sersic index, 0.5 (Gaussian) to 6; held at these bounds beyond them.
    """
    n = jnp.clip(index, SERSIC_MIN, SERSIC_MAX)
    which = jnp.sum(n >= _FITS["ranges"][1:, 0])
    low, high, k0_low, k0_high, g_low, g_high = jnp.asarray(_FITS["ranges"], k2.dtype)[which]
    s = jnp.log(n / low) / jnp.log(high / low)
    k0 = k0_low * (k0_high / k0_low) ** s
    coefficients = _chebyshev_in_n(which, s, k2.dtype)
    log_form = which == _LOG_RANGE

    safe_g = jnp.where(log_form, 1.0, g_low) * jnp.where(log_form, 1.0, g_high / jnp.where(log_form, 1.0, g_low)) ** s
    log_z = jnp.log1p((k2 + _TINY) / k0**2)
    t = jnp.log1p(jnp.sqrt(k2 + _TINY) / k0) * (2 / jnp.log1p(_K_MAX / k0))
    x = jnp.where(log_form, jnp.minimum(t, 2.0), 2 * jnp.exp(-safe_g * log_z)) - 1
    value = _clenshaw(coefficients, x)
    # One exponential serves both forms: a power law times the polynomial, or the exponential of the polynomial.
    power = jnp.exp(jnp.where(log_form, jnp.minimum(value, 0.0), -(1 + 0.5 / n) * log_z))
    return power * jnp.where(log_form, 1.0, value)


def _chebyshev_in_n(which, s, dtype):
    """Coefficients of the polynomial in k, for one Sersic index."""
    table = jnp.asarray(_FITS["coefficients"], dtype)[which]
    y = 2 * s - 1
    terms = [jnp.ones_like(y), y]
    for _ in range(table.shape[1] - 2):
        terms.append(2 * y * terms[-1] - terms[-2])
    return table @ jnp.stack(terms)


def _clenshaw(coefficients, x):
    """Chebyshev series at x by Clenshaw's recurrence."""
    b1 = b2 = jnp.zeros_like(x)
    for j in range(coefficients.shape[0] - 1, 0, -1):
        b1, b2 = coefficients[j] + 2 * x * b1 - b2, b1
    return coefficients[0] + x * b1 - b2
