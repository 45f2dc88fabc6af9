"""Sample a blend with scarlet2's own sampler, every source a Sersic profile times a spectrum.

scarlet2 has priors of the user's choice only. Those of its sampling guide are taken, a wide flat one of the spectrum
and a normal one of the centre, and for the shape: log-normal in size, flat in ellipticity and Sersic index. Its
likelihood, box rule (15 times the size) and model PSF (a Gaussian of 0.7 pixel) are left as they are. NumPyro's
settings are scarlet2's, which are NumPyro's. There is no argument for several chains: each is a call of its own, which
compiles anew. In float32 the step size collapses, hence float64.
"""

import contextlib
import io

import numpy as np

from .importing import require
from .sample_chains import Chains, Run, Start, in_two_stages

INSTALL = "scarlet2 numpyro h5py"
INDEX = (0.5, 6.0)  # of Sersic
BRIGHTEST = 10.0  # times the spectrum at the start
SIZE_SCATTER = 0.5  # of the natural logarithm
ELLIPTICITY = 0.7  # of each component, so that the length stays below 1


def sample(
    images: np.ndarray,
    weights: np.ndarray,
    psfs: np.ndarray,
    start: Start,
    *,
    pixel_scale: float,
    chains: int,
    draws: int,
    warmup: int,
    seed: int = 0,
    double: bool = True,
) -> Chains:
    """Sample all sources of a blend together.

    Parameters
    ----------
    images, weights
        Data and inverse variance, (C, H, W).
    psfs
        Effective PSF at the pixel scale, (C, h, w), h and w odd.
    start
        Where chains begin; priors are about its seeds and sizes.
    pixel_scale
        Arcsec per pixel.
    chains, draws, warmup
        Numbers of chains, of draws kept of each, and of steps before.
    seed
        Of the first chain; the others follow.
    double
        Whether to compute in float64.

    Raises
    ------
    ImportError
        If scarlet2 is missing.
    """
    scarlet2 = require("scarlet2", INSTALL)
    jax = require("jax")
    scarlet2.set_validation(False)
    with jax.enable_x64(double), contextlib.redirect_stdout(io.StringIO()):
        observation, scene = _scene(scarlet2, images, weights, psfs, start, pixel_scale)
        _declare(scarlet2, scene, start)
        runs = [_run(scene, observation, draws, warmup, seed + i) for i in range(chains)]
        sites = {name: np.concatenate([run.sites[name] for run in runs]) for name in runs[0].sites}
        flux = _fluxes(jax, scene, sites)
    values = {name: np.stack([sites[f"{name}_{i}"] for i in range(len(start.seeds))], axis=2) for name in _PARTS}
    e2 = np.sum(values["ellipticity"] ** 2, axis=-1, keepdims=True)
    return Chains(
        draws={
            "flux": flux,
            "position": values["center"][..., ::-1],
            "radius": values["size"] * pixel_scale,
            "shear": values["ellipticity"] / (1 + np.sqrt(1 - e2)),
        },
        n_parameters=sum(int(np.prod(site.shape[2:])) for site in sites.values()),
        leaps=float(np.mean([run.leaps for run in runs])),
        divergences=sum(run.divergences for run in runs),
        seconds_compile=sum(run.seconds_compile for run in runs),
        seconds_warmup=sum(run.seconds_warmup for run in runs),
        seconds_draws=sum(run.seconds_draws for run in runs),
    )


_PARTS = ("center", "spectrum", "size", "ellipticity", "index")


def _scene(scarlet2, images, weights, psfs, start, pixel_scale):
    """Observation, matched to a model frame, and the scene at the start."""
    device = require("jax.numpy", "jax").asarray
    images, weights, psfs = (device(np.asarray(a), float) for a in (images, weights, psfs))
    channels = [str(i) for i in range(len(images))]
    observation = scarlet2.Observation(images, weights, psf=scarlet2.ArrayPSF(psfs), channels=channels)
    frame = scarlet2.Frame.from_observations(observation)
    observation.match(frame)
    with scarlet2.Scene(frame) as scene:
        for i, (x, y) in enumerate(np.asarray(start.positions, float)):
            g = np.asarray(start.shears[i], float)
            ellipticity = np.clip(2 * g / (1 + g @ g), -0.95 * ELLIPTICITY, 0.95 * ELLIPTICITY)
            shape = scarlet2.SersicMorphology(
                device(1.0, float), device(float(start.radii[i] / pixel_scale)), ellipticity=device(ellipticity)
            )
            spectrum = device(np.asarray(start.fluxes[i], float)) / shape().sum()
            scarlet2.Source(device([y, x], float), spectrum, shape)
    return observation, scene


def _declare(scarlet2, scene, start):
    """Declare the parameters with their priors."""
    dist = require("numpyro.distributions", "numpyro")
    device = require("jax.numpy", "jax").asarray
    with scarlet2.Parameters(scene):
        for i, (source, (x, y)) in enumerate(zip(scene.sources, np.asarray(start.seeds, float), strict=True)):
            shape = source.morphology
            flat = device(np.full(2, ELLIPTICITY))
            priors = {
                "center": (source.center, dist.Normal(device([y, x]), 1.0).to_event(1)),
                "spectrum": (source.spectrum, dist.Uniform(0.0 * source.spectrum, BRIGHTEST * source.spectrum)),
                "size": (shape.size, dist.LogNormal(np.log(float(shape.size)), SIZE_SCATTER)),
                "ellipticity": (shape.ellipticity, dist.Uniform(-flat, flat).to_event(1)),
                "index": (shape.n, dist.Uniform(*INDEX)),
            }
            for name, (node, prior) in priors.items():
                prior = prior.to_event(1) if name == "spectrum" else prior
                scarlet2.Parameter(node, name=f"{name}_{i}", prior=prior)


def _run(scene, observation, draws, warmup, seed) -> Run:
    def begin():
        return scene.sample(observation, seed=seed, num_warmup=warmup, num_samples=1, progress_bar=False)

    return in_two_stages(begin, draws, {})


def _fluxes(jax, scene, sites):
    """Flux within each source's box, (chains, S, n, C)."""

    def fluxes(values):
        drawn = scene.set(values)
        return jax.numpy.stack([source().sum((-2, -1)) for source in drawn.sources])

    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in sites.items()}
    found = np.asarray(jax.jit(lambda flat: jax.lax.map(fluxes, flat))(flat))
    return found.reshape(*next(iter(sites.values())).shape[:2], *found.shape[1:])
