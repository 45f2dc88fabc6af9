"""A training run on the console, and what is kept of its course."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from jaxblend.cli.console import progress_bar

if TYPE_CHECKING:
    from jaxblend.train.loop import Schedule, State

__all__ = ["history", "run"]


def run(
    model: Any, loss: Callable, schedule: Schedule, folder: Path, console: Console, held_out: Callable | None = None
) -> tuple[Any, State]:
    """Train with a bar; the best model and the last state."""
    from jaxblend.train.loop import train, trained

    checkpoints = folder / "checkpoints"
    with progress_bar(console) as bar:
        task = bar.add_task("training", total=schedule.steps)
        for _, _, at in train(model, loss, schedule, checkpoints, held_out=held_out):
            what = (
                f"loss {at.training_loss:.3f}, validation {at.validation_loss:.3f}, {at.steps_per_second:.1f} steps/s"
            )
            bar.update(task, completed=at.step, description=what)
    return trained(model, schedule, checkpoints)


def history(state: State, folder: Path, label: str) -> dict[str, Path]:
    """Write the losses of all validations, and their curve."""
    import numpy as np
    from astropy.table import Table

    from jaxblend.io.tables import write_table
    from jaxblend.plot.training import learning_curves

    numbers = np.asarray(state.history)
    rows = numbers[np.isfinite(numbers[:, 0])]
    table = Table(rows, names=("step", "training_loss", "validation_loss"))
    return {
        "history": write_table(table, folder / "history.ecsv"),
        "curve": learning_curves(numbers, label=label).save(folder / "learning_curve.png", dpi=100.0),
    }
