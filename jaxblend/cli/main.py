"""The command `jaxblend`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from jaxblend.cli.compare import Compare
from jaxblend.cli.console import say_error, say_warnings
from jaxblend.cli.deblend import Deblend
from jaxblend.cli.demo import Demo
from jaxblend.cli.evaluate import Evaluate
from jaxblend.cli.fit import Fit
from jaxblend.cli.simulate import Simulate
from jaxblend.cli.train import Train

__all__ = ["main"]

DESCRIPTION = """Deblend multi-band astronomical images: positions, fluxes, sizes and shapes, each with its error.

Start with: jaxblend demo

Each command has its own help with examples, as in: jaxblend fit --help

With --debug anywhere, an error shows its traceback."""

COMMANDS = {
    "demo": Demo,
    "simulate": Simulate,
    "fit": Fit,
    "deblend": Deblend,
    "evaluate": Evaluate,
    "compare": Compare,
    "train": Train,
}
AnyCommand = (
    Annotated[Demo, tyro.conf.subcommand("demo", description="Simulate a blend, deblend it, compare with the truth.")]
    | Annotated[Simulate, tyro.conf.subcommand("simulate", description="Simulate blends with their truth.")]
    | Annotated[Fit, tyro.conf.subcommand("fit", description="Fit one blend of sources at known places.")]
    | Annotated[Deblend, tyro.conf.subcommand("deblend", description="Detect and fit everything in a frame.")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate", description="Hold results against the truth.")]
    | Annotated[Compare, tyro.conf.subcommand("compare", description="Run several deblenders on the same blends.")]
    | Annotated[Train, tyro.conf.subcommand("train", description="Train the prior of galaxy morphologies.")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process. ``--debug`` among them shows the traceback of an error,
        wherever it stands.

    Returns
    -------
    int
        0, or 2 if the input was wrong.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    command = _parse(arguments)
    console, errors = Console(), Console(stderr=True)
    keep_compiled_programs()
    try:
        with say_warnings(errors):
            command.run(console)
    except (ValueError, OSError) as error:
        if debug:
            raise
        say_error(errors, error)
        return 2
    return 0


def _parse(arguments: list[str]) -> Demo | Simulate | Fit | Deblend | Evaluate | Compare | Train:
    """Read one command's options; its own help is that of its class."""
    options = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)
    if arguments and arguments[0] in COMMANDS:
        name, *rest = arguments
        return tyro.cli(COMMANDS[name], prog=f"jaxblend {name}", args=rest, config=options)
    return tyro.cli(AnyCommand, prog="jaxblend", description=DESCRIPTION, args=arguments or ["--help"], config=options)


def keep_compiled_programs() -> None:
    """Let JAX keep compiled programs on disk, where JAX_COMPILATION_CACHE_DIR says or in the user's cache."""
    import jax

    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(home / "jaxblend" / "jax"))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


if __name__ == "__main__":
    sys.exit(main())
