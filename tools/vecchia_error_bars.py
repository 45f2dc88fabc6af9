"""Print how right the error bars of fluxes are under Vecchia's approximation: scatter over claimed error, by radius.

Run: python tools/vecchia_error_bars.py
"""

from __future__ import annotations

import numpy as np
from scipy.signal import correlate2d

from jaxblend.forward.noise_checks import FLOOR, with_floor
from jaxblend.forward.vecchia import full_stencil, neighbourhood, power_on_grid, prediction_radius

RADII = (1, 2, 3, 4, 5)
WIDTHS = (2.5, 4.0, 8.0)


def lanczos(shift):
    """Weights of Lanczos-3 interpolation at a fraction of a pixel."""
    x = np.arange(-3, 4) - shift
    return np.sinc(x) * np.sinc(x / 3) * (np.abs(x) < 3)


def gaussian(sigma):
    """Of a smoothing kernel."""
    return np.exp(-0.5 * (np.arange(-4, 5) / sigma) ** 2)


LINES = {
    "linear, shift 0.3": [0.7, 0.3],
    "linear, shift 0.5": [0.5, 0.5],
    "Lanczos-3, shift 0.3": lanczos(0.3),
    "Lanczos-3, shift 0.5": lanczos(0.5),
    "drizzle": [0.25, 1, 0.25],
    "1 2 1": [1, 2, 1],
    "Gaussian of sigma 0.5": gaussian(0.5),
    "Gaussian of sigma 0.7": gaussian(0.7),
    "Gaussian of sigma 1": gaussian(1.0),
}


def pulls(correlation, radius, power):
    """For each width, the scatter of a flux over the error that it claims."""
    k = 2 * np.pi * np.fft.fftfreq(len(power))
    row = zip(full_stencil(correlation, radius), neighbourhood(radius), strict=True)
    response = sum(c * np.exp(1j * (k[:, None] * y + k[None] * x)) for c, (y, x) in row)
    precision = np.abs(response) ** 2
    result = []
    for width in WIDTHS:
        template = np.exp(-(k[:, None] ** 2 + k[None] ** 2) * (width / 2.3548) ** 2)
        variance = (template * power * precision**2).sum() / (template * precision).sum()
        result.append(float(np.sqrt(variance)))
    return result


def main():
    """One line per kernel: the lowest power, the radius taken, and pulls at widths 2.5, 4 and 8 pixels by radius."""
    print(f"floor {FLOOR}; pulls of fluxes of round sources of FWHM {WIDTHS} pixels")
    for name, line in LINES.items():
        covariance = correlate2d(np.outer(line, line), np.outer(line, line))
        correlation = covariance / covariance.max()
        power = power_on_grid(correlation)
        floored = with_floor(correlation)
        found = [pulls(floored, radius, power) for radius in RADII]
        columns = "  ".join("/".join(f"{pull:.2f}" for pull in at) for at in found)
        print(f"{name:24s} lowest power {power.min():6.3f}  radius {prediction_radius(floored)}  {columns}")


if __name__ == "__main__":
    main()
