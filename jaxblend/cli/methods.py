"""Deblenders by name: which there are, and how each does on many blends."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jaxblend.errors import JaxblendWarning

if TYPE_CHECKING:
    from jaxblend.compare import Deblended, Deblender
    from jaxblend.io.stored import StoredBlend

__all__ = ["Run", "choose", "deblend_all"]

MISSING = (ImportError, FileNotFoundError)


@dataclass
class Run:
    """What a deblender made of many blends: None where it failed, seconds for each, and the errors by blend."""

    results: list[Deblended | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)


def choose(names: Sequence[str]) -> tuple[dict[str, Deblender], dict[str, str]]:
    """Make the deblenders that were asked for, or all that are installed.

    Returns
    -------
    deblenders : dict
        By name.
    missing : dict
        Of those that were not asked for by name and are not installed: what to install.

    Raises
    ------
    ValueError
        If there is none of a name, or one that was asked for is not installed.
    """
    from jaxblend.compare import deblenders

    known = deblenders()
    unknown = [name for name in names if name not in known]
    if unknown:
        hint = " (write the blends before --methods)" if "." in unknown[0] or "/" in unknown[0] else ""
        raise ValueError(f"Got --methods {' '.join(unknown)}, expected some of {', '.join(known)}{hint}.")
    made = {name: known[name]() for name in dict.fromkeys(names or known)}
    missing = {name: lack for name, deblender in made.items() if (lack := _lack(deblender))}
    if names and missing:
        raise ValueError("; ".join(f"--methods {name}: {lack}" for name, lack in missing.items()))
    return {name: deblender for name, deblender in made.items() if name not in missing}, missing


def deblend_all(
    deblender: Deblender,
    blends: Sequence[StoredBlend],
    *,
    at_positions: bool,
    track: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Run:
    """Run a deblender on each blend. One on which it raises has failed, the rest go on.

    Parameters
    ----------
    deblender
        Its name is in the warning about blends that failed.
    blends
        What to separate.
    at_positions
        Whether to give it the positions of the blends.
    track
        Goes through the blends, and shows how far.
    """
    run = Run()
    for number, blend in enumerate(track(blends)):
        positions = blend.positions if at_positions else None
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a thousand blends
                run.results.append(deblender(blend.observation, positions))
        except Exception as error:  # whatever a deblender of anybody's raises
            run.results.append(None)
            run.errors[number] = f"{type(error).__name__}: {error}"
        run.seconds.append(time.perf_counter() - start)
    if run.errors:
        first, message = next(iter(run.errors.items()))
        warnings.warn(
            f"{deblender.name} failed on {len(run.errors)} of {len(run.results)} blends, first on blend {first}: "
            f"{message}",
            JaxblendWarning,
            stacklevel=2,
        )
    return run


def _lack(deblender: Deblender) -> str | None:
    """What a deblender says that it needs when it is shown an empty image."""
    import numpy as np

    from jaxblend.forward.observation import Observation
    from jaxblend.forward.psf import GaussianPSF

    empty = Observation(np.zeros((2, 32, 32), np.float32), 1.0, GaussianPSF(0.7), pixel_scale=0.2, bands="gr")
    try:
        deblender(empty)
    except MISSING as error:
        return str(error)
    except Exception:  # it is there, and an empty image is not what it is judged by
        return None
    return None
