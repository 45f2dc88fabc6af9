"""How results are evaluated, and what is said of it: options, pictures and a short table, shared by two commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from rich.table import Table

    from jaxblend.evaluation import Evaluation
    from jaxblend.plot import Picture

__all__ = ["EvaluationOptions", "draw", "draw_galleries", "short_table"]

SHORT = (
    "recall",
    "precision",
    "unrecognised_blends",
    "failed_blends",
    "flux_{band}_median",
    "flux_{band}_nmad",
    "magnitude_{band}_outliers",
    "size_nmad",
    "g1_nmad",
    "light_gained",
    "cosine_mean",
)


@dataclass(frozen=True)
class EvaluationOptions:
    """How results are held against the truth."""

    max_separation: Annotated[float | None, tyro.conf.arg(metavar="ARCSEC", help_behavior_hint="")] = None
    """How far a detection may be from the source that it stands for; by default the width of the PSF."""

    band: Annotated[str | None, tyro.conf.arg(metavar="BAND", help_behavior_hint="")] = None
    """The band of metrics of images and light, and of the pictures; by default that of the truth."""

    n_bootstrap: int = 200
    """How many times blends are drawn again for errors."""

    def evaluate(self, results: Sequence[Any], truths: Sequence[Any]) -> Evaluation:
        """Evaluate; see `jaxblend.evaluate`."""
        from jaxblend.evaluation import evaluate

        return evaluate(
            results, truths, max_separation=self.max_separation, band=self.band, n_bootstrap=self.n_bootstrap
        )


def draw(evaluations: Evaluation | Mapping[str, Evaluation], folder: Path) -> dict[str, Path]:
    """Draw all pictures for which there is something to draw."""
    import numpy as np

    from jaxblend.evaluation.columns import column
    from jaxblend.plot.binned import binned_picture, recall_picture
    from jaxblend.plot.evaluation import efficiency_picture, residual_picture

    each = list(evaluations.values()) if isinstance(evaluations, Mapping) else [evaluations]
    sources = each[0].sources
    pictures: dict[str, Picture] = {}
    if len(sources):
        pictures["efficiency"] = efficiency_picture(evaluations)
    if len(sources) and "snr" in sources.colnames:
        pictures["recall"] = recall_picture(evaluations)
    if any(np.any(column(one.sources, "found") > 0) for one in each):
        pictures["residuals"] = residual_picture(evaluations)
        for by in ("snr", "blendedness"):
            if by in sources.colnames:
                pictures[f"errors_{by}"] = binned_picture(evaluations, by=by)
    return {name: picture.save(folder / f"{name}.png") for name, picture in pictures.items()}


def draw_galleries(
    blends: Sequence[Any],
    results: Mapping[str, Sequence[Any]],
    evaluations: Mapping[str, Evaluation],
    folder: Path,
) -> dict[str, Path]:
    """Draw the blends with all results, and of the one with the most sources each source alone."""
    from jaxblend.plot.gallery import gallery_picture, sources_picture

    files = {"gallery": gallery_picture(blends, results).save(folder / "gallery.png")}
    sizes = [0 if blend.isolated is None else len(blend.isolated) for blend in blends]
    if max(sizes) > 0:
        row = sizes.index(max(sizes))
        partners = {name: one.blends.match.index[row] for name, one in evaluations.items()}
        alone = sources_picture(blends[row], {name: those[row] for name, those in results.items()}, partners)
        files["each source"] = alone.save(folder / f"sources_of_blend_{row}.png")
    return files


def short_table(evaluations: Mapping[str, Evaluation], *, title: str | None = None) -> Table:
    """The few numbers that one looks at first, a column for each result."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from jaxblend.evaluation.report import with_error

    band = next(iter(evaluations.values())).bands.reference
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("metric", no_wrap=True)
    for name in evaluations:
        table.add_column(name, justify="right")
    numbers = {
        name: {str(row["metric"]): with_error(row["value"], row["error"]) for row in each.table}
        for name, each in evaluations.items()
    }
    for metric in (name.format(band=band) for name in SHORT):
        values = [those.get(metric, "") for those in numbers.values()]
        if any(values):
            table.add_row(metric, *values)
    return table
