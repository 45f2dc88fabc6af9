"""jaxblend simulate: blends with their truth, as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console

from jaxblend.cli.console import described, progress_bar, say_files

if TYPE_CHECKING:
    from astropy.table import QTable


@dataclass(frozen=True)
class Simulate:
    """Simulate blends with GalSim, and write each with its truth.

    blend_0000.npz, blend_0001.npz ... hold image, weight, PSF and positions, and can be given to `jaxblend fit`;
    truth.parquet and truth.ecsv hold a row per source, with the number of its blend. Blend 7 is the same whatever
    the number of blends.

    For example:

        jaxblend simulate --survey LSST --n 10 --seed 1 --out blends
        jaxblend simulate --survey HSC --bands gri --max-sources 3 --out blends
        jaxblend simulate --catalog OneDegSq.fits --out blends
    """

    out: Path = Path("jaxblend-simulated")
    """Folder for the blends; made if it is not there."""

    survey: str = "LSST"
    """Survey that observes, by its name in surveycodex."""

    bands: Annotated[tuple[str, ...], tyro.conf.arg(metavar="BAND [BAND ...]", help_behavior_hint="")] = ()
    """Bands to draw (gri or g r i); all of the survey's by default."""

    n: int = 10
    """How many blends."""

    seed: int = 1
    """Another seed, other blends."""

    n_sources: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")] = None
    """Sources in each blend; by default at random, up to --max-sources."""

    max_sources: int = 5
    """Most sources in a blend."""

    stamp_size: int = 64
    """Width and height of the images, pixels."""

    catalog: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """CATSIM catalogue to draw from; by default a built-in population of galaxies and stars."""

    max_magnitude: float = 25.3
    """Faintest magnitude (i band where there is one)."""

    isolated: bool = False
    """Store the noiseless image of each source, too."""

    def run(self, console: Console) -> None:
        """Draw and write, one blend after the other."""
        import jax

        from jaxblend.io.npz import write_npz
        from jaxblend.io.surveys import get_survey
        from jaxblend.simulation import Selection, simulate_blends

        if self.n < 1:
            raise ValueError(f"Got --n {self.n}, expected 1 or more.")
        survey = (
            get_survey(self.survey, self.bands if len(self.bands) != 1 else self.bands[0])
            if self.bands
            else (get_survey(self.survey))
        )
        blends = simulate_blends(
            survey,
            self.n,
            key=jax.random.key(self.seed),
            n_sources=self.n_sources,
            catalog=self.catalog,
            max_sources=self.max_sources,
            stamp_size=self.stamp_size,
            selection=Selection(max_magnitude=self.max_magnitude),
        )
        files, truths = {}, []
        with progress_bar(console) as progress:
            for number, blend in progress.track(enumerate(blends), total=self.n, description="simulating"):
                name = f"blend_{number:04d}"
                isolated = blend.isolated if self.isolated else None
                files[name] = write_npz(
                    blend.observation, self.out / f"{name}.npz", positions=blend.positions, isolated=isolated
                )
                truths.append(blend.truth)
        files |= self._write_truth(truths)
        say_files(console, self.out, _first_and_last(files))
        console.print(f"Next: jaxblend fit {files['blend_0000']} --out fitted", soft_wrap=True, highlight=False)

    def _write_truth(self, truths: list[QTable]) -> dict[str, Path]:
        from jaxblend.io.atomic import write_json
        from jaxblend.io.tables import write_table
        from jaxblend.simulation.truth import stack_truths

        truth = stack_truths(truths)
        return {
            "truth.parquet": write_table(truth, self.out / "truth.parquet"),
            "truth.ecsv": write_table(truth, self.out / "truth.ecsv"),
            "options": write_json(described("simulate", self), self.out / "options.json"),
        }


def _first_and_last(files: dict[str, Path], most: int = 8) -> dict[str, Path]:
    """Leave out the middle of a long list."""
    names = list(files)
    if len(names) <= most:
        return files
    shown = [*names[:2], *names[-4:]]
    return {name: files[name] for name in shown}
