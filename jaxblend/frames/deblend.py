"""A whole image: detect, group, fit every group against the rest of the frame, and look again in the residual."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxblend.detection.combine import psf_fwhm
from jaxblend.detection.sep import detect
from jaxblend.fitting import fit_batch
from jaxblend.fitting.arguments import check_kinds
from jaxblend.fitting.prepare import default_prior
from jaxblend.forward import checks
from jaxblend.forward.galaxies import AbstractGalaxy, BulgeDisk
from jaxblend.forward.observation import Observation
from jaxblend.frames.assemble import assemble
from jaxblend.frames.rounds import FitBatch, fit_in_turns, in_turns
from jaxblend.frames.scene import Scene
from jaxblend.frames.search_again import look_again
from jaxblend.frames.source import FrameSource, has_outlines, sources_from_table
from jaxblend.frames.stars import tell_stars
from jaxblend.priors import Population, Prior

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["deblend"]


def deblend(
    observation: Observation,
    *,
    model: AbstractGalaxy | None = None,
    prior: Prior | None = None,
    population: Population | None = None,
    position_scatter: float | None = None,
    rounds: int = 2,
    search_again: bool = True,
    stars: bool = True,
    detections: Any = None,
    max_group: int = 8,
    residual_snr: float = 5.0,
    batch_size: int | None = None,
    progress: bool = False,
) -> Scene:
    """Find and fit all sources of an image of any size.

    Sources whose footprints overlap are fitted together, every group on a stamp of its own from which the models of
    all other sources are taken away. Then the residual is searched for what was missed, the groups that gain a
    source are fitted again, and compact sources are tried as stars.

    Parameters
    ----------
    observation
        The image, with one PSF per band.
    model
        Galaxy model; the default of ``fit``.
    prior, population, position_scatter
        As for ``fit``; one prior serves the whole image.
    rounds
        How often every group is fitted. In the first round other groups are masked, then they are subtracted.
    search_again
        Whether to look for sources in the residual, and take out detections whose models turn out to be nothing.
    stars
        Whether to try compact sources as points.
    detections
        Positions (n, 2) in pixels (x, y), or a table such as ``detect`` returns: in place of detecting.
    max_group
        Most sources that are fitted together.
    residual_snr
        Least significance of a source in the residual.
    batch_size
        Groups in one call of a compiled program: by default 1 on a CPU, which has nothing to gain from more, else 16.
    progress
        Whether to show a bar for every pass over the groups.

    Returns
    -------
    Scene
        Catalogue, model, residual, an image per source and the fit of every group.

    Raises
    ------
    ValueError
        If a setting is out of range, positions are not (n, 2) or not in the image, or the PSF is one per source.
    """
    _check(observation, rounds=rounds, max_group=max_group, residual_snr=residual_snr, batch_size=batch_size)
    fwhm = psf_fwhm(observation)
    table = _as_table(observation, detections)
    check_kinds((observation,), model, prior, population, position_scatter)
    model = BulgeDisk() if model is None else model
    # Made once: without zero points the prior depends on the depth, which would be another on every stamp.
    if prior is None:
        prior = default_prior((observation,), model, population=population, position_scatter=position_scatter)
    fit = functools.partial(
        fit_batch,
        model=model,
        prior=prior,
        batch_size=batch_size or _batch_size(),
        on_error="raise",
        progress=progress,
    )
    sources = sources_from_table(table, fwhm, detected=None if has_outlines(table) else detect(observation))
    sources = fit_rounds(observation, sources, fit, rounds=rounds, fwhm=fwhm, max_group=max_group)
    if search_again:
        options = {"fwhm": fwhm, "max_group": max_group, "min_snr": residual_snr}
        sources = look_again(observation, sources, fit, given=detections is not None, **options)
    if stars:
        sources = tell_stars(observation, sources, fit, fwhm=fwhm)
    return assemble(observation, sources, table, model=model, prior=prior)


def fit_rounds(
    observation: Observation,
    sources: Sequence[FrameSource],
    fit_batch: FitBatch,
    *,
    rounds: int,
    fwhm: float,
    max_group: int,
) -> list[FrameSource]:
    """Fit all groups a number of times; stamps grow with the light that the models reveal."""
    turns = in_turns(sources, fwhm, max_group)
    for _ in range(rounds):
        sources = fit_in_turns(observation, sources, turns, fit_batch, fwhm=fwhm)
    return list(sources)


def _batch_size() -> int:
    import jax

    return 1 if jax.default_backend() == "cpu" else 16


def _check(observation, **settings) -> None:
    if not isinstance(observation, Observation):
        raise ValueError(
            f"deblend takes one Observation, got {type(observation).__name__}; several: fit, stamp by stamp"
        )
    for name, value in settings.items():
        if value is None and name == "batch_size":
            continue
        whole = name != "residual_snr"
        kinds = (int, np.integer) if whole else (int, float, np.number)
        if not isinstance(value, kinds) or not (value >= 1 if whole else 0 < value < np.inf):
            raise ValueError(
                f"{name} must be a {'whole number of at least 1' if whole else 'positive number'}, got {value!r}"
            )


def _as_table(observation, detections) -> Table:
    if detections is None:
        return detect(observation)
    from astropy.table import Table

    if hasattr(detections, "colnames"):
        table = detections
        if not {"x", "y"} <= set(table.colnames):
            raise ValueError(f"detections need columns x and y (pixels); got {table.colnames}")
        found = np.stack([np.asarray(getattr(table[c], "value", table[c]), float) for c in ("x", "y")], 1).reshape(
            -1, 2
        )
    else:
        found = checks.positions(detections, "detections")
        table = Table({"x": found[:, 0], "y": found[:, 1]})
    height, width = observation.shape
    outside = ~((found > -1) & (found < (width, height))).all(1)  # NaN, too
    if outside.any():
        raise ValueError(
            f"detections {np.flatnonzero(outside)[:10].tolist()} are not in the image of {width} x {height} pixels: "
            "x and y count from 0 at the centre of the first pixel"
        )
    return table
