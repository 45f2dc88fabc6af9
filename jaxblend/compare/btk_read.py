"""Batches of the Blending ToolKit (BTK) as observations with their truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxblend.compare.btk_plain import to_pixels
from jaxblend.forward.observation import Observation
from jaxblend.io.surveys import electron_photometry
from jaxblend.simulation import psf_from_galsim
from jaxblend.simulation.survey import in_unit, reference_band
from jaxblend.simulation.truth import blendedness, signal_to_noise

if TYPE_CHECKING:
    import galsim
    from astropy.table import QTable

__all__ = ["BTKBlend", "blends_from_btk", "read_blends"]


@dataclass(frozen=True, eq=False)
class BTKBlend:
    """A blend of a BTK batch.

    Attributes
    ----------
    observation : Observation
        Image in electrons, the weight that of the sky, the PSF at its true scale.
    truth : QTable
        ``id, x, y`` (pixels), ``flux_<band>`` (electrons), ``snr`` and ``blendedness`` in the reference band, which the
        metadata name; the S/N is against the noise that there is, of sky alone or of sky and sources. Where BTK's
        catalogue has magnitudes ``<band>_ab``, the flux is theirs, to infinity, and there is ``mag_<band>``; else it is
        the sum of the source's own image, which ends with the stamp.
    isolated : (n, C, H, W) array
        Each source alone, without noise.
    positions : (n, 2) array
        True pixel x, y.
    """

    observation: Observation
    truth: QTable
    isolated: np.ndarray
    positions: Float[np.ndarray, "n 2"]


def blends_from_btk(batch: Any, *, psf: Sequence[galsim.GSObject] | None = None, photon_noise: bool = True) -> list:
    """Take a BTK batch apart.

    BTK's ``get_numpy_psf`` samples each band's PSF at that band's own Nyquist scale, not at the pixel scale. Here the
    batch's GalSim objects are taken, at their true scale.

    Parameters
    ----------
    batch
        A ``btk.blend_batch.BlendBatch`` of one survey, or anything with its fields.
    psf
        GalSim objects, one a band, without the pixel. They are needed with a batch that was loaded from a file, which
        keeps PSFs as images that have lost their scale.
    photon_noise
        Whether the noise is that of the sources, too (BTK's ``add_noise`` is "all", its default): fits then add it.

    Returns
    -------
    list of BTKBlend
        In the order of the batch.

    Raises
    ------
    ValueError
        If a PSF is not a GalSim object.
    """
    return list(read_blends(batch, range(batch.batch_size), psf=psf, photon_noise=photon_noise))


def read_blends(batch: Any, rows: Sequence[int], *, psf: Any, photon_noise: bool) -> Iterator[BTKBlend]:
    """Make the blends in some rows of a batch; arguments as for `blends_from_btk`."""
    codex, scale = batch.survey, in_unit(batch.survey.pixel_scale, "arcsec")
    bands = tuple(codex.available_filters)
    zero_point, sky = electron_photometry(codex, bands)
    image_psf = psf_from_galsim(_checked_psf(batch.psf if psf is None else psf), pixel_scale=scale)
    reference = bands.index(reference_band(bands))
    for row in rows:
        table = batch.catalog_list[row]
        positions = to_pixels(batch.wcs, table)
        isolated = np.asarray(batch.isolated_images[row][: len(table)], np.float32)
        observation = Observation(
            np.asarray(batch.blend_images[row], np.float32),
            1.0 / sky,
            image_psf,
            pixel_scale=scale,
            bands=bands,
            zero_point=zero_point,
            survey=codex.name,
            gain=1.0 if photon_noise else None,
        )
        variance = sky[reference] + (isolated[:, reference].sum(axis=0).clip(min=0) if photon_noise else 0.0)
        truth = _truth(table, positions, isolated, observation, variance=variance, reference=reference)
        yield BTKBlend(observation, truth, isolated, positions)


def _checked_psf(psf):
    import galsim

    wrong = next((p for p in psf if not isinstance(p, galsim.GSObject)), None)
    if wrong is not None:
        raise ValueError(
            f"the PSF of a band is of class {type(wrong).__name__}, expected a GalSim profile: a batch that was loaded "
            "from a file has lost the scale of its PSFs, give them as psf=[...], one a band, without the pixel"
        )
    return tuple(psf)


def _truth(table, positions, isolated, observation, *, variance, reference) -> QTable:
    import astropy.units as u
    from astropy.table import QTable

    bands = observation.bands
    about = {"survey": observation.survey, "bands": list(bands), "reference_band": bands[reference]}
    truth = QTable(meta=about | {"pixel_scale": float(observation.frame.pixel_scale)})
    truth["id"] = np.arange(len(table))
    truth["x"], truth["y"] = positions[:, 0] * u.pix, positions[:, 1] * u.pix
    for c, band in enumerate(bands):
        flux = isolated[:, c].sum(axis=(1, 2), dtype=float)
        if f"{band}_ab" in table.colnames:
            magnitude = np.asarray(table[f"{band}_ab"], float)
            flux = 10.0 ** (-0.4 * (magnitude - observation.zero_point[c]))
            truth[f"mag_{band}"] = magnitude * u.ABmag
        truth[f"flux_{band}"] = flux * u.electron
    truth["snr"] = signal_to_noise(isolated[:, reference], variance)
    truth["blendedness"] = blendedness(isolated[:, reference])
    return truth
