"""SExtractor, the program, in its dual-image mode: detection on the combined image, photometry in every band."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jaxblend.compare.catalog import make_catalog
from jaxblend.compare.deblender import Deblended, Deblender
from jaxblend.compare.pixels import assigned_images, pixels_of
from jaxblend.detection.combine import combine

__all__ = ["SExtractor"]

_PROGRAMS = ("source-extractor", "sex")  # Debian's name, and its own
_COLUMNS = (
    "NUMBER",
    "X_IMAGE",
    "Y_IMAGE",
    "A_IMAGE",
    "B_IMAGE",
    "THETA_IMAGE",
    "FLUX_AUTO",
    "FLUXERR_AUTO",
    "FLAGS",
)
_FILTER = "CONV NORM\n1 2 1\n2 4 2\n1 2 1\n"  # SExtractor's default.conv
_NO_WEIGHT = 1e31  # noise from which on SExtractor takes a pixel for masked: 1e30


@dataclass(frozen=True, kw_only=True)
class SExtractor(Deblender):
    """SExtractor with its default settings on the average of all bands in units of noise.

    The image of a source is the pixels of its segment, noise and all; fluxes are FLUX_AUTO. The sky is taken as
    subtracted and the noise as what the weights say, white.

    Attributes
    ----------
    threshold
        DETECT_THRESH: what every pixel of a source exceeds in the filtered image, in standard deviations of the
        unfiltered one. SEP counts in those of the filtered one, which are smaller.
    min_area
        DETECT_MINAREA, pixels.
    levels, contrast
        DEBLEND_NTHRESH and DEBLEND_MINCONT.
    program
        Name or path of the program; ``source-extractor`` or ``sex`` by default.

    References
    ----------
    Bertin & Arnouts 1996, A&AS 117, 393.
    """

    name: ClassVar[str] = "sextractor"
    uses_positions: ClassVar[bool] = False
    threshold: float = 1.5
    min_area: int = 5
    levels: int = 32
    contrast: float = 0.005
    program: str | None = None

    def separate(self, observation, positions):
        """Run the program once a band."""
        program = _find(self.program)
        with tempfile.TemporaryDirectory(prefix="jaxblend-sextractor-") as name:
            folder = Path(name)
            _write_images(folder, observation)
            gains = [0.0] * observation.n_bands if observation.gain is None else _sextractor_gain(observation.gain)
            tables = [self._run(program, folder, band, gain) for band, gain in enumerate(gains)]
            segments = _read_image(folder / "segments.fits")
        first = tables[0]
        catalog = make_catalog(
            observation,
            np.stack([first["X_IMAGE"], first["Y_IMAGE"]], axis=1) - 1.0,  # FITS counts from 1
            np.stack([table["FLUX_AUTO"] for table in tables], axis=1),
            np.stack([table["FLUXERR_AUTO"] for table in tables], axis=1),
            name=self.name,
            version=_version(program),
            columns={
                "a": first["A_IMAGE"],
                "b": first["B_IMAGE"],
                "theta": np.deg2rad(first["THETA_IMAGE"]),
                "flags": np.bitwise_or.reduce([table["FLAGS"] for table in tables]),
            },
        )
        return Deblended(self.name, assigned_images(observation, segments, first["NUMBER"]), catalog)

    def _run(self, program: str, folder: Path, band: int, gain: float) -> dict[str, np.ndarray]:
        """Detect on the combined image and measure in one band; the columns by name."""
        settings: dict[str, Any] = {
            "CATALOG_NAME": "catalog.txt",
            "CATALOG_TYPE": "ASCII_HEAD",
            "PARAMETERS_NAME": "columns.param",
            "FILTER_NAME": "filter.conv",
            "DETECT_THRESH": self.threshold,
            "ANALYSIS_THRESH": self.threshold,
            "DETECT_MINAREA": self.min_area,
            "DEBLEND_NTHRESH": self.levels,
            "DEBLEND_MINCONT": self.contrast,
            "WEIGHT_TYPE": "MAP_RMS,MAP_RMS",
            "WEIGHT_IMAGE": f"combined_noise.fits,noise_{band}.fits",
            "BACK_TYPE": "MANUAL,MANUAL",
            "BACK_VALUE": "0.0,0.0",
            "CHECKIMAGE_TYPE": "SEGMENTATION",
            "CHECKIMAGE_NAME": "segments.fits",
            "GAIN": gain,
            "GAIN_KEY": "NONE",
            "WEIGHT_GAIN": "N",  # weights are no exposure map
            "SATUR_LEVEL": 1e29,
            "SATUR_KEY": "NONE",
            "PIXEL_SCALE": 1.0,
            "VERBOSE_TYPE": "QUIET",
        }
        (folder / "settings.sex").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        command = [program, f"combined.fits,image_{band}.fits", "-c", "settings.sex"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} ended with code {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return _read_columns(folder / "catalog.txt")


def _find(program: str | None) -> str:
    """Path of the program."""
    names = _PROGRAMS if program is None else (program,)
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        raise FileNotFoundError(
            f"SExtractor is needed for this deblender, and there is no program {' or '.join(names)}: "
            "apt install source-extractor, or name it with SExtractor(program=...)"
        )
    return found


def _version(program: str) -> str:
    done = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()


def _sextractor_gain(gain: np.ndarray) -> list[float]:
    """SExtractor writes 0 for a gain that is infinite."""
    return [float(value) if np.isfinite(value) else 0.0 for value in gain]


def _write_images(folder: Path, observation) -> None:
    from astropy.io import fits

    combined, pixels = combine(observation), pixels_of(observation)
    planes = {
        "combined": combined.image,
        "combined_noise": np.where(combined.masked, _NO_WEIGHT, combined.noise),
        **{f"image_{band}": image for band, image in enumerate(pixels.image)},
        **{
            f"noise_{band}": np.where(masked, _NO_WEIGHT, noise)
            for band, (noise, masked) in enumerate(zip(pixels.noise, pixels.masked, strict=True))
        },
    }
    for name, plane in planes.items():
        fits.PrimaryHDU(plane.astype(np.float32)).writeto(folder / f"{name}.fits")
    (folder / "columns.param").write_text("\n".join(_COLUMNS) + "\n")
    (folder / "filter.conv").write_text(_FILTER)


def _read_columns(path: Path) -> dict[str, np.ndarray]:
    """The columns of SExtractor's text catalogue, in the order of ``_COLUMNS``."""
    rows = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    values = np.array(rows, float).reshape(-1, len(_COLUMNS))
    whole = ("NUMBER", "FLAGS")
    return {name: values[:, i].astype(int if name in whole else float) for i, name in enumerate(_COLUMNS)}


def _read_image(path: Path) -> np.ndarray:
    from astropy.io import fits

    image: Any = fits.getdata(path)
    return np.asarray(image).astype(int)
