"""Distances from the middle of a cluster of galaxies, on the sky."""

from __future__ import annotations

from typing import cast

import numpy as np
from scipy.optimize import brentq
from scipy.special import boxcox1p, inv_boxcox1p

__all__ = ["beta_radius", "nfw_number", "nfw_radius"]


def beta_radius(quantile: float, *, core_radius: float, beta: float, max_radius: float) -> float:
    """Find the projected radius within which a fraction of the galaxies of a beta model lies.

    The number of galaxies per volume is ``(1 + (r / core_radius)**2)**(-3 beta / 2)``, as the gas in the model of
    Cavaliere & Fusco-Femiano (1976, A&A 49, 137); beta = 1 is King's (1962, AJ 67, 471) approximation of an
    isothermal cluster. On the sky it is ``(1 + (R / core_radius)**2)**(1/2 - 3 beta / 2)``.

    Parameters
    ----------
    quantile : float
        Between 0 and 1.
    core_radius, max_radius : float
        Core radius, and radius on the sky beyond which there are no galaxies, in one unit.
    beta : float
        Above 1/3.

    Returns
    -------
    float
        In the same unit.
    """
    exponent = 1.5 - 1.5 * beta
    within = boxcox1p((max_radius / core_radius) ** 2, exponent)
    return core_radius * float(np.sqrt(inv_boxcox1p(quantile * within, exponent)))


def nfw_radius(quantile: float, *, scale_radius: float, max_radius: float) -> float:
    """Find the projected radius within which a fraction of the galaxies of an NFW model lies.

    The number of galaxies per volume is ``1 / (x (1 + x)**2)`` with x the radius over `scale_radius` (Navarro, Frenk
    & White 1997, ApJ 490, 493), seen in projection (Bartelmann 1996, A&A 313, 697).

    Parameters
    ----------
    quantile : float
        Between 0 and 1.
    scale_radius, max_radius : float
        Scale radius, and radius on the sky beyond which there are no galaxies, in one unit.

    Returns
    -------
    float
        In the same unit.
    """
    largest = max_radius / scale_radius
    wanted = quantile * nfw_number(largest)
    smallest = 1e-6 * largest
    if nfw_number(smallest) >= wanted:
        return 0.0
    return scale_radius * cast(float, brentq(lambda x: nfw_number(x) - wanted, smallest, largest))


def nfw_number(x: float) -> float:
    """Count the galaxies of an NFW model within a projected radius, in scale radii, up to a factor.

    References
    ----------
    Bartelmann 1996, A&A 313, 697, integrated over the disk.
    """
    if abs(x - 1.0) < 1e-5:
        return float(1.0 - np.log(2.0) + (x - 1.0) / 3.0)
    if x < 1.0:
        return float(np.log(x / 2.0) + np.arccosh(1.0 / x) / np.sqrt(1.0 - x**2))
    return float(np.log(x / 2.0) + np.arccos(1.0 / x) / np.sqrt(x**2 - 1.0))
