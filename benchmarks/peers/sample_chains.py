"""What every sampler gives back, how it is timed, and how many independent draws it is worth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .compile_time import CompileClock
from .importing import require
from .timing import timed


@dataclass(frozen=True)
class Start:
    """What is known of n sources before sampling.

    Attributes
    ----------
    seeds
        Where the positions' priors are centred, pixels x, y, (n, 2).
    positions
        Pixels x, y at which chains begin, (n, 2).
    fluxes
        Per band, in the unit of the image, (n, C).
    radii
        Circularised half-light radii, arcsec, (n,).
    shears
        Reduced shear g1, g2, (n, 2).
    """

    seeds: np.ndarray
    positions: np.ndarray
    fluxes: np.ndarray
    radii: np.ndarray
    shears: np.ndarray


@dataclass(frozen=True)
class Chains:
    """Draws of what all samplers can report, and what they cost.

    Attributes
    ----------
    draws
        Arrays (chains, S, n, ...): "flux" (..., C), "position" (..., 2), "radius" and "shear" (..., 2).
    n_parameters
        Numbers that are sampled.
    leaps
        Mean number of leapfrog steps, each of them a gradient, per draw.
    divergences
        Draws whose trajectory diverged.
    seconds_compile
        Tracing and compiling.
    seconds_warmup, seconds_draws
        The rest of the wall time, before and after the first draw that is kept.
    """

    draws: dict[str, np.ndarray]
    n_parameters: int
    leaps: float
    divergences: int
    seconds_compile: float
    seconds_warmup: float
    seconds_draws: float


@dataclass(frozen=True)
class Run:
    """A finished run of NumPyro's ``MCMC``: sites (chains, S, ...), and the other attributes of ``Chains``."""

    sites: dict[str, np.ndarray]
    leaps: float
    divergences: int
    seconds_compile: float
    seconds_warmup: float
    seconds_draws: float

    @property
    def costs(self) -> dict[str, Any]:
        """All but the sites, for ``Chains``."""
        return {name: value for name, value in vars(self).items() if name != "sites"}


def in_two_stages(begin: Callable[[], Any], n_draws: int, *arguments: object) -> Run:
    """Warm up and draw with NumPyro's ``MCMC``, each timed.

    Parameters
    ----------
    begin
        Makes an ``MCMC`` and runs its warm-up and one draw, which is thrown away.
    n_draws
        To be kept of each chain.
    arguments
        Of the model.
    """
    wait = require("jax").block_until_ready  # calls return before they are done
    with CompileClock() as clock:
        mcmc, before = timed(lambda: _finished(begin(), wait))
        compiled = clock.seconds
        mcmc.num_samples = n_draws
        mcmc.post_warmup_state = mcmc.last_state
        sites, after = timed(lambda: _draw(mcmc, *arguments))
        compiled_after = clock.seconds - compiled
    fields = mcmc.get_extra_fields()
    return Run(
        sites=sites,
        leaps=float(np.mean(fields["num_steps"])),
        divergences=int(np.sum(fields["diverging"])),
        seconds_compile=compiled + compiled_after,
        seconds_warmup=before - compiled,
        seconds_draws=after - compiled_after,
    )


def worth(draws: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Effective number of draws (Q,), split R-hat (Q,) and name of every quantity of every source.

    The first is an estimate, which for short chains can be negative: it is at least 1 here.

    References
    ----------
    Geyer 1992, Stat. Sci. 7, 473, as NumPyro has it; Gelman et al. 2013, Bayesian Data Analysis, 3rd ed., 11.4.
    """
    diagnostics = require("numpyro.diagnostics", "numpyro")
    effective, r_hat, names = [], [], []
    for name, values in draws.items():
        flat = np.asarray(values, float).reshape(*np.shape(values)[:2], -1)
        for i, index in enumerate(np.ndindex(np.shape(values)[2:])):
            constant = np.ptp(flat[..., i]) == 0
            number = 1.0 if constant else float(diagnostics.effective_sample_size(flat[..., i]))
            effective.append(max(number, 1.0))
            r_hat.append(np.inf if constant else float(diagnostics.split_gelman_rubin(flat[..., i])))
            names.append(" ".join([name, *map(str, index)]))
    return np.array(effective), np.array(r_hat), names


def _finished(mcmc, wait):
    wait(mcmc.last_state)
    return mcmc


def _draw(mcmc, *arguments):
    """Draws of every site as NumPy arrays, which waits for them."""
    mcmc.run(mcmc.post_warmup_state.rng_key, *arguments, extra_fields=("num_steps", "diverging"))
    return {name: np.asarray(values) for name, values in mcmc.get_samples(group_by_chain=True).items()}
