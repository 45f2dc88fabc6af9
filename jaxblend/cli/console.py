"""What the commands say: progress, files, errors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["described", "doing", "progress_bar", "say_error", "say_files", "say_warnings"]


@contextmanager
def doing(console: Console, what: str) -> Iterator[None]:
    """Show a spinner and the time while something long goes on; in a log, one line."""
    if not console.is_terminal:
        console.print(escape(what), soft_wrap=True, highlight=False)
        yield
        return
    columns = SpinnerColumn(finished_text="[green]✓[/green]"), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(escape(what), total=1)
        yield
        progress.update(task, completed=1)


def progress_bar(console: Console) -> Progress:
    """Make a bar for things that are counted."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=console)


def say_files(console: Console, folder: Path, files: Mapping[str, Path]) -> None:
    """List the files that were written, relative to their folder."""
    folder = folder.resolve()
    console.print(f"Written to [bold]{escape(str(folder))}[/bold]:", soft_wrap=True)
    for path in files.values():
        console.print(f"  {escape(str(path.resolve().relative_to(folder)))}", soft_wrap=True, highlight=False)


def say_error(console: Console, error: BaseException) -> None:
    """Print an error in one message, without a traceback."""
    console.print(f"[bold red]error:[/bold red] {escape(_message(error))}", soft_wrap=True, highlight=False)


@contextmanager
def say_warnings(console: Console) -> Iterator[None]:
    """Print the package's own warnings in one line each, and keep other libraries' to themselves."""
    from jaxblend.errors import JaxblendWarning

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, JaxblendWarning):
            console.print(f"[yellow]warning:[/yellow] {escape(str(message))}", soft_wrap=True, highlight=False)

    with warnings.catch_warnings():
        warnings.simplefilter("always", JaxblendWarning)
        warnings.showwarning = show
        yield


def described(command: str, options: Any) -> dict[str, Any]:
    """Put a command and its resolved options into a mapping, with the versions it ran with, for options.json."""
    from importlib.metadata import version

    packages = ("jaxblend", "jax", "numpy", "astropy")
    return {
        "command": command,
        "options": asdict(options),
        "versions": {name: _version(version, name) for name in packages},
    }


def _version(lookup: Any, name: str) -> str:
    from importlib.metadata import PackageNotFoundError

    try:
        return lookup(name)
    except PackageNotFoundError:
        return "not installed as a package"


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
