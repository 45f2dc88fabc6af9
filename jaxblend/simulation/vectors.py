"""Sources of a catalogue as physical vectors of the bulge-and-disk model."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.priors.population import Population
from jaxblend.priors.prior import parameter_names
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey

FRACTION_FLOOR = 1e-3  # of the flux, in the fainter of bulge and disk: a logit of 7, which a prior still reaches
LARGEST_SHEAR = 0.94  # inside the bound of the default prior
SHEAR_RATIO_MARGIN = 0.01  # from 0 and 1, where the logit ends
NUCLEUS_RATIO = 0.05  # smallest radius of a bulge with a nucleus in it, over the disk's


def bulge_disk_vectors(sources: SkySources, survey: Survey) -> Float[np.ndarray, "n D"]:
    """Describe catalogued sources by the vector of `BulgeDisk`, as well as that model permits.

    What is lost, so that a drawn galaxy is not quite the catalogued one (where a band must be chosen, it is the
    survey's reference band):

    - Bulge and disk share their position angle, the disk's. The bulge keeps the part of its shear along the disk's,
      from 0.01 to 0.99 of it; one that is more elongated than the disk shares the mean shear of both, weighted by
      flux. No shear is above 0.94.
    - Neither component has less than 0.001 of the flux in any band: a galaxy without a bulge gets one of that flux
      and half the disk's radius, one without a disk a disk of that flux and twice the bulge's radius.
    - An active nucleus joins the bulge, whose radius shrinks in proportion to its share of their light, to no less
      than 0.05 of the disk's.
    - A star keeps its fluxes; its shape is that of a typical galaxy, and to be ignored (``sources.is_star``).
    - The position is the seed's: the offsets are 0.

    Parameters
    ----------
    sources : SkySources
        n sources with magnitudes in all bands of the survey.
    survey : Survey
        Converts magnitudes to electrons.

    Returns
    -------
    (n, D) array
        In the order of ``parameter_names(BulgeDisk(), survey.bands)``: offsets and half-light radius in arcsec,
        fluxes in electrons (log), float64.

    Raises
    ------
    ValueError
        If the sources lack a band of the survey, or have GalSim profiles of their own.
    """
    if sources.profile is not None and any(profile is not None for profile in sources.profile):
        raise ValueError(
            "Got sources with GalSim profiles, expected bulges, disks and points: jaxblend.simulate draws them, and "
            'read_cosmos and read_sources make none with sersic="round".'
        )
    chosen = sources.in_bands(survey.bands)
    log_flux = np.log(chosen.flux(survey))
    in_bulge = np.clip(chosen.bulge_fraction + chosen.point_fraction, FRACTION_FLOOR, 1 - FRACTION_FLOOR)
    logit = np.where(chosen.is_star[:, None], Population().bulge_logit, np.log(in_bulge / (1 - in_bulge)))
    columns = {"du": np.zeros(len(chosen)), "dv": np.zeros(len(chosen))}
    for i, band in enumerate(survey.bands):
        columns |= {f"log_flux_{band}": log_flux[:, i], f"logit_fraction0_{band}": logit[:, i]}
    columns |= _sizes(chosen, survey.reference_band) | _shears(chosen, survey.reference_band)
    return np.stack([columns[name] for name in parameter_names(BulgeDisk(), survey.bands)], axis=1)


def _sizes(sources: SkySources, band: str) -> dict[str, np.ndarray]:
    """Log half-light radius of the disk (n,), arcsec, and log ratio (n,) of the bulge's to it."""
    typical_radius, typical_ratio = np.exp(Population().log_radius), np.exp(Population().log_ratio)
    one = sources.in_bands((band,))
    bulge, point = one.bulge_fraction[:, 0], one.point_fraction[:, 0]
    share = np.divide(bulge, bulge + point, out=np.ones_like(bulge), where=point > 0)
    disk = np.where(one.disk_radius > 0, one.disk_radius, one.bulge_radius / typical_ratio)
    disk = np.where(disk > 0, disk, typical_radius)
    ratio = np.where(one.bulge_radius > 0, one.bulge_radius / disk, typical_ratio)
    with_nucleus = np.maximum(ratio * share, np.minimum(ratio, NUCLEUS_RATIO))
    return {"log_radius": np.log(disk), "log_ratio": np.log(np.where(one.is_star, typical_ratio, with_nucleus))}


def _shears(sources: SkySources, band: str) -> dict[str, np.ndarray]:
    """Reduced shear of the disk, and the ratio (n,) of the bulge's to it."""
    one = sources.in_bands((band,))
    along = np.sum(one.bulge_g * one.disk_g, axis=1)
    squared = np.sum(one.disk_g**2, axis=1)
    rounder = (along <= squared) & (one.disk_fraction[:, 0] > 0)
    ratio = np.divide(along, squared, out=np.ones_like(along), where=rounder & (squared > 0))
    ratio = np.where(one.bulge_fraction[:, 0] > 0, ratio, 0.5)
    g = np.where(rounder[:, None], one.disk_g, one.shape(band))
    modulus = np.maximum(np.hypot(g[:, 0], g[:, 1]), 1e-12)
    g = g * np.minimum(1.0, LARGEST_SHEAR / modulus)[:, None]
    return {
        "g1": g[:, 0],
        "g2": g[:, 1],
        "shear_ratio": np.clip(ratio, SHEAR_RATIO_MARGIN, 1 - SHEAR_RATIO_MARGIN),
    }
