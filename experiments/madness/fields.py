"""MADNESS's set-up: dense LSST fields whose centres are held, fitted, or fitted from displaced seeds."""

import dataclasses
from collections.abc import Sequence

import numpy as np

import jaxblend as jb
from experiments.deblenders import blends as drawn
from experiments.deblending import Method, Task
from experiments.madness.aperture import ERRORS, TIMES, aperture_errors
from experiments.madness.clock import warm
from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.simulation.blend import Blend

HELD, FREE = 0.02, 0.2  # arcsec, the prior's scatter about the centres that are given: a tenth of a pixel, a pixel
CENTRES = {"held": ("positions", HELD), "fitted": ("positions", FREE), "displaced": ("seeds", FREE)}


class Fits(list):
    """Fits of some fields, and the seconds that each took."""

    seconds: np.ndarray
    processor: np.ndarray


def task_of(models: dict[str, AbstractGalaxy], size: int, weights: str) -> Task:
    """Every model with every kind of centres, on the fields of experiments/deblenders, measured as there."""
    record = {
        **drawn.FIELDS,
        "centres": CENTRES,
        "aperture": TIMES,
        "weights": weights,
    }
    return Task(
        draw=draw_blend,
        methods={name_of(each, kind): _fitted(models[each], *CENTRES[kind]) for each in models for kind in CENTRES},
        evaluation={"band": drawn.BAND},
        size=size,
        record=record,
        more=more_columns,
    )


def name_of(model: str, kind: str) -> str:
    """Of a method."""
    return f"{model}, centres {kind}"


def draw_blend(number: int) -> Blend:
    """A field with seeds that are off by as much as the prior allows for."""
    blend = drawn.draw_blend(number)
    rng = np.random.default_rng([drawn.SEED, number, 2])
    off = rng.normal(0.0, FREE / drawn.survey().pixel_scale, blend.positions.shape)
    return dataclasses.replace(blend, seeds=np.clip(blend.positions + off, 0.0, drawn.SIDE - 1.0))


def more_columns(evaluation: jb.Evaluation, results: Fits, blends: Sequence[Blend]) -> dict[str, np.ndarray]:
    """Errors of e1 and e2 and of MADNESS's apertures, and the seconds per galaxy of the field that a galaxy is in."""
    galaxies, row = [len(blend.positions) for blend in blends], np.asarray(evaluation.sources["blend"])
    seconds = {f"{name}_per_galaxy": (getattr(results, name) / galaxies)[row] for name in ("seconds", "processor")}
    each = [aperture_errors(fit, blend) for fit, blend in zip(results, blends, strict=True)]
    errors = {f"madness_{name}": np.concatenate([of[name] for of in each]) for name in ERRORS}
    return {**drawn.distortions(evaluation, results, blends), **errors, **seconds}


def _fitted(model: AbstractGalaxy, where: str, scatter: float) -> Method:
    def fit(blend: Blend) -> jb.Fit:
        found = jb.fit(blend.observation, getattr(blend, where), model=model, position_scatter=scatter)
        _ = found.images  # they are what a deblender gives: drawn in its time
        return found

    def separate(blends: Sequence[Blend]) -> Fits:
        fits, seconds, processor = zip(*(warm(lambda blend=blend: fit(blend)) for blend in blends), strict=True)
        found = Fits(fits)
        found.seconds, found.processor = np.array(seconds), np.array(processor)
        return found

    return separate
