"""jaxblend compare: several deblenders on the same simulated blends."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.console import Console

from jaxblend.cli.blends import BlendOptions
from jaxblend.cli.console import described, doing, progress_bar, say_files
from jaxblend.cli.evaluating import EvaluationOptions, draw, draw_galleries, short_table

if TYPE_CHECKING:
    from jaxblend.cli.methods import Run
    from jaxblend.evaluation import Evaluation
    from jaxblend.io.stored import StoredBlend


@dataclass(frozen=True)
class Compare:
    """Run deblenders on the same simulated blends, and hold each against the truth.

    The blends are those of a file or folder that `jaxblend simulate` wrote, or drawn now. It writes comparison.ecsv
    and comparison.md (a row per metric, a column per method), bins.ecsv, pictures, and a folder with all tables for
    each method. A blend on which a deblender raises an error counts as failed, and the rest go on.

    For example:

        jaxblend compare --methods sep photutils peaks --n 100 --layout density per_arcmin2=60 --out compared
        jaxblend compare blends/blends.h5 --methods jaxblend sep --out compared
        jaxblend compare blends --methods jaxblend scarlet2 --positions given --max-separation 0.7
    """

    blends: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[BLENDS]", help_behavior_hint="")] = (
        None
    )
    """Folder or .h5 file that jaxblend simulate wrote; without it, blends are simulated as the options below say."""

    methods: Annotated[tuple[str, ...], tyro.conf.arg(metavar="METHOD [METHOD ...]", help_behavior_hint="")] = ()
    """Deblenders: peaks, sep, sextractor, photutils, scarlet2, scarlet, jaxblend; by default all that are installed."""

    out: Path = Path("jaxblend-comparison")
    """Folder for tables and pictures; made if it is not there."""

    positions: Literal["detected", "given"] = "detected"
    """Each deblender finds its own sources; or those that can start at the positions that go with the blends."""

    gallery: int = 4
    """How many blends are shown with the models of all methods."""

    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)

    simulated: BlendOptions = field(default_factory=BlendOptions)

    def run(self, console: Console) -> None:
        """Read or simulate, deblend, evaluate, write and show."""
        from jaxblend.cli.methods import choose, deblend_all

        if self.gallery < 0:
            raise ValueError(f"Got --gallery {self.gallery}, expected a number of blends, 0 or more.")
        with doing(console, "looking for the deblenders"):
            deblenders, missing = choose(self.methods)
        for name, lack in missing.items():
            console.print(f"Left out: {name}. {lack}", soft_wrap=True, highlight=False, markup=False)
        blends = self._blends(console)
        self.out.mkdir(parents=True, exist_ok=True)
        shown, seconds, evaluations, reports, notes = {}, {}, {}, {}, []
        with progress_bar(console) as progress:
            for name, deblender in deblenders.items():
                track = partial(progress.track, total=len(blends), description=name)
                run = deblend_all(deblender, blends, at_positions=self.positions == "given", track=track)
                evaluations[name] = self.evaluation.evaluate(run.results, blends)
                shown[name], seconds[name] = run.results[: self.gallery], _median(run)
                notes += [f"{name} failed on {len(run.errors)} blends: {list(run.errors)}."] if run.errors else []
                reports[name] = evaluations[name].write(self.out / name)["report"]
        with doing(console, "writing and drawing"):
            files = self._write(blends, shown, seconds, evaluations, notes) | reports
        console.print(short_table(evaluations, title=f"{len(blends)} blends (± one standard deviation)"))
        say_files(console, self.out, files)

    def _blends(self, console: Console) -> list[StoredBlend]:
        from jaxblend.cli.stored import read_blends
        from jaxblend.io.stored import StoredBlend

        if self.blends is not None:
            if self.simulated != BlendOptions():
                raise ValueError(f"Got {self.blends} and options of a simulation, expected one of them: leave one out.")
            with doing(console, "reading"):
                return read_blends(self.blends)
        names = " ".join(self.simulated.survey)
        if len(self.simulated.survey) > 1:
            raise ValueError(f"Got --survey {names}, expected one: deblenders see one image.")
        _, drawn = self.simulated.simulate()
        with progress_bar(console) as progress:
            tracked = progress.track(drawn, total=self.simulated.n, description=f"simulating {names}")
            return [StoredBlend(b.observation, b.seeds, b.isolated, b.truth) for (b,) in tracked]

    def _write(
        self,
        blends: list[StoredBlend],
        shown: dict[str, list],
        seconds: dict[str, float],
        evaluations: dict[str, Evaluation],
        notes: list[str],
    ) -> dict[str, Path]:
        from jaxblend.cli.side_by_side import write_side_by_side
        from jaxblend.io.atomic import write_json

        files = write_side_by_side(evaluations, seconds, self.out, notes=notes)
        files |= draw(evaluations, self.out)
        if self.gallery:
            files |= draw_galleries(blends[: self.gallery], shown, evaluations, self.out)
        files["options"] = write_json(described("compare", self), self.out / "options.json")
        return files


def _median(run: Run) -> float:
    import numpy as np

    return float(np.median(run.seconds))
