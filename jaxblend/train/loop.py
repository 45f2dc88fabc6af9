"""One trainer for every network: steps on data drawn by key, validation, checkpoints, early stopping.

Every step draws its data by the number of the step, and checkpoints hold all that the next step depends on: a run that
was killed and goes on has the same weights in the end as one that was not.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import paramax

__all__ = ["Progress", "Schedule", "State", "train", "trained"]

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long to train, and how fast.

    Attributes
    ----------
    steps
        At most so many.
    batch_size
        Galaxies in a step.
    learning_rate
        After a rise over the first twentieth; it falls to a hundredth along a cosine (Adam, gradients clipped).
    every
        Steps between two validations, each of which writes a checkpoint.
    patience
        Validations without a better one after which training ends.
    seed
        Of weights and data.
    """

    steps: int = 10_000
    batch_size: int = 32
    learning_rate: float = 1e-3
    every: int = 250
    patience: int = 20
    seed: int = 0

    def __post_init__(self):
        for name in ("steps", "batch_size", "every", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be a finite number above 0, got {self.learning_rate}")


class State(NamedTuple):
    """All that the next step depends on, and the best weights so far."""

    weights: Any
    optimiser: Any
    best: Any
    step: Any
    best_loss: Any
    since_best: Any
    history: Any  # (validations, 3): steps, mean training loss since the one before, validation loss; NaN to come


class Progress(NamedTuple):
    """After a validation."""

    step: int
    steps: int
    training_loss: float
    validation_loss: float
    steps_per_second: float


def train(
    model, loss: Callable, schedule: Schedule, folder: Path | None = None, *, held_out: Callable | None = None
) -> Iterator[tuple[Any, State, Progress]]:
    """Train any pytree of arrays; yields the best model so far, the state and the progress after every validation.

    Parameters
    ----------
    model
        A pytree whose floating-point arrays are trained, but for those marked by `paramax.non_trainable`.
    loss
        ``loss(model, key)`` is a number and a dict of more of them. Arrays of an `equinox.Partial` are not compiled in.
    schedule
        How long and how fast.
    folder
        Of checkpoints: if it holds some, training goes on from the last one. None writes nothing.
    held_out
        The loss of validations, if it has other data.
    """
    weights, static = eqx.partition(model, eqx.is_inexact_array, is_leaf=_is_kept)
    optimiser = _optimiser(schedule)
    stretch, validate = _compiled(static, loss, held_out or loss, optimiser, schedule)
    state = _first(weights, optimiser, schedule)
    with _Checkpoints(folder) as checkpoints:
        state = checkpoints.last(state)
        while int(state.step) < schedule.steps and int(state.since_best) < schedule.patience:
            begin = time.perf_counter()
            after, training_loss = stretch(state)
            state = _judged(after, float(training_loss), float(validate(after.weights)), schedule)
            seconds = time.perf_counter() - begin
            checkpoints.save(state)
            row = state.history[_validations(state, schedule) - 1]
            progress = Progress(int(state.step), schedule.steps, float(row[1]), float(row[2]), schedule.every / seconds)
            _LOG.info("step %d: training loss %.3f, validation loss %.3f", *progress[:1], *progress[2:4])
            yield eqx.combine(state.best, static), state, progress


def trained(model, schedule: Schedule, folder: Path) -> tuple[Any, State]:
    """The best model that a run has left in its folder, and its state.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    weights, static = eqx.partition(model, eqx.is_inexact_array, is_leaf=_is_kept)
    with _Checkpoints(folder) as checkpoints:
        state = checkpoints.last(_first(weights, _optimiser(schedule), schedule))
    if int(state.step) == 0:
        raise FileNotFoundError(f"{folder} has no trained network: train it first")
    return eqx.combine(state.best, static), state


def _is_kept(leaf) -> bool:
    return isinstance(leaf, paramax.NonTrainable)


def _optimiser(schedule: Schedule) -> optax.GradientTransformation:
    rate = optax.warmup_cosine_decay_schedule(
        0.0, schedule.learning_rate, max(1, schedule.steps // 20), schedule.steps, schedule.learning_rate / 100
    )
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))


def _first(weights, optimiser, schedule: Schedule) -> State:
    rows = -(-schedule.steps // schedule.every)
    history = np.full((rows, 3), np.nan)
    return State(weights, optimiser.init(weights), weights, np.array(0), np.array(np.inf), np.array(0), history)


def _compiled(static, loss, held_out, optimiser, schedule: Schedule):
    """A stretch of steps up to the next validation, and the validation."""
    root = jax.random.key(schedule.seed)
    # Validation sees the same data every time, which training never sees.
    seen, unseen = jax.random.fold_in(root, 1), jax.random.split(jax.random.fold_in(root, 2), 8)

    def value(weights, key, loss):
        return loss(eqx.combine(weights, static), key)

    # Compiled step by step: on a CPU, gradients of convolutions take five times as long inside a compiled loop.
    @eqx.filter_jit
    def step(weights, momenta, total, number, loss):
        (one, _), slopes = jax.value_and_grad(value, has_aux=True)(weights, jax.random.fold_in(seen, number), loss)
        updates, momenta = optimiser.update(slopes, momenta, weights)
        return optax.apply_updates(weights, updates), momenta, total + one

    def stretch(state: State):
        weights, momenta, total = state.weights, state.optimiser, jnp.zeros(())
        for number in range(int(state.step), int(state.step) + schedule.every):
            weights, momenta, total = step(weights, momenta, total, jnp.asarray(number), loss)
        after = state._replace(weights=weights, optimiser=momenta, step=state.step + schedule.every)
        return after, total / schedule.every

    @eqx.filter_jit
    def validate(weights, held_out):
        return jax.lax.map(lambda key: value(weights, key, held_out)[0], unseen).mean()

    return stretch, lambda weights: validate(weights, held_out)


def _judged(state: State, training_loss: float, validation_loss: float, schedule: Schedule) -> State:
    if not np.isfinite(validation_loss):
        raise FloatingPointError(
            f"the validation loss is {validation_loss} after {int(state.step)} steps: lower learning_rate"
        )
    history = np.array(state.history)
    history[_validations(state, schedule) - 1] = int(state.step), training_loss, validation_loss
    better = validation_loss < float(state.best_loss)
    return state._replace(
        best=state.weights if better else state.best,
        best_loss=np.array(min(validation_loss, float(state.best_loss))),
        since_best=np.array(0 if better else int(state.since_best) + 1),
        history=history,
    )


def _validations(state: State, schedule: Schedule) -> int:
    return int(state.step) // schedule.every


class _Checkpoints:
    """The last two states, in a folder; none without one."""

    def __init__(self, folder: Path | None):
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        self._manager = None if folder is None else ocp.CheckpointManager(folder.absolute(), options=options)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._manager is not None:
            self._manager.close()

    def last(self, state: State) -> State:
        """The last that was written, or ``state``."""
        if self._manager is None or self._manager.latest_step() is None:
            return state
        leaves, structure = jax.tree.flatten(state)
        found = self._manager.restore(self._manager.latest_step(), args=ocp.args.StandardRestore(_numbered(leaves)))
        return jax.tree.unflatten(structure, [found[name] for name in sorted(found)])

    def save(self, state: State) -> None:
        if self._manager is not None:
            self._manager.save(int(state.step), args=ocp.args.StandardSave(_numbered(jax.tree.leaves(state))))


def _numbered(leaves) -> dict[str, Any]:
    return {f"{i:05d}": leaf for i, leaf in enumerate(leaves)}
