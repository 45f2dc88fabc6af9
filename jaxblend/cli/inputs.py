"""Options that say what the images are, shared by the commands that read them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zipfile import BadZipFile

import tyro

if TYPE_CHECKING:
    import numpy as np

    from jaxblend.forward.observation import Observation
    from jaxblend.forward.psf import AbstractPSF
    from jaxblend.io.stored import StoredBlend

Files = Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE [FILE ...]", help_behavior_hint="")]
Numbers = Annotated[tuple[float, ...], tyro.conf.arg(metavar="NUMBER [NUMBER ...]", help_behavior_hint="")]

MOFFAT_BETA = 3.5
ESTIMATE = "estimate"


@dataclass(frozen=True)
class ImageOptions:
    """What the images are. Whatever a file says itself need not be given."""

    weight: Files = ()
    """Inverse variances, as FITS: one per band or one for all. Files may name an extension: coadd.fits[2]."""

    variance: Files = ()
    """Variances, instead of weights."""

    mask: Files = ()
    """Bit masks, as FITS."""

    mask_bits: Annotated[int | None, tyro.conf.arg(metavar="BITS", help_behavior_hint="")] = None
    """The mask bits that make a pixel bad, added up; -1 for any."""

    psf: Files = ()
    """PSF images, as FITS: one per band or one for all."""

    psf_fwhm: Numbers = ()
    """Where there is no PSF image: full width at half maximum in arcsec, one per band or one for all (Moffat, 3.5)."""

    psf_oversampling: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")] = None
    """Samples of the PSF image per image pixel. 1 unless the file says otherwise."""

    psf_without_pixel: bool = False
    """The PSF images do not contain the pixel response (PSFs measured from stars do)."""

    bands: Annotated[tuple[str, ...], tyro.conf.arg(metavar="BAND [BAND ...]", help_behavior_hint="")] = ()
    """Names of the bands, blue to red (grz or g r z): one per image, or those to keep of a file that names them."""

    zero_point: Numbers = ()
    """AB magnitude of one unit of flux, for all bands or one each (22.5 for nanomaggies)."""

    pixel_scale: Annotated[float | None, tyro.conf.arg(metavar="ARCSEC", help_behavior_hint="")] = None
    """Arcsec per pixel, where the file has no WCS."""

    noise_correlation: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="estimate|FILE [FILE ...]", help_behavior_hint="")
    ] = ()
    """How noise is correlated, .npy or FITS, or "estimate": measured on the image's empty sky. White by default."""

    gain: Numbers = ()
    """Photons per unit of flux, for all bands or one each, where the weights lack the sources' photon noise."""


def read_images(paths: tuple[str, ...], options: ImageOptions) -> StoredBlend:
    """Read FITS files or one NumPy archive, with the options of the command line.

    Raises
    ------
    ValueError
        If the options do not go with the files.
    """
    if options.psf and options.psf_fwhm:
        raise ValueError("Got both --psf and --psf-fwhm, expected one of them: leave one out.")
    if len(options.noise_correlation) > 1 and ESTIMATE in options.noise_correlation:
        given = " ".join(options.noise_correlation)
        raise ValueError(f"Got --noise-correlation {given}, expected the word {ESTIMATE} alone, or files.")
    stored = _read(paths, options)
    if options.noise_correlation != (ESTIMATE,):
        return stored
    return replace(stored, observation=_with_measured_correlation(stored.observation))


def _read(paths: tuple[str, ...], options: ImageOptions) -> StoredBlend:
    if not any(path.lower().endswith(".npz") for path in paths):
        with naming(paths[0]):
            return _read_fits(paths, options)
    if len(paths) != 1:
        raise ValueError(f"Got {len(paths)} files with an .npz among them, expected one .npz or FITS files only.")
    given = next((name for name in ("weight", "variance", "mask") if getattr(options, name)), None)
    if given is not None:
        raise ValueError(f"Got --{given} with {paths[0]}: an .npz holds it itself, leave the option out.")
    with naming(paths[0]):
        return _read_npz(Path(paths[0]), options)


def read_given_positions(path: Path, observation: Observation) -> np.ndarray:
    """Read the positions (n, 2) of a table in pixels of the image; an error names the table."""
    from jaxblend.io.tables import read_positions

    with naming(path):
        positions = read_positions(path, wcs=observation.wcs)
        if not len(positions):
            raise ValueError("there are no sources in it: give at least one.")
        return positions


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Name the file in an error about what it holds, whatever library met it first."""
    try:
        yield
    except FileNotFoundError:  # perhaps another one
        raise
    except (ValueError, TypeError, OSError, EOFError, BadZipFile, zlib.error) as error:
        if str(path).partition("[")[0] in str(error):
            raise
        raise ValueError(f"{path}: {error}") from error


def _read_fits(paths: tuple[str, ...], options: ImageOptions) -> StoredBlend:
    from jaxblend.io.fits import read_fits
    from jaxblend.io.stored import StoredBlend

    observation = read_fits(
        paths,
        weight=options.weight or None,
        variance=options.variance or None,
        mask=options.mask or None,
        psf=options.psf or _moffat(options.psf_fwhm),
        bands=_bands(options.bands),
        zero_point=_one_or_more(options.zero_point),
        pixel_scale=options.pixel_scale,
        psf_oversampling=1 if options.psf_oversampling is None else options.psf_oversampling,
        psf_includes_pixel=not options.psf_without_pixel,
        mask_bits=options.mask_bits,
        noise_correlation=_noise_files(options),
        gain=_one_or_more(options.gain),
    )
    return StoredBlend(observation)


def _read_npz(path: Path, options: ImageOptions) -> StoredBlend:
    from jaxblend.io.fits import read_psf
    from jaxblend.io.npz import read_npz

    oversampling = options.psf_oversampling
    psf = _moffat(options.psf_fwhm)
    if options.psf:
        psf = read_psf(options.psf, oversampling=oversampling or 1, includes_pixel=not options.psf_without_pixel)
    return read_npz(
        path,
        psf=psf,
        bands=_bands(options.bands),
        zero_point=_one_or_more(options.zero_point),
        pixel_scale=options.pixel_scale,
        psf_oversampling=oversampling,
        psf_includes_pixel=False if options.psf_without_pixel else None,
        mask_bits=options.mask_bits,
        noise_correlation=_noise_files(options),
        gain=_one_or_more(options.gain),
    )


def _noise_files(options: ImageOptions) -> tuple[str, ...] | None:
    return options.noise_correlation if options.noise_correlation not in ((), (ESTIMATE,)) else None


def _with_measured_correlation(observation: Observation) -> Observation:
    from jaxblend.detection.noise import estimate_noise_correlation
    from jaxblend.forward.noise_checks import noise_correlation

    try:
        measured = estimate_noise_correlation(observation)
    except ValueError as error:
        raise ValueError(
            f"--noise-correlation estimate: {error}; or name a file of what was measured elsewhere, such as the "
            "noise_correlation.fits that jaxblend deblend writes"
        ) from error
    return observation.replace(noise_correlation=noise_correlation(measured, observation.n_bands))


def _bands(names: tuple[str, ...]) -> str | tuple[str, ...] | None:
    """Take "grz" for three bands, as in Python, and "g r z" as well."""
    return None if not names else names[0] if len(names) == 1 else names


def _one_or_more(numbers: tuple[float, ...]) -> float | tuple[float, ...] | None:
    return None if not numbers else numbers[0] if len(numbers) == 1 else numbers


def _moffat(fwhm: tuple[float, ...]) -> AbstractPSF | None:
    if not fwhm:
        return None
    import numpy as np

    from jaxblend.forward.psf import MoffatPSF

    return MoffatPSF(fwhm=np.squeeze(np.array(fwhm)), beta=MOFFAT_BETA)
