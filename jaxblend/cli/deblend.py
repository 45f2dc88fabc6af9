"""jaxblend deblend: a whole frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console

from jaxblend.cli.console import described, doing, say_files
from jaxblend.cli.inputs import ImageOptions, read_given_positions, read_images
from jaxblend.cli.truth import summarise

if TYPE_CHECKING:
    from jaxblend.forward.galaxies import AbstractGalaxy
    from jaxblend.forward.observation import Observation


@dataclass(frozen=True)
class FrameOptions:
    """How sources are found, grouped and fitted."""

    detections: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Known sources, in place of detecting: a table as for jaxblend fit --positions (x, y from 0, or ra, dec)."""

    search_again: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = True
    """Do not look for more sources in the residual, nor take out detections that are nothing once others are modelled;
    with --detections, those and no others are fitted."""

    residual_snr: float = 5.0
    """Least signal to noise of a source in the residual."""

    max_group: int = 8
    """Most sources that are fitted together; larger groups are parted where they overlap least."""

    rounds: int = 2
    """How often every group is fitted: first with its neighbours masked, then with their models subtracted."""

    model: Literal["bulge-disk", "sersic"] = "bulge-disk"
    """Galaxies: a de Vaucouleurs bulge in an exponential disk, or one Sersic profile of index 0.5 to 6."""

    stars: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = True
    """Do not try compact sources as points: every source is a galaxy."""

    position_scatter: Annotated[float | None, tyro.conf.arg(metavar="ARCSEC", help_behavior_hint="")] = None
    """Standard deviation of a source about where it was detected, in the prior; one pixel by default."""

    def arguments(self, observation: Observation) -> dict[str, Any]:
        """Turn the options into arguments of ``deblend``."""
        path = self.detections
        return {
            "model": self._galaxy_model(),
            "detections": None if path is None else read_given_positions(path, observation),
            "search_again": self.search_again,
            "residual_snr": self.residual_snr,
            "max_group": self.max_group,
            "rounds": self.rounds,
            "stars": self.stars,
            "position_scatter": self.position_scatter,
        }

    def _galaxy_model(self) -> AbstractGalaxy:
        from jaxblend.forward.galaxies import BulgeDisk, Sersic

        return {"bulge-disk": BulgeDisk, "sersic": Sersic}[self.model]()


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
        jaxblend deblend image.fits --psf psf.fits --detections sources.csv --no-search-again --model sersic
    """

    image: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE [IMAGE ...]", help_behavior_hint="")
    ]
    """FITS files of the same pixels (or one .npz). A file may name an extension: coadd.fits[1]."""

    out: Path = Path("jaxblend-deblended")
    """Folder for the results; made if it is not there."""

    catalog_formats: tuple[Literal["ecsv", "fits", "parquet"], ...] = ("ecsv", "parquet")
    """Formats of the catalogue."""

    frame: FrameOptions = field(default_factory=FrameOptions)

    images: ImageOptions = field(default_factory=ImageOptions)

    def run(self, console: Console) -> None:
        """Read, deblend, write and show."""
        if not self.image:
            raise ValueError("Got no file, expected FITS files: jaxblend deblend image.fits --psf psf.fits")
        with doing(console, "reading"):
            observation = read_images(self.image, self.images).observation
            arguments = self.frame.arguments(observation)
        height, width = observation.shape
        self.out.mkdir(parents=True, exist_ok=True)  # if it cannot be made, that is said before the work
        with doing(console, f"deblending {width} x {height} pixels, bands {' '.join(observation.bands)}"):
            from jaxblend.frames import deblend

            scene = deblend(observation, **arguments)
            title = f"{len(scene.catalog)} sources (± one standard deviation)"
            table = summarise(scene.catalog, observation.bands, title=title, width=console.width)
        with doing(console, "writing and drawing"):
            from jaxblend.io.output import write_scene
            from jaxblend.plot import frame as draw

            files = write_scene(scene, self.out, options=described("deblend", self), formats=self.catalog_formats)
            files["picture"] = draw(scene).save(self.out / "frame.png")
        console.print(table)
        say_files(console, self.out, files)
