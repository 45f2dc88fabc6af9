"""Whether both backends of the simulation draw the same blends, with the noise that is stated, and BTK's galaxies."""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from astropy.table import Table

import jaxblend as jb
from benchmarks.peers.btk_formula import render
from jaxblend.simulation import Selection, Survey, read_catsim
from jaxblend.simulation.blend import Blend
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.psf import survey_psfs

__all__ = ["BACKENDS", "btk_row", "image_row", "noise_rows"]

BACKENDS = ("galsim", "device")
STAMP, MAX_SOURCES, SEED = 96, 4, 0
SHEAR = (0.05, -0.02)
BRIGHT_MAGNITUDE = 21.0  # of the faintest sources whose photon noise is looked at
BRIGHT = 0.1  # of the sky: light of the sources from which a pixel counts as theirs


def drawn(survey: Survey, n: int, backend: str, **options) -> list[Blend]:
    return list(
        jb.simulate_blends(
            survey,
            n,
            key=jax.random.key(SEED),
            max_sources=MAX_SOURCES,
            stamp_size=STAMP,
            rotate=True,
            shear=SHEAR,
            dither=True,
            backend=backend,
            **options,
        )
    )


def image_row(survey: Survey, n: int) -> dict[str, object]:
    """Largest differences over the peak, of single sources and of whole blends, and whether the truths are the same."""
    alone, together, stars, same = [], [], 0, True
    for one, other in zip(*(drawn(survey, n, backend, noise=False) for backend in BACKENDS), strict=True):
        peak = one.isolated.max(axis=(2, 3), keepdims=True)
        alone.extend((np.abs(other.isolated - one.isolated) / peak).max(axis=(1, 2, 3)))
        image = one.observation.image
        together.append(float(np.max(np.abs(other.observation.image - image) / image.max(axis=(1, 2), keepdims=True))))
        stars += int(np.sum(one.truth["kind"] == "star"))
        same &= _same_truth(one, other)
    return {
        "survey": survey.name,
        "blends": n,
        "sources": len(alone),
        "stars": stars,
        "median": float(np.median(alone)),
        "alone": float(np.max(alone)),
        "together": float(np.max(together)),
        "truth": same,
    }


def _same_truth(one: Blend, other: Blend) -> bool:
    """Whether all but what is measured on the images is equal."""
    names = [name for name in one.truth.colnames if name not in ("snr", "blendedness")]
    return all(np.array_equal(one.truth[name], other.truth[name], equal_nan=_is_float(one, name)) for name in names)


def _is_float(blend, name):
    return np.issubdtype(blend.truth[name].dtype, np.floating)


def noise_rows(survey: Survey, n: int) -> list[dict[str, object]]:
    """Mean square of the noise over its stated variance, sky and photons: of all pixels, and of those of sources."""
    rows = []
    selection = Selection(max_magnitude=BRIGHT_MAGNITUDE)
    for backend in BACKENDS:
        squares, light = [], []
        for blend in drawn(survey, n, backend, variance="model", selection=selection):
            model = blend.isolated.astype(float).sum(axis=0)
            squares.append((blend.observation.image - model) ** 2 * blend.observation.weight)
            light.append(model > BRIGHT * survey.sky_level[:, None, None])
        squares, light = np.stack(squares), np.stack(light)
        rows.append(
            {"survey": survey.name, "backend": backend, "all": _mean(squares.ravel()), "bright": _mean(squares[light])}
        )
    return rows


def _mean(squares: np.ndarray) -> tuple[float, float]:
    """Mean, and its standard error for Gaussian noise."""
    return float(squares.mean()), float(np.sqrt(2.0 / max(squares.size, 1)))


def btk_row(catalog: Path, survey: Survey, bands: Sequence[str]) -> dict[str, object]:
    """Largest difference over the peak between BTK's formula and the GalSim backend, over all rows of a catalogue.

    Every third galaxy is given an active nucleus, of a quarter of its light.
    """
    table = Table.read(catalog)
    for row in table[::3]:
        row["fluxnorm_agn"] = (row["fluxnorm_bulge"] + row["fluxnorm_disk"]) / 3
    sources = read_catsim(table, survey)
    chosen, rng = survey.only(*bands), np.random.default_rng(SEED)
    psfs, offsets = survey_psfs(chosen), rng.uniform(-2.4, 2.4, (len(table), 2))
    positions = offsets / survey.pixel_scale + 0.5 * (STAMP - 1)
    ours = draw_isolated(sources, positions, chosen, psfs=psfs, shape=(STAMP, STAMP))
    worst = 0.0
    for row, offset, images in zip(table, offsets, ours, strict=True):
        for band, psf, image in zip(bands, psfs, images, strict=True):
            options = {"zero_point": float(survey.zero_point[survey.band_index(band)]), "psf": psf}
            theirs = render(row, row[f"{band}_ab"], offset, side=STAMP, pixel_scale=survey.pixel_scale, **options)
            worst = max(worst, float(np.abs(image - theirs).max() / theirs.max()))
    with_nucleus = int(np.sum(np.asarray(table["fluxnorm_agn"]) > 0))
    return {"galaxies": len(table), "nuclei": with_nucleus, "bands": "".join(bands), "difference": worst}
