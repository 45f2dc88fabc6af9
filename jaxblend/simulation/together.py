"""One sky, seen by several surveys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxblend.simulation import streams
from jaxblend.simulation.blend import Blend, observe, simulate
from jaxblend.simulation.catsim import read_catsim
from jaxblend.simulation.options import ObservingOptions, SimulationOptions, keywords_of, parse_options
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.sample import checked_key
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey

__all__ = ["simulate_surveys"]

_POOL = 512


@keywords_of(SimulationOptions)
def simulate_surveys(surveys: Sequence[Survey], *, key: jax.Array, **options: Any) -> tuple[Blend, ...]:
    """Simulate one blend as several surveys see it.

    The first survey chooses: selection, layout and shear are made with it. The others see the same sources at the same
    places of the sky, each on a stamp of the same angular width and with noise of its own; bands of one name are taken
    to have the same magnitudes in all. Their observations go together into `jaxblend.fit`.

    Parameters
    ----------
    surveys : sequence of Survey
        Such as ``[get_survey("LSST"), get_survey("Euclid_VIS")]``.
    key : typed JAX key
        ``jax.random.key(seed)``.
    **options
        As in `simulate`. `stamp_size` counts pixels of the first survey. A `catalog` has magnitudes in the bands of
        all, or is a CATSIM table, between whose bands they are interpolated; one PSF that is a GalSim object serves
        all alike.

    Returns
    -------
    tuple of Blend
        One for each survey, with truths of its own pixels, fluxes and S/N.

    Raises
    ------
    ValueError, TypeError
        As `simulate`; or if there is no survey, or an option is of one survey's pixels or bands: show the others the
        sky of the first blend with `observe` then.
    """
    surveys, key = tuple(surveys), checked_key(key)
    if not surveys:
        raise ValueError("Got no surveys, expected at least one.")
    chosen = parse_options(SimulationOptions, options)
    _check_shared(chosen)
    width = chosen.stamp_size * surveys[0].pixel_scale
    if chosen.catalog is None:
        rng = streams.generator(key, streams.SURVEYS)
        n = max(_POOL, chosen.effective_layout.pool_size(width))
        faintest = chosen.effective_selection.max_magnitude + 0.5
        options = {**options, "catalog": draw_population(rng, n, surveys, max_magnitude=faintest)}
    elif not isinstance(chosen.catalog, SkySources):
        options = {**options, "catalog": read_catsim(chosen.catalog, surveys, interpolate=True)}
    if chosen.layout is not None:
        options = {**options, "layout": chosen.layout.for_surveys(surveys)}
    first = simulate(surveys[0], key=key, **options)
    shared = {name: getattr(chosen, name) for name in ObservingOptions.__dataclass_fields__}
    others = [
        observe(
            first.sources,
            first.offsets,
            survey,
            key=jax.random.fold_in(jax.random.fold_in(key, streams.SURVEYS), number),
            **{**shared, "stamp_size": int(np.ceil(width / survey.pixel_scale))},
        )
        for number, survey in enumerate(surveys[1:], start=1)
    ]
    return (first, *others)


def _check_shared(options: SimulationOptions) -> None:
    """Refuse what is of one survey's pixels or bands."""
    if options.noise_correlation is not None or isinstance(options.psf, list | tuple):
        raise ValueError(
            "Got noise_correlation, or a PSF for each band, for surveys whose pixels and bands differ: simulate the "
            "first, and give observe(blend.sources, blend.offsets, survey, ...) those of each other."
        )
