"""The default prior: a triangular affine map of N(0, 1), then the bounds of ellipticity and Sersic index.

The physical vector of a source is ``(du, dv)`` from its seed in arcsec, the log flux per band, the galaxy model's
shape parameters, and for a model of two components the logit of the first one's flux fraction per band.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from flowjax.bijections import AbstractBijection, Chain, Indexed, TriangularAffine
from jaxtyping import Array, Float
from paramax import unwrap

from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.forward.mix import latent_vectors
from jaxblend.priors.bijections import Ellipticity, Interval
from jaxblend.priors.coupling import coordinates
from jaxblend.priors.population import Population

__all__ = ["BOUNDS", "RADIUS_AT", "SHEAR_LIMIT", "Prior", "parameter_names", "population_prior", "shape_prior"]

SHEAR_LIMIT = 0.95
RADIUS_AT = 24.0  # magnitude at which a population gives its mean half-light radius
BOUNDS = {"sersic_index": (0.5, 6.0), "shear_ratio": (0.0, 1.0)}


class Prior(eqx.Module):
    """A push-forward of N(0, 1): ``bijection`` carries ``u`` (D,) to the physical vector (D,) of one source.

    Give your own flowjax bijection of the same length to replace the default; ``names`` says what each entry is.
    """

    bijection: AbstractBijection
    names: tuple[str, ...] = eqx.field(static=True)

    @property
    def size(self) -> int:
        """Parameters per source, D."""
        return len(self.names)

    def physical(self, u: Float[Array, " D"]) -> Float[Array, " D"]:
        """Physical vector of ``u``."""
        return self.bijection.transform(u)

    def whitened(self, vector: Float[Array, " D"]) -> Float[Array, " D"]:
        """The ``u`` of a physical vector."""
        return self.bijection.inverse(vector)


def parameter_names(model: AbstractGalaxy, bands) -> tuple[str, ...]:
    """Names of the physical vector's entries."""
    logits = [f"logit_fraction{j}_{b}" for j in range(model.n_components - 1) for b in bands]
    return ("du", "dv", *(f"log_flux_{b}" for b in bands), *model.shape_names, *logits)


def population_prior(
    model: AbstractGalaxy, bands, *, zero_point, position_scatter: float, population: Population | None = None
) -> Prior:
    """The prior of a galaxy model in some bands.

    Parameters
    ----------
    model
        Says which shape parameters there are.
    bands
        Names; known ones (ugrizy, VIS, JHK, HST's) have colours that vary smoothly with wavelength.
    zero_point
        (C,) AB magnitude of one unit of flux.
    position_scatter
        Standard deviation in arcsec of a source about its seed, along each axis.
    population
        Means and scatters; ``Population()`` by default.
    """
    p = Population() if population is None else population
    names = parameter_names(model, bands)
    n_bands, size = len(bands), len(names)
    loc, root = np.zeros(size), np.zeros((size, size))
    root[0, 0] = root[1, 1] = position_scatter

    flux = slice(2, 2 + n_bands)
    to_log = -np.log(10) / 2.5
    magnitude_root = np.linalg.cholesky(p.magnitude_covariance(bands))
    loc[flux] = to_log * (p.magnitude + p.mean_colours(bands) - np.asarray(zero_point))
    root[flux, flux] = to_log * magnitude_root

    vectors = latent_vectors(model)
    latent = {name for names_of_one, _ in vectors for name in names_of_one}
    for i, name in enumerate(model.shape_names, start=2 + n_bands):
        loc[i], root[i, i] = (0.0, 1.0) if name in latent else shape_prior(p, name)
        if name == "log_radius":  # brighter galaxies are larger: the slope multiplies the first band's deviation
            loc[i] += p.log_radius_slope * (p.magnitude - RADIUS_AT)
            # A coupling has learned its own, of the magnitude in all bands.
            root[i, 2] = 0.0 if p.coupling is not None else p.log_radius_slope * magnitude_root[0, 0]

    logit_covariance = p.logit_covariance(n_bands)
    for j in range(model.n_components - 1):
        logits = slice(size - (model.n_components - 1 - j) * n_bands, size - (model.n_components - 2 - j) * n_bands)
        loc[logits] = p.bulge_logit
        root[logits, logits] = np.linalg.cholesky(logit_covariance)
    dtype = jnp.asarray(0.0, dtype=float).dtype
    bijection = _bounded(jnp.asarray(loc, dtype), jnp.asarray(root, dtype), names)
    for names_of_one, flow in vectors:
        if flow is not None:
            where = jnp.array([names.index(name) for name in names_of_one])
            bijection = Chain([bijection, Indexed(flow, where, (size,))])
    if p.coupling is not None:
        covariances = to_log**2 * p.magnitude_covariance(bands), logit_covariance
        at = coordinates(model, bands, covariances, names, p.coupling.galaxies)
        bijection = Chain([p.coupling.bijection(at, size), bijection, *at.to_model])
    return Prior(bijection, names)


def shape_prior(p: Population, name: str) -> tuple[float, float]:
    """Mean and scatter of an unbounded shape parameter."""
    table = {
        "log_radius": (p.log_radius, p.log_radius_scatter),
        "g1": (0.0, p.ellipticity_scatter),
        "g2": (0.0, p.ellipticity_scatter),
        "log_ratio": (p.log_ratio, p.log_ratio_scatter),
        "shear_ratio": (p.shear_ratio_logit, p.shear_ratio_logit_scatter),
        "sersic_index": (p.sersic_index_logit, p.sersic_index_logit_scatter),
    }
    if name not in table:
        raise ValueError(f"no default prior for the shape parameter {name!r}: give prior=Prior(bijection, names)")
    return table[name]


@eqx.filter_jit
def _bounded(loc: Float[Array, " D"], root: Float[Array, "D D"], names: tuple[str, ...]) -> AbstractBijection:
    # Compiled as one program: built step by step, some forty small ones would be.
    steps: list[AbstractBijection] = [_affine(loc, root)]
    shape = (len(names),)
    if "g1" in names:
        g1 = names.index("g1")
        steps.append(Indexed(Ellipticity(SHEAR_LIMIT), jnp.array([g1, g1 + 1]), shape))
    for name, bounds in BOUNDS.items():
        if name in names:
            steps.append(Indexed(Interval(*bounds), names.index(name), shape))
    return Chain(steps)


def _affine(loc, root):
    """Flowjax wants a positive diagonal; the signs of a Gaussian's axes are free."""
    # Unwrapped, the map is plain arrays: two priors are then the same program.
    return unwrap(TriangularAffine(loc, root * jnp.sign(jnp.diagonal(root))[None, :]))
