"""jaxblend simulate: blends with their truth, as files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from jaxblend.cli.blends import BlendOptions
from jaxblend.cli.console import described, progress_bar, say_files
from jaxblend.cli.overview import GALLERY, SUMMARY, Overview, check_gallery

if TYPE_CHECKING:
    from astropy.table import QTable

    from jaxblend.simulation import Blend


@dataclass(frozen=True)
class Simulate(BlendOptions):
    """Simulate blends, and write each with its truth.

    blend_0000.npz, blend_0001.npz ... hold image, weight, PSF and positions, and can be given to `jaxblend fit`; so do
    .fits files, each with its truth, and blends.h5 holds all blends in one file. truth.parquet and truth.ecsv hold a
    row per source, with the number of its blend; truth.md sums them up, and gallery.png shows the first blends. The
    folder, or blends.h5, goes to `jaxblend compare` and `jaxblend evaluate`. Of several surveys each has a folder of
    its own. Blend 7 is the same whatever the number of blends.

    For example:

        jaxblend simulate --survey LSST --n 10 --seed 1 --out blends
        jaxblend simulate --survey HSC --bands gri --max-sources 3 --out blends
        jaxblend simulate --layout density per_arcmin2=60 --n 1000 --format hdf5 --out blends
        jaxblend simulate --layout pair separation=0.4,2 flux_ratio=0.5 --shear 0.02 0 --out pairs
        jaxblend simulate --survey LSST:gri Euclid_VIS --catalog OneDegSq.fits --out blends
        jaxblend simulate --noise gaussian --noise-correlation correlation.npy --out blends
    """

    out: Path = Path("jaxblend-simulated")
    """Folder for the blends; made if it is not there. Blends that an earlier run left in it are replaced."""

    format: Literal["npz", "fits", "hdf5"] = "npz"
    """A file per blend, NumPy's or FITS, or one HDF5 file of all."""

    isolated: bool = False
    """Store the noiseless image of each source, too: metrics of images need them. HDF5 always has them."""

    gallery: int = 9
    """How many blends gallery.png shows, each beside its light without noise; 0 for no picture."""

    def run(self, console: Console) -> None:
        """Draw and write, one blend after the other."""
        check_gallery(self.gallery)
        surveys, files, folders = self.surveys(), {}, []
        with progress_bar(console) as progress:
            for index, survey in enumerate(surveys):
                folders.append(self.out / survey.name if len(surveys) > 1 else self.out)
                _, drawn = self.simulate()  # the same again, so that they need not all be kept
                blends = (seen[index] for seen in drawn)
                counted = progress.track(blends, total=self.n, description=f"simulating {survey.name}")
                written = self._write(iter(counted), folders[-1])
                _remove_others(folders[-1], written.values())
                files |= {f"{survey.name} {name}": path for name, path in written.items()}
        files["options"] = self._write_options()
        say_files(console, self.out, _first_and_last(files))
        console.print(f"Next: {self._next(folders[0])}", soft_wrap=True, highlight=False)

    def _write(self, blends: Iterator[Blend], folder: Path) -> dict[str, Path]:
        """The blends of one survey, and what is said of them."""
        overview = Overview(self.gallery)
        files, truth = self._write_blends(overview.watch(blends), folder)
        return files | _write_truth(truth, folder) | overview.write(truth, folder)

    def _write_blends(self, blends: Iterator[Blend], folder: Path) -> tuple[dict[str, Path], QTable]:
        from jaxblend.cli.stored import HDF5_NAME
        from jaxblend.io.hdf5 import BlendFile, write_blends
        from jaxblend.simulation.truth import stack_truths

        if self.format == "hdf5":
            at_seeds = (replace(blend, positions=blend.seeds) for blend in blends)
            path = write_blends(at_seeds, folder / HDF5_NAME)
            with BlendFile(path) as stored:
                return {"blends": path}, stored.truth
        files, truths = {}, []
        for number, blend in enumerate(blends):
            name = f"blend_{number:04d}"
            files[name] = self._write_one(blend, folder / f"{name}.{self.format}")
            truths.append(blend.truth)
        return files, stack_truths(truths)

    def _write_one(self, blend: Blend, path: Path) -> Path:
        from jaxblend.io.fits_blend import write_fits
        from jaxblend.io.npz import write_npz

        if self.format == "fits":
            return write_fits(blend, path, isolated=self.isolated)
        isolated = blend.isolated if self.isolated else None
        return write_npz(blend.observation, path, positions=blend.seeds, isolated=isolated)

    def _write_options(self) -> Path:
        from jaxblend.io.atomic import write_json

        return write_json(described("simulate", self), self.out / "options.json")

    def _next(self, folder: Path) -> str:
        """A command that goes on from here."""
        if self.format == "npz":
            return f"jaxblend fit {folder / 'blend_0000.npz'} --out fitted"
        return f"jaxblend compare {folder} --methods sep peaks --out compared"


def _write_truth(truth: QTable, folder: Path) -> dict[str, Path]:
    from jaxblend.io.tables import write_table

    names: tuple[Any, ...] = ("truth.parquet", "truth.ecsv")
    return {name: write_table(truth, folder / name) for name in names}


def _remove_others(folder: Path, written: Iterable[Path]) -> None:
    """Remove blends, truths and pictures of an earlier run, which would be read as if they were of this one."""
    from jaxblend.cli.stored import BLENDS, TRUTHS

    found = {path for name in (*BLENDS, *TRUTHS, SUMMARY, GALLERY) for path in folder.glob(name)}
    for path in found - set(written):
        path.unlink()


def _first_and_last(files: dict[str, Path], most: int = 8) -> dict[str, Path]:
    """Leave out the middle of a long list."""
    names = list(files)
    if len(names) <= most:
        return files
    shown = [*names[:2], *names[-6:]]
    return {name: files[name] for name in shown}
