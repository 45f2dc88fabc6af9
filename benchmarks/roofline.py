"""What a device can do, measured, and what a compiled program asks of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core

from benchmarks.peers.timing import median_seconds

__all__ = ["Cost", "Peak", "cost", "measured_peak"]


class Peak(NamedTuple):
    """Arithmetic in float32 (operations per second) and traffic with the memory (bytes per second)."""

    flops: float
    traffic: float


class Cost(NamedTuple):
    """Operations and bytes of one call, as XLA counts them: the body of a loop without a fixed length once."""

    flops: float
    traffic: float

    def bound(self, peak: Peak) -> float:
        """Seconds below which a device of this peak cannot do it."""
        return max(self.flops / peak.flops, self.traffic / peak.traffic)

    def times(self, number: float) -> "Cost":
        """That of so many calls."""
        return Cost(number * self.flops, number * self.traffic)


def measured_peak(side: int, megabytes: int, repeats: int = 9) -> Peak:
    """Multiply two square matrices of float32 in full precision, and copy an array that no cache holds.

    Parameters
    ----------
    side
        Of the matrices.
    megabytes
        Of the array; it is read and written.
    repeats
        Calls to take the median of.
    """
    matrix = jax.random.normal(jax.random.key(0), (side, side), jnp.float32)
    array = jnp.zeros(megabytes * 250_000, jnp.float32)
    product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
    copy = jax.jit(lambda a: a + 1.0)
    seconds = median_seconds(lambda: product(matrix).block_until_ready(), repeats=repeats)
    seconds_copy = median_seconds(lambda: copy(array).block_until_ready(), repeats=repeats)
    return Peak(2.0 * side**3 / seconds, 2.0 * array.nbytes / seconds_copy)


def cost(function: Callable, *arguments: Any) -> Cost:
    """XLA's count for a function of arrays; loops of a fixed length, such as over bands, are written out before."""
    program = core.jaxpr_as_fun(_unrolled(jax.make_jaxpr(function)(*arguments)))
    found = jax.jit(program).lower(*jax.tree.leaves(arguments)).compile().cost_analysis()
    return Cost(float(found.get("flops", 0.0)), float(found.get("bytes accessed", 0.0)))


def _unrolled(part: Any) -> Any:
    """A jaxpr, or a parameter that may hold some, without scans."""
    if isinstance(part, core.ClosedJaxpr):
        return part.replace(jaxpr=_unrolled(part.jaxpr))
    if isinstance(part, core.Jaxpr):
        return part.replace(eqns=[_unrolled_equation(equation) for equation in part.eqns])
    return tuple(map(_unrolled, part)) if type(part) is tuple else part


def _unrolled_equation(equation: Any) -> Any:
    params = {name: _unrolled(value) for name, value in equation.params.items()}
    if equation.primitive.name == "scan":
        params["unroll"] = params["length"]
    return equation.replace(params=params)
