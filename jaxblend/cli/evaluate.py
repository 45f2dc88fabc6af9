"""jaxblend evaluate: catalogues against the truth of simulated blends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from jaxblend.cli.console import described, doing, say_files
from jaxblend.cli.evaluating import EvaluationOptions, draw, draw_galleries, short_table


@dataclass(frozen=True)
class Evaluate:
    """Hold results against the truth: detection, photometry, shapes, light gained and lost, with errors.

    RESULT is a catalogue with x, y (pixels) and flux_<band>, of one blend or with a column blend that counts them from
    0; or the folder that `jaxblend fit` or `deblend` wrote, or one of such folders or of catalogues whose names end in
    the number of their blend. A blend without a catalogue counts as failed. Images in the folders are evaluated, too.
    TRUTH is what `jaxblend simulate` wrote, its folder, blends.h5 or truth table. It writes the tables as ECSV,
    report.md, and pictures.

    For example:

        jaxblend evaluate fitted blends --out evaluated
        jaxblend evaluate catalog.parquet blends/blends.h5 --band r
        jaxblend evaluate catalog.ecsv truth.ecsv --max-separation 0.7
    """

    result: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RESULT")]
    """Catalogue (.ecsv, .fits, .parquet, .csv), or a folder of results."""

    truth: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TRUTH")]
    """Folder, .h5 file or truth table of `jaxblend simulate`."""

    out: Path = Path("jaxblend-evaluated")
    """Folder for tables and pictures; made if it is not there."""

    gallery: int = 4
    """Most blends in the picture of images."""

    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)

    def run(self, console: Console) -> None:
        """Read, compare, write and show."""
        if self.gallery < 0:
            raise ValueError(f"Got --gallery {self.gallery}, expected a number of blends, 0 or more.")
        with doing(console, "reading"):
            from jaxblend.cli.results import read_results
            from jaxblend.cli.stored import read_truth

            truths = read_truth(self.truth)
            results = read_results(self.result, truths)
        self.out.mkdir(parents=True, exist_ok=True)
        with doing(console, f"evaluating {len(truths)} blend{'' if len(truths) == 1 else 's'}"):
            evaluation = self.evaluation.evaluate(results, truths)
            table = short_table({"value": evaluation})
        with doing(console, "writing and drawing"):
            from jaxblend.io.atomic import write_json

            files = evaluation.write(self.out) | draw(evaluation, self.out)
            if self._has_images(results[: self.gallery]):
                shown = slice(0, self.gallery)
                named = {self.result.name: results[shown]}
                files |= draw_galleries(truths[shown], named, {self.result.name: evaluation}, self.out)
            files["options"] = write_json(described("evaluate", self), self.out / "options.json")
        console.print(repr(evaluation), soft_wrap=True, highlight=False, markup=False)
        console.print(table)
        say_files(console, self.out, files)

    @staticmethod
    def _has_images(results: Sequence[Any]) -> bool:
        """Whether each result that did not fail has images, and one has."""
        there = [result for result in results if result is not None]
        return bool(there) and all(hasattr(result, "images") for result in there)
