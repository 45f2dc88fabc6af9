"""Commands whose files or options are wrong, for the page that bad_inputs.py writes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from jaxblend.cli.main import main as cli

__all__ = ["of_command_line", "write_files"]


def of_command_line() -> dict[str, Callable[[], object]]:
    """Commands, run in a folder of files that are wrong in one way each."""
    commands = (
        "deblend none.fits",
        "deblend text.fits",
        "deblend cut.fits --psf-fwhm 0.7",
        "deblend table.fits --psf-fwhm 0.7",
        "deblend cube.fits[7] --psf-fwhm 0.7",
        "deblend cube.fits[SCI] --psf-fwhm 0.7",
        "deblend cube.fits --psf-fwhm 0.7",
        "deblend cube.fits --weight none.fits --psf-fwhm 0.7",
        "deblend cube.fits --weight ones.fits --variance ones.fits --psf-fwhm 0.7",
        "deblend cube.fits --weight small.fits --psf-fwhm 0.7",
        "deblend cube.fits small.fits --weight ones.fits --psf-fwhm 0.7",
        "deblend noscale.fits --weight ones.fits --psf-fwhm 0.7",
        "deblend cube.fits --weight ones.fits",
        "deblend cube.fits --weight ones.fits --psf-fwhm 0.7 --psf ones.fits",
        "deblend cube.fits --weight ones.fits --psf-fwhm 0.7 0.8 0.9",
        "deblend cube.fits --weight ones.fits --psf-fwhm -1",
        "deblend cube.fits --weight ones.fits --psf-fwhm 0.7 --bands grz",
        "deblend cube.fits --weight ones.fits --psf-fwhm 0.7 --zero-point 27 28 29",
        "deblend cube.fits --weight ones.fits --psf-fwhm 0.7 --gain -2",
        "deblend cube.fits --weight ones.fits --psf-fwhm 0.7 --gain 1 2 3",
        "deblend cube.fits --weight ones.fits --psf-fwhm 0.7 --noise-correlation guess",
        "deblend cube.fits --weight ones.fits --psf-fwhm 0.7 --noise-correlation small.fits",
        "deblend cube.fits --weight ones.fits --psf-fwhm 0.7 --out cube.fits",
        "fit none.npz",
        "fit text.npz",
        "fit cut.npz --psf-fwhm 0.7",
        "fit noimage.npz --psf-fwhm 0.7",
        "fit noweight.npz --psf-fwhm 0.7",
        "fit noscale.npz --psf-fwhm 0.7",
        "fit blend.npz",
        "fit blend.npz blend.npz --psf-fwhm 0.7",
        "fit blend.npz --psf-fwhm 0.7 --weight ones.fits",
        "fit nowcs.npz --psf-fwhm 0.7",
        "fit onepos.npz --psf-fwhm 0.7",
        "fit blend.npz --psf-fwhm 0.7 --positions none.csv",
        "fit blend.npz --psf-fwhm 0.7 --positions radec.csv",
        "fit blend.npz --psf-fwhm 0.7 --positions nan.csv",
        "fit blend.npz --psf-fwhm 0.7 --positions words.csv",
        "fit blend.npz --psf-fwhm 0.7 --positions empty.csv",
        "fit blend.npz --psf-fwhm 0.7 --positions far.csv",
        "fit blend.npz --psf-fwhm 0.7 --positions far.txt",
        "simulate --n 0",
        "simulate --survey Vera",
        "simulate --catalog none.fits",
        "simulate --catalog table.fits",
        "simulate --survey LSST HSC --bands gri",
        "simulate --layout ring",
        "simulate --layout density 60",
        "simulate --layout density per_arcmin=60",
        "simulate --layout density per_arcmin2=-1",
        "simulate --layout groups linking_length=2",
        "simulate --shear 0.9 0.9",
        "simulate --artefacts dead_pixels=2",
        "evaluate none.csv none.h5",
        "evaluate far.csv far.csv",
        "compare none.h5 --methods peaks",
        "compare blend.npz --methods peaks",
        "compare blend.npz --methods peaks --n 5",
        "compare --methods galfit",
        "compare --methods peaks --survey LSST HSC",
    )
    return {f"`{command}`": lambda command=command: run(command) for command in commands}


def run(command: str) -> None:
    """A command whose error, as it is printed, becomes a ValueError; it must end with status 2."""
    errors, output = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(output):
        status = cli([*command.split(), *([] if "--out" in command else ["--out", "results"])])
    if status != 2:
        raise RuntimeError(f"{command}: status {status}, not 2; {errors.getvalue()}")
    raise ValueError(errors.getvalue().splitlines()[-1].removeprefix("error: ").replace(f"{Path.cwd()}/", ""))


def write_files(image: np.ndarray, places: np.ndarray) -> None:
    """The files that the commands name, in the current folder."""
    header, ones = fits.Header({"PIXSCALE": 0.2}), np.ones(image.shape, np.float32)
    fits.PrimaryHDU(np.float32(image), header).writeto("cube.fits")
    fits.PrimaryHDU(ones, header).writeto("ones.fits")
    fits.PrimaryHDU(ones).writeto("noscale.fits")
    fits.PrimaryHDU(ones[:, :20, :20], header).writeto("small.fits")
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("x", "D", array=[1.0])])]).writeto(
        "table.fits"
    )
    arrays = {"image": image, "weight": ones, "pixel_scale": 0.2, "positions": places}
    np.savez("blend.npz", **arrays)
    np.savez("nowcs.npz", **(arrays | {"wcs_header": "north is up"}))
    np.savez("onepos.npz", **(arrays | {"positions": places[0]}))
    for name in ("image", "weight"):
        np.savez(f"no{name}.npz", **{key: value for key, value in arrays.items() if key != name})
    np.savez("noscale.npz", image=image, weight=ones, positions=places)
    for name in ("cube.fits", "blend.npz"):
        whole = Path(name).read_bytes()
        Path(name.replace(name.split(".")[0], "cut")).write_bytes(whole[: len(whole) // 2])
    texts = {"text.fits": "hello", "text.npz": "hello", "far.txt": "500 12", "empty.csv": "x,y\n"}
    tables = {
        "radec.csv": "ra,dec\n1,2\n",
        "nan.csv": "x,y\n1,nan\n",
        "words.csv": "x,y\none,two\n",
        "far.csv": "x,y\n500,12\n",
    }
    for name, text in (texts | tables).items():
        Path(name).write_text(text)
