"""One sky, seen by several surveys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxblend.simulation import streams
from jaxblend.simulation.blend import Blend, observe, simulate
from jaxblend.simulation.options import ObservingOptions, SimulationOptions, keywords_of, parse_options
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.sample import checked_key, numpy_generator
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
        all; PSFs that are GalSim objects serve all alike.

    Returns
    -------
    tuple of Blend
        One for each survey, with truths of its own pixels, fluxes and S/N.

    Raises
    ------
    ValueError, TypeError
        As `simulate`; or if there is no survey.
    """
    surveys, key = tuple(surveys), checked_key(key)
    if not surveys:
        raise ValueError("Got no surveys, expected at least one.")
    chosen = parse_options(SimulationOptions, options)
    if chosen.catalog is None:
        rng = numpy_generator(jax.random.fold_in(key, streams.SURVEYS))
        faintest = chosen.effective_selection.max_magnitude + 0.5
        options = {**options, "catalog": draw_population(rng, _POOL, surveys, max_magnitude=faintest)}
    first = simulate(surveys[0], key=key, **options)
    width = chosen.stamp_size * surveys[0].pixel_scale
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
