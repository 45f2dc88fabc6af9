"""Results of a fit without a fit: elliptical Gaussians, with fluxes solved by least squares."""

from dataclasses import dataclass
from types import SimpleNamespace

import astropy.units as u
import numpy as np
from astropy.table import QTable


@dataclass
class FakeFit:
    observations: tuple
    catalog: QTable
    images: np.ndarray
    chi2: np.ndarray

    @property
    def model(self):
        return self.images.sum(axis=0)

    @property
    def residual(self):
        return np.asarray(self.observations[0].image) - self.model

    def image_of(self, index):
        return self.images


def gaussians(positions, shape, sigma):
    y, x = np.mgrid[: shape[0], : shape[1]]
    g = np.stack([np.exp(-0.5 * (((x - px) / sigma) ** 2 + ((y - py) / sigma) ** 2)) for px, py in positions])
    return g / (2 * np.pi * sigma**2)


def fake_fit(observation, positions, *, sigma=3.0):
    positions = np.asarray(positions, float)
    templates = gaussians(positions, observation.shape, sigma)
    flux = []
    for image, weight in zip(observation.image, observation.weight, strict=True):
        root = np.sqrt(np.asarray(weight, float)).ravel()
        flux.append(
            np.linalg.lstsq((templates.reshape(len(positions), -1) * root).T, image.ravel() * root, rcond=None)[0]
        )
    flux = np.stack(flux, axis=1)
    images = (templates[:, None] * flux[:, :, None, None]).astype(np.float32)
    chi = (observation.image - images.sum(axis=0)) * np.sqrt(observation.weight)
    table = catalog(observation, positions, flux)
    return FakeFit((observation,), table, images, (chi**2).mean(axis=(1, 2)))


def catalog(observation, positions, flux):
    n = len(positions)
    table = QTable(meta={"survey": observation.survey, "bands": list(observation.bands), "config": {"starts": 4}})
    table["id"] = np.arange(n)
    table["x"], table["y"] = positions[:, 0] * u.pix, positions[:, 1] * u.pix
    for index, band in enumerate(observation.bands):
        table[f"flux_{band}"] = flux[:, index] * u.electron
        table[f"flux_{band}_err"] = 0.05 * np.abs(flux[:, index]) * u.electron
        if observation.zero_point is not None:
            magnitude = observation.zero_point[index] - 2.5 * np.log10(np.maximum(flux[:, index], 1e-9))
            table[f"mag_{band}"] = magnitude * u.ABmag
            table[f"mag_{band}_err"] = np.full(n, 0.05) * u.mag
    table["radius"] = np.where(np.arange(n) == n - 1, 0.0, 0.5) * u.arcsec
    table["radius_err"] = np.full(n, 0.02) * u.arcsec
    table["g1"], table["g2"] = np.linspace(-0.4, 0.4, n), np.linspace(0.3, 0.0, n)
    table["kind"] = np.where(np.arange(n) == n - 1, "star", "galaxy")
    table["snr"] = np.linspace(100.0, 10.0, n)
    table["blendedness"] = np.full(n, 0.1)
    table["flags"] = np.zeros(n, int)
    table["group"] = np.arange(n) // 2
    return table


def fake_scene(observation, positions, *, half=6):
    """A deblended frame: the same sources, as cutouts."""
    fit = fake_fit(observation, positions)
    height, width = observation.shape
    cutouts = []
    for image, (x, y) in zip(fit.images, np.round(positions).astype(int), strict=True):
        rows = slice(max(y - half, 0), min(y + half + 1, height))
        columns = slice(max(x - half, 0), min(x + half + 1, width))
        cutouts.append((image[:, rows, columns], (rows, columns)))
    return SimpleNamespace(
        observation=observation,
        catalog=fit.catalog,
        model=fit.model,
        residual=fit.residual,
        images=cutouts,
        groups=np.asarray(fit.catalog["group"]),
        detections=fit.catalog["id", "x", "y"],
        segmentation=None,
    )
