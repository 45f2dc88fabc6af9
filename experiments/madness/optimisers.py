"""MADNESS's recipe, Adam with a falling rate, against Levenberg-Marquardt: one objective, the same starts."""

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from astropy.table import Table

from benchmarks.blends import BANDS, N_SOURCES, SEED, STAMP, dispersed, on_device, simulated
from experiments.madness.clock import Timed, warm
from jaxblend.fitting.prepare import prepare
from jaxblend.forward.galaxies import AbstractGalaxy, AbstractLatentGalaxy
from jaxblend.infer.map import maximum_a_posteriori
from jaxblend.infer.posterior import Blend, objective
from jaxblend.infer.starts import dispersed_starts, modes_and_fluxes
from jaxblend.simulation.blend import Blend as Simulated

RATE, DECAY, EVERY, STEPS, EPSILON = 0.05, 0.8, 30, 200, 1e-7  # of MADNESS's script for LSST; Keras's epsilon
LONGER = 10  # times the steps, the rate falling as much more slowly
FURTHER = 8  # dispersed starts, from which only the best known objective is sought
ONE, FOUR = "Levenberg-Marquardt, one start", "Levenberg-Marquardt, four starts"
ADAM, ADAMS, LONG = (
    "Adam, one start",
    "Adam, four starts",
    f"Adam, one start, {LONGER * STEPS} steps",
)
SEARCHES = (ADAM, ADAMS, LONG, ONE, FOUR)
RECORD = {"set": [BANDS, N_SOURCES, STAMP, SEED], "adam": [RATE, DECAY, EVERY, STEPS, EPSILON, LONGER, FURTHER]}


def measure(numbers: Sequence[int], model: AbstractGalaxy) -> Table:
    """A row per blend and search: the objective that it reached, the best known one, and its seconds."""
    rows = []
    for number, drawn in zip(numbers, simulated(numbers[-1] + 1)[numbers[0] :], strict=True):
        blend = ready(drawn, model)
        found = search(blend, long=not isinstance(model, AbstractLatentGalaxy))
        values = {name: least(blend, each.value) for name, each in found.items()}
        others = further_starts(blend, found, jax.random.fold_in(jax.random.key(SEED), number))
        best = min([*values.values(), *(least(blend, levenberg(blend, u[None])) for u in others)])
        for name, each in found.items():
            about = {"blend": number, "search": name, "objective": values[name], "best": best}
            rows.append({**about, "seconds": each.seconds, "processor": each.processor})
    return Table(rows=rows)


def ready(drawn: Simulated, model: AbstractGalaxy) -> Blend:
    """What the objective needs, on the device."""
    return _blend(on_device(prepare((drawn.observation,), drawn.positions, model=model)))


def search(blend: Blend, *, long: bool) -> dict[str, Timed]:
    """The ends (S, K, D) of every search; a neural galaxy is too slow for the long one."""
    starts = own_starts(blend)

    def timed(way: Callable, given: jax.Array) -> Timed:
        return warm(lambda: jax.block_until_ready(way(blend, given)))

    each = [timed(adam, start) for start in starts]
    ends, *seconds = zip(*each, strict=True)
    found = {ADAM: each[0], ADAMS: Timed(jnp.concatenate(ends), *map(sum, seconds))}
    if long:
        found[LONG] = timed(long_adam, starts[0])
    return {**found, ONE: timed(levenberg, starts[:1]), FOUR: timed(levenberg, starts)}


def further_starts(blend: Blend, found: dict[str, Timed], key) -> list[jax.Array]:
    """Where Adam ended, and dispersed starts: about the end of a fit, and from the prior."""
    return [*found[ADAMS].value, *dispersed(blend, found[FOUR].value[0], FURTHER, key=key)]


def least(blend: Blend, ends: jax.Array) -> float:
    """Objective of the best of some ends; infinite if none has one."""
    values = np.array([float(_objective(u, blend)) for u in ends])
    return float(values[np.isfinite(values)].min(initial=np.inf))


@eqx.filter_jit
def own_starts(blend: Blend) -> jax.Array:
    """The starts (S, K, D) of a fit, the first one of prior-typical shapes."""
    return dispersed_starts(blend, *modes_and_fluxes(blend))


@eqx.filter_jit
def levenberg(blend: Blend, starts: jax.Array) -> jax.Array:
    """The whole search of a fit from these starts, the exact curvature at its end included."""
    with jax.default_matmul_precision("highest"):
        return maximum_a_posteriori(blend, starts).u[None]


@eqx.filter_jit
def adam(blend: Blend, start: jax.Array) -> jax.Array:
    """MADNESS's steps."""
    return _descend(blend, start, 1)


@eqx.filter_jit
def long_adam(blend: Blend, start: jax.Array) -> jax.Array:
    """So many times as many steps."""
    return _descend(blend, start, LONGER)


def _descend(blend: Blend, start: jax.Array, times: int) -> jax.Array:
    rates = optax.exponential_decay(RATE, times * EVERY, DECAY, staircase=True)
    optimiser = optax.adam(rates, eps=EPSILON)

    def step(carry, _):
        u, state = carry
        updates, state = optimiser.update(jax.grad(objective)(u, blend), state)
        return (optax.apply_updates(u, updates), state), None

    return jax.lax.scan(step, (start, optimiser.init(start)), length=times * STEPS)[0][0][None]


_objective = eqx.filter_jit(objective)
_blend = eqx.filter_jit(lambda item: item.blend())
