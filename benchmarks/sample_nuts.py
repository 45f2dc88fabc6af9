"""NUTS on one blend: jaxblend's, the same posterior in its physical parameters, and the samplers of other packages."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

import jaxblend as jb
from benchmarks.peers import pysersic_sample, scarlet2_sample
from benchmarks.peers.compile_time import CompileClock
from benchmarks.peers.importing import require
from benchmarks.peers.sample_chains import Chains, Start, in_two_stages
from benchmarks.peers.timing import timed
from benchmarks.sample_blends import SIX, R, Sampled, psfs
from jaxblend.forward.galaxies import AbstractGalaxy

__all__ = ["SAMPLERS", "Length", "Problem", "Sampler"]

NOTICED = 0.02  # of the seconds of a call


@dataclass(frozen=True)
class Length:
    """Numbers of chains, of draws kept of each, and of steps before."""

    chains: int
    draws: int
    warmup: int


@dataclass(frozen=True)
class Problem:
    """One blend, in six bands or in r alone."""

    sampled: Sampled
    bands: str

    @cached_property
    def start(self) -> Start:
        """jaxblend's fit of Sersic profiles, at which other packages begin."""
        fit = self.fit(jb.Sersic())
        catalog, names = fit.catalog, self.sampled.observation.bands
        return Start(
            seeds=self.sampled.positions,
            positions=_plain(catalog, "x", "y"),
            fluxes=_plain(catalog, *(f"flux_{band}" for band in names)),
            radii=_plain(catalog, "radius")[:, 0],
            shears=_plain(catalog, "g1", "g2"),
        )

    def fit(self, model: AbstractGalaxy) -> jb.Fit:
        return jb.fit(*self.sampled, model=model)


@dataclass(frozen=True)
class Sampler:
    """A row of the table: who samples what, and how."""

    label: str
    model: str
    precision: str
    bands: tuple[str, ...]
    sample: Callable[[Problem, Length, int], Chains]
    packages: tuple[str, ...] = ("numpyro",)
    own: bool = False  # jaxblend's


def ours(problem: Problem, length: Length, seed: int, *, model: AbstractGalaxy, exact: bool = False) -> Chains:
    """``jb.sample``, whose warm-up is timed by a call for one draw: it has the same key, and so the same warm-up."""
    fit = problem.fit(model)

    def sample(n_draws: int) -> jb.Posterior:
        options = {"chains": length.chains, "warmup": length.warmup, "exact": exact}
        return jb.sample(fit, key=jax.random.key(seed), method="nuts", n_draws=n_draws, **options)

    _, warmup, _ = _timed(lambda: sample(1))
    found, seconds, compiled = _timed(lambda: sample(length.draws))
    columns = dict(zip(found.quantity_names, np.moveaxis(found.quantities, -1, 0), strict=True))
    return Chains(
        draws={
            "flux": np.exp(np.stack([columns[f"log_flux_{band}"] for band in found.bands], -1)),
            "position": np.stack([columns["u"], columns["v"]], -1),
            "radius": columns["radius"],
            "shear": np.stack([columns["g1"], columns["g2"]], -1),
        },
        n_parameters=found.u[0, 0].size,
        leaps=float(found.diagnostics["leaps"]),
        divergences=int(found.diagnostics["divergences"]),
        seconds_compile=compiled,
        seconds_warmup=warmup,
        seconds_draws=seconds - warmup,
    )


def _timed(call):
    """Value and seconds of a call, which is made again if much of them went into compiling, and these seconds."""
    with CompileClock() as clock:
        value, seconds = timed(call)
    if clock.seconds > NOTICED * seconds:
        value, seconds = timed(call)
    return value, seconds, clock.seconds


def unwhitened(problem: Problem, length: Length, seed: int, *, double: bool = False) -> Chains:
    """NumPyro's NUTS with its defaults on the sites of ``jb.numpyro_model``, from jaxblend's fit."""
    infer = require("numpyro.infer", "numpyro")
    fit = problem.fit(jb.BulgeDisk())
    with jax.enable_x64(double):
        model = jb.numpyro_model(*problem.sampled)
        values = {name: jnp.asarray(value, float) for name, value in model.values_at(fit).items()}
        kernel = infer.NUTS(model, init_strategy=infer.init_to_value(values=values))
        options = {"num_chains": length.chains, "chain_method": "sequential", "progress_bar": False}

        def begin():
            mcmc = infer.MCMC(kernel, num_warmup=length.warmup, num_samples=1, **options)
            mcmc.run(jax.random.key(seed))
            return mcmc

        run = in_two_stages(begin, length.draws)
    sites = run.sites
    return Chains(
        draws={
            "flux": sites["flux"],
            "position": np.stack([sites["x"], sites["y"]], -1),
            "radius": sites["radius"],
            "shear": sites["shear"],
        },
        n_parameters=sum(int(np.size(value)) for value in values.values()),
        **run.costs,
    )


def scarlet2(problem: Problem, length: Length, seed: int) -> Chains:
    obs = problem.sampled.observation
    return scarlet2_sample.sample(
        np.asarray(obs.image),
        np.asarray(obs.weight),
        psfs(problem.bands),
        problem.start,
        pixel_scale=float(obs.frame.pixel_scale),
        seed=seed,
        **vars(length),
    )


def pysersic(problem: Problem, length: Length, seed: int) -> Chains:
    obs = problem.sampled.observation
    return pysersic_sample.sample(
        np.asarray(obs.image[0]),
        np.asarray(obs.weight[0]),
        psfs(problem.bands)[0],
        problem.start,
        pixel_scale=float(obs.frame.pixel_scale),
        seed=seed,
        **vars(length),
    )


def _with(function, **options):
    return lambda problem, length, seed: function(problem, length, seed, **options)


SAMPLERS = {
    "jaxblend": Sampler(
        "jaxblend, nuts", "bulge + disk", "float32", (SIX, R), _with(ours, model=jb.BulgeDisk()), own=True
    ),
    "sersic": Sampler(
        "jaxblend, nuts, Sersic", "Sersic", "float32", (SIX, R), _with(ours, model=jb.Sersic()), own=True
    ),
    "pixels": Sampler(
        "jaxblend, nuts, exact=True",
        "bulge + disk",
        "float32",
        (SIX, R),
        _with(ours, model=jb.BulgeDisk(), exact=True),
        own=True,
    ),
    "unwhitened": Sampler("NumPyro, unwhitened", "bulge + disk", "float32", (SIX, R), unwhitened),
    "unwhitened64": Sampler("NumPyro, unwhitened", "bulge + disk", "float64", (SIX, R), _with(unwhitened, double=True)),
    "scarlet2": Sampler("scarlet2", "Sersic", "float64", (SIX, R), scarlet2, ("scarlet2", "numpyro")),
    "pysersic": Sampler("pysersic", "Sersic", "float32", (R,), pysersic, ("pysersic", "numpyro")),
}


def _plain(catalog, *names):
    return np.stack([np.asarray(getattr(catalog[name], "value", catalog[name]), float) for name in names], -1)
