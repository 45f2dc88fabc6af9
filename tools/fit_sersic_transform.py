"""Fit the polynomials in jaxblend/forward/sersic.npz: the Fourier transform of Sersic profiles.

The transform of a Sersic profile with half-light radius 1 and flux 1 has no closed form. FFTLog gives it to about 1e-8;
this script fits that reference by two forms, each in its own range of n, with s in [0, 1] linear in log n,
k0 and g log-linear in s, and coefficients that are Chebyshev series in s:

    n <= 2:  F = (1 + k^2/k0^2)^-(1 + 1/2n) * P(z),   z = (1 + k^2/k0^2)^-g     (the exact power law at large k)
    n >= 2:  F = exp(P(t)),                           t = log(1 + k/k0)

The weight asks for a relative error at n >= 1 (the peak of a convolved cusp is a sum over many small F).

Run: python tools/fit_sersic_transform.py     (about a minute; prints the largest error of each range)
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from scipy.fft import fht, fhtoffset
from scipy.special import gammaincinv, gammaln

K = np.concatenate([[0.0], np.logspace(-3.5, 3.3, 500)])
K_MAX = 1500.0
DEGREE_K, DEGREE_N = 16, 10
DEV_DEGREE, DEV_K0 = 12, 0.05
# n_low, n_high, k0 at n_low, k0 at n_high, g at n_low, g at n_high (g = 0: the logarithmic form)
RANGES = (
    (0.5, 0.75, 6.0, 4.0, 1.0, 0.7),
    (0.75, 1.25, 3.0, 1.5, 0.4, 0.4),
    (1.25, 2.0, 1.0, 0.5, 0.25, 0.25),
    (2.0, 6.0, 0.2, 0.02, 0.0, 0.0),
)


def fftlog_transform(n):
    """Wavenumbers and transform of the Sersic profile with index n, by FFTLog (Hamilton 2000)."""
    b = gammaincinv(2 * n, 0.5)
    r = np.logspace(-12, 10, 16384)
    step, bias = np.log(r[1] / r[0]), 0.3
    offset = fhtoffset(step, mu=0, bias=bias, initial=0)
    log_flux = np.log(2 * np.pi * n) + gammaln(2 * n) - 2 * n * np.log(b)
    hankel = fht(r * np.exp(-b * r ** (1 / n) - log_flux), step, mu=0, offset=offset, bias=bias)
    k = np.exp(offset) / r[::-1]
    return k, 2 * np.pi * hankel / k


@cache
def reference(n):
    """The transform at the wavenumbers K."""
    k, transform = fftlog_transform(n)
    log_f = np.interp(np.log(K[1:]), np.log(k), np.log(np.maximum(transform, 1e-30)))
    values = np.concatenate([[1.0], np.exp(log_f)])
    return np.where(K < 3e-4, 1.0, values) if n > 4 else values


def weight(values):
    """Inverse of the error that is allowed: relative to F, with a floor that falls as k^-2."""
    return 1 / (values + 0.03 / (1 + K**2))


def basis(n, bounds, degree_n):
    """Design matrix (K, (degree_k + 1) * (degree_n + 1)) of one index."""
    low, high, k0_low, k0_high, g_low, g_high = bounds
    s = np.log(n / low) / np.log(high / low)
    k0 = k0_low * (k0_high / k0_low) ** s
    if g_low:
        g = g_low * (g_high / g_low) ** s
        log_z = np.log1p((K / k0) ** 2)
        in_k = chebvander(2 * np.exp(-g * log_z) - 1, DEGREE_K) * np.exp(-(1 + 0.5 / n) * log_z)[:, None]
    else:
        in_k = chebvander(2 * np.log1p(K / k0) / np.log1p(K_MAX / k0) - 1, DEGREE_K)
    in_n = chebvander(np.array([2 * s - 1]), degree_n)[0]
    return (in_k[:, :, None] * in_n).reshape(len(K), -1)


def solve(design, target, allowed):
    """Least squares, reweighted towards the smallest maximum error (Lawson's algorithm)."""
    w = allowed.copy()
    for _ in range(10):
        coefficients = np.linalg.lstsq(design * w[:, None], target * w, rcond=1e-12)[0]
        error = np.abs(design @ coefficients - target) * allowed
        w *= (0.5 + error / error.max()) ** 0.4
    return coefficients


def fit_range(bounds):
    """Coefficients (degree_k + 1, degree_n + 1) and the largest weighted error on other indices."""
    low, high, *_, g = bounds
    inside = K < K_MAX
    nodes = low * (high / low) ** ((1 - np.cos((np.arange(24) + 0.5) / 24 * np.pi)) / 2)
    rows, targets, allowed = [], [], []
    for n in nodes:
        f = reference(float(n))
        rows.append(basis(n, bounds, DEGREE_N)[inside])
        targets.append(f[inside] if g else np.log(f[inside]))
        allowed.append((weight(f) if g else f * weight(f))[inside])
    coefficients = solve(np.concatenate(rows), np.concatenate(targets), np.concatenate(allowed))
    worst = 0.0
    for n in low * (high / low) ** np.linspace(0, 1, 31):
        f, value = reference(float(n)), basis(n, bounds, DEGREE_N) @ coefficients
        worst = max(worst, (np.abs((value if g else np.exp(np.minimum(value, 1))) - f) * weight(f))[inside].max())
    return coefficients.reshape(DEGREE_K + 1, DEGREE_N + 1), worst


def fit_de_vaucouleurs():
    """Monomial coefficients, in x = 2 t / t_max - 1, of log F for n = 4: shorter, for the hottest loop."""
    inside = K < K_MAX
    f = reference(4.0)
    x = 2 * np.log1p(K / DEV_K0) / np.log1p(K_MAX / DEV_K0) - 1
    design = chebvander(x, DEV_DEGREE)[inside]
    coefficients = solve(design, np.log(f[inside]), (f * weight(f))[inside])
    worst = (np.abs(np.exp(design @ coefficients) - f[inside]) * weight(f)[inside]).max()
    return np.polynomial.chebyshev.cheb2poly(coefficients), worst


def main():
    fits = [fit_range(bounds) for bounds in RANGES]
    for bounds, (_, worst) in zip(RANGES, fits, strict=True):
        print(f"n {bounds[0]} to {bounds[1]}: largest weighted error {worst:.1e}")
    dev, worst = fit_de_vaucouleurs()
    print(f"de Vaucouleurs: largest weighted error {worst:.1e}; largest coefficient {np.abs(dev).max():.1f}")
    target = Path(__file__).parents[1] / "jaxblend" / "forward" / "sersic.npz"
    np.savez(
        target,
        ranges=np.array(RANGES),
        coefficients=np.stack([c for c, _ in fits]),
        k_max=K_MAX,
        de_vaucouleurs=dev,
        de_vaucouleurs_k0=DEV_K0,
    )


if __name__ == "__main__":
    main()
