"""jaxblend fit: one blend, of sources at known places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.console import Console

from jaxblend.cli.console import described, doing, say_files
from jaxblend.cli.inputs import ImageOptions, read_given_positions, read_images
from jaxblend.cli.truth import summarise

if TYPE_CHECKING:
    import numpy as np

    from jaxblend.io.stored import StoredBlend


@dataclass(frozen=True)
class Fit:
    """Fit all the sources of one blend together: positions, fluxes, sizes, shapes, each with its error.

    The blend is an .npz file, as `jaxblend simulate` writes, or FITS files, as for `jaxblend deblend`. Positions come
    from --positions, else from the file; without either, sources are detected. It writes catalog.ecsv and
    catalog.parquet, deblended.fits (each source on its own), model.fits (model and residual), blend.png, options.json.

    For example:

        jaxblend fit blend_0000.npz --out fitted
        jaxblend fit hsc_blend.npz --pixel-scale 0.168 --out fitted
        jaxblend fit cutout.fits --psf psf.fits --zero-point 22.5 --positions sources.csv --out fitted
    """

    blend: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="BLEND [BLEND ...]", help_behavior_hint="")
    ]
    """An .npz file, or FITS files of the same pixels."""

    out: Path = Path("jaxblend-fit")
    """Folder for the results; made if it is not there."""

    positions: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Table with columns x, y (pixels from 0) or ra, dec (degrees): .csv, .ecsv, .fits or .parquet."""

    catalog_formats: tuple[Literal["ecsv", "fits", "parquet"], ...] = ("ecsv", "parquet")
    """Formats of the catalogue."""

    images: ImageOptions = field(default_factory=ImageOptions)

    def run(self, console: Console) -> None:
        """Read, fit, write and show."""
        if not self.blend:
            raise ValueError("Got no file, expected an .npz or FITS files: jaxblend fit blend.npz")
        with doing(console, "reading"):
            stored = read_images(self.blend, self.images)
            positions, origin = find_positions(stored, self.positions, self.blend)
        observation = stored.observation
        self.out.mkdir(parents=True, exist_ok=True)  # if it cannot be made, that is said before the work
        with doing(console, f"fitting {len(positions)} sources {origin}, {observation.n_bands} bands"):
            from jaxblend.fitting import fit

            result = fit(observation, positions)
            table = summarise(
                result.catalog, observation.bands, title="fitted (± one standard deviation)", width=console.width
            )
        with doing(console, "writing and drawing"):
            from jaxblend.io.output import write_fit
            from jaxblend.plot import blend as draw

            files = write_fit(result, self.out, options=described("fit", self), formats=self.catalog_formats)
            files["picture"] = draw(result).save(self.out / "blend.png")
        console.print(table)
        say_files(console, self.out, files)


def find_positions(stored: StoredBlend, path: Path | None, files: Sequence[str]) -> tuple[np.ndarray, str]:
    """Take positions from a table, else from the file, else from a detection; say which."""
    if path is not None:
        return read_given_positions(path, stored.observation), f"of {path.name}"
    if stored.positions is not None:
        return stored.positions, "of the file"
    seeds = _seeds_in(files)
    return (_detect(stored), "detected") if seeds is None else (seeds, "of the file")


def _seeds_in(files: Sequence[str]) -> np.ndarray | None:
    """Those that go with a simulated blend as FITS, which is one file."""
    from jaxblend.io.fits_blend import read_fits_seeds

    if len(files) > 1 or files[0].lower().endswith(".npz"):
        return None
    return read_fits_seeds(files[0].partition("[")[0])


def _detect(stored: StoredBlend) -> np.ndarray:
    import numpy as np

    from jaxblend.detection import detect

    found = detect(stored.observation)
    if len(found) == 0:
        raise ValueError("No source was detected: give --positions, or check the weights and the zero of the sky.")
    return np.stack([np.asarray(getattr(found[name], "value", found[name]), float) for name in ("x", "y")], axis=1)
