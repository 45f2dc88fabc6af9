"""jaxblend deblend: a whole frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from jaxblend.cli.console import described, doing, say_files
from jaxblend.cli.inputs import ImageOptions, read_images
from jaxblend.cli.truth import summarise


@dataclass(frozen=True)
class Deblend:
    """Detect all the sources of a frame, group those that overlap, and fit every group.

    The frame is a cube, a file with an extension per band, or one file per band, all of the same pixels. Weights, masks
    and PSFs that lie in the same files are found by EXTNAME or IMAGETYP; bands, zero points and WCS are read
    from the headers, and options replace what the headers say. It writes catalog.ecsv and catalog.parquet,
    deblended.fits (a cutout per source), model.fits (model and residual), frame.png and options.json.

    For example:

        jaxblend deblend image.fits --psf psf.fits --zero-point 22.5 --out deblended
        jaxblend deblend g.fits r.fits i.fits --weight g.w.fits r.w.fits i.w.fits --psf-fwhm 0.8 --bands gri
        jaxblend deblend "coadd.fits[IMAGE]" --variance "coadd.fits[VARIANCE]" --psf psf.fits --bands i
    """

    image: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE [IMAGE ...]", help_behavior_hint="")
    ]
    """FITS files of the same pixels (or one .npz). A file may name an extension: coadd.fits[1]."""

    out: Path = Path("jaxblend-deblended")
    """Folder for the results; made if it is not there."""

    catalog_formats: tuple[Literal["ecsv", "fits", "parquet"], ...] = ("ecsv", "parquet")
    """Formats of the catalogue."""

    images: ImageOptions = field(default_factory=ImageOptions)

    def run(self, console: Console) -> None:
        """Read, deblend, write and show."""
        if not self.image:
            raise ValueError("Got no file, expected FITS files: jaxblend deblend image.fits --psf psf.fits")
        with doing(console, "reading"):
            observation = read_images(self.image, self.images).observation
        height, width = observation.shape
        self.out.mkdir(parents=True, exist_ok=True)  # if it cannot be made, that is said before the work
        with doing(console, f"deblending {width} x {height} pixels, bands {' '.join(observation.bands)}"):
            from jaxblend.frames import deblend

            scene = deblend(observation)
            title = f"{len(scene.catalog)} sources (± one standard deviation)"
            table = summarise(scene.catalog, observation.bands, title=title, width=console.width)
        with doing(console, "writing and drawing"):
            from jaxblend.io.output import write_scene
            from jaxblend.plot import frame as draw

            files = write_scene(scene, self.out, options=described("deblend", self), formats=self.catalog_formats)
            files["picture"] = draw(scene).save(self.out / "frame.png")
        console.print(table)
        say_files(console, self.out, files)
