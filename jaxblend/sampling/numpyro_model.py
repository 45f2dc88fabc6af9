"""A blend as a NumPyro model: named sites in physical units, for users to condition, extend and sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flowjax.bijections import AbstractBijection, Identity
from jax.tree_util import Partial
from jaxtyping import Array, Float

from jaxblend.fitting.arguments import check_depth, check_kinds
from jaxblend.fitting.bands import Bands
from jaxblend.fitting.batch import reference_band
from jaxblend.fitting.prepare import Item, _zero_point, prepare
from jaxblend.fitting.result import Fit
from jaxblend.forward.galaxies import AbstractGalaxy, BulgeDisk
from jaxblend.forward.observation import Observation
from jaxblend.forward.render import render
from jaxblend.forward.scene import Sources
from jaxblend.infer.posterior import Blend, in_bands
from jaxblend.priors import Population, Prior
from jaxblend.priors.bijections import Ellipticity, Interval
from jaxblend.priors.prior import _BOUNDS, _RADIUS_AT, _SHEAR_LIMIT, _shape_prior, parameter_names
from jaxblend.priors.sources import sources_of

try:
    import numpyro
    from numpyro import distributions as dist
    from numpyro.distributions import constraints
    from numpyro.distributions.transforms import Transform, biject_to
except ImportError as error:
    raise ImportError("numpyro_model needs NumPyro: pip install 'jaxblend[nuts]'") from error

__all__ = ["BlendModel", "numpyro_model"]

_TO_LOG = -np.log(10) / 2.5  # from magnitude to log flux


class BlendModel(eqx.Module):
    """A NumPyro model of one blend: call it without arguments where NumPyro wants a model.

    It is a pytree of arrays. As an argument of a compiled function it lets other blends of the same shapes use the same
    program; ``padded`` models stack, and ``jax.vmap`` runs over them. ``numpyro.handlers.uncondition(model)`` draws
    the images, too.

    Attributes
    ----------
    layout : tuple
        Name and shape for one source of each latent site, in the order in which they are drawn.
    n : int
        Size of the plate ``source``.
    """

    blend: Blend
    priors: dict[str, Any]
    gains: tuple[Float[Any, " C"] | None, ...]
    layout: tuple[tuple[str, tuple[int, ...]], ...] = eqx.field(static=True)
    n: int = eqx.field(static=True)
    shapes: tuple[tuple[int, int], ...] = eqx.field(static=True)
    reference: int = eqx.field(static=True)

    def __call__(self) -> None:
        """Draw the sources, report on them, and compare their image with the data."""
        # Accelerators else multiply matrices with ten bits.
        with jax.default_matmul_precision("highest"):
            sources = self._sources()
            for name, value in jax.vmap(self._quantities)(sources, self.blend.is_star).items():
                numpyro.deterministic(name, value[: self.n])
            x, y = self.blend.exposures[0].frame.sky_to_pixel(sources.position[: self.n]).T
            numpyro.deterministic("x", x)
            numpyro.deterministic("y", y)
            for i in range(len(self.shapes)):
                name = "image" if len(self.shapes) == 1 else f"image_{i}"
                numpyro.sample(name, *self._noisy_image(i, sources))

    def padded(self) -> BlendModel:
        """The model of all slots of the padded blend, so that blends of one or two sources fewer have equal shapes.

        Slots beyond the sources are in no image. They keep their prior: without it they would wander off for ever,
        and nothing would be left to end a trajectory of NUTS. Leave their values out.
        """
        shapes = tuple(exposure.frame.shape for exposure in self.blend.exposures)
        return dataclasses.replace(self, n=len(self.blend.present), shapes=shapes)

    def values_at(self, fit: Fit) -> dict[str, Float[Array, "n ..."]]:
        """The latent sites at a fit of the same blend, such as to begin at: ``init_to_value(values=...)``.

        Raises
        ------
        ValueError
            If it is a fit of another number of sources, or of another galaxy model.
        """
        if fit.item is None:
            raise ValueError("this fit let its images go, and its prior with them: fit with keep_observations=True")
        vectors = jax.vmap(fit.item.prior.physical)(jnp.asarray(fit.result.u))
        size = sum(int(np.prod(event)) for _, event in self.layout)
        if fit.n != (n := int(self.blend.present.sum())) or vectors.shape[1] != size:
            raise ValueError(
                f"the fit has {fit.n} sources of {vectors.shape[1]} parameters, the model {n} of {size}: fit the same "
                "observations and positions with the same galaxy model"
            )
        return self.split(vectors[: self.n])

    def split(self, vectors: Float[Array, "n D"]) -> dict[str, Float[Array, "n ..."]]:
        """The latent sites of the physical vectors of a ``Prior``."""
        ends = np.cumsum([int(np.prod(event)) for _, event in self.layout])
        parts = jnp.split(vectors, ends[:-1], axis=-1)
        return {
            name: part.reshape(len(vectors), *event) for (name, event), part in zip(self.layout, parts, strict=True)
        }

    def _sources(self) -> Sources:
        values: dict[str, Any] = {}
        with numpyro.plate("source", self.n):
            for name, event in self.layout:
                prior = self.priors[name]
                if not isinstance(prior, dist.Distribution):
                    prior = _of_event(name, prior(values), event)
                values[name] = numpyro.sample(name, prior)
        columns = [jnp.reshape(values[name], (self.n, -1)) for name, _ in self.layout]
        b = self.blend
        vectors = jnp.pad(jnp.concatenate(columns, -1), ((0, len(b.present) - self.n), (0, 0)))
        return sources_of(vectors, b.seeds, b.present, b.is_star, model=b.model, n_bands=b.n_bands)

    def _noisy_image(self, i: int, sources: Sources) -> tuple[dist.Distribution, Float[Array, "C H W"]]:
        """The distribution of an image, and its data."""
        exposure, bands = self.blend.with_bands()[i]
        height, width = self.shapes[i]
        drawn = render(in_bands(sources, bands), exposure.frame, exposure.transfer)
        model, image, root = (a[:, :height, :width] for a in (drawn, exposure.image, exposure.root_weight))
        sigma, gain = _noise(root), self.gains[i]
        if gain is not None:
            sigma = jnp.sqrt(sigma**2 + jnp.maximum(model, 0.0) / gain[:, None, None])
        return dist.Normal(model, sigma).mask(root > 0).to_event(3), image

    def _quantities(self, source: Sources, is_star) -> dict[str, Array]:
        total = source.flux.sum(0)
        fractions = source.flux[:, self.reference] / total[self.reference]
        found = {
            "flux": total,
            "radius": source.model.half_light_radius(source.shape, fractions),
            "shear": source.model.shear(source.shape, fractions),
        }
        if len(fractions) > 1:
            found["bulge_fraction"] = jnp.where(is_star, 0.0, fractions[0])
        return found


def numpyro_model(
    observations: Observation | Sequence[Observation],
    positions,
    *,
    model: AbstractGalaxy | None = None,
    stars=None,
    prior: Prior | None = None,
    population: Population | None = None,
    position_scatter: float | None = None,
    sites: Mapping[str, Any] | None = None,
) -> BlendModel:
    """The NumPyro model of one blend.

    In the plate ``source`` of the n sources it has these latent sites, whose joint density is that of
    ``population_prior``:

    - ``offset`` (n, 2): arcsec from the given position;
    - ``log_flux`` (n, C): natural logarithm, in the unit of the first exposure of each band, so that it needs no zero
      point;
    - the galaxy model's shape parameters: ``log_radius`` (n,) of arcsec, which depends on the first band's flux; ``g``
      (n, 2), and ``log_ratio``, ``shear_ratio``, ``sersic_index`` (n,) where the model has them;
    - ``logit_fraction`` (n, C): logit of the bulge's share of the flux in each band.

    Deterministic sites are ``flux`` (n, C); ``radius`` (n,), half-light in arcsec, ``shear`` (n, 2) and
    ``bulge_fraction`` (n,) of the whole galaxy in the reference band, all three 0 for a star; ``x`` and ``y`` (n,),
    pixels of the first observation. Observed are ``image`` (C, H, W), or ``image_0``, ``image_1`` ... of several
    observations; pixels of weight 0 do not count, and where there is a gain the model adds its photon noise.

    Parameters
    ----------
    observations, positions, model, stars, position_scatter
        As for ``fit``.
    prior
        Your own: one latent site ``vector`` (n, D), the physical vector, in place of those above.
    population
        Parameters of the default prior. Scalar arrays of JAX may stand for its numbers, but for the
        scatters of colours, and may be traced: parameters that are themselves drawn make the model hierarchical.
    sites
        Distributions in place of those of the default prior, by name of the site: of one source, or with batch shape
        (n,). Or functions that return one and take the dictionary of the values of the sites before it, each with
        the axis n in front.

    Raises
    ------
    ValueError
        As ``fit``; or if a site is not there, or its distribution has another shape.

    Examples
    --------
    >>> model = jb.numpyro_model(obs, positions)  # doctest: +SKIP
    >>> start = init_to_value(values=model.values_at(jb.fit(obs, positions)))  # doctest: +SKIP
    >>> MCMC(NUTS(model, init_strategy=start), num_warmup=300, num_samples=500)  # doctest: +SKIP
    """
    group = (observations,) if isinstance(observations, Observation) else tuple(observations)
    if not group or not all(isinstance(o, Observation) for o in group):
        raise ValueError(f"observations must be an Observation or a list of them, got {type(observations).__name__}")
    model = BulgeDisk() if model is None else model
    plain = _without_arrays(population)
    check_kinds(group, model, prior, plain, position_scatter)
    if any(o.noise_correlation is not None for o in group):
        raise ValueError("numpyro_model takes observations of white noise: leave noise_correlation out, or use fit")
    if prior is not None and sites is not None:
        raise ValueError("give prior, or sites, which replaces parts of the default prior")
    bands = Bands.among(group)
    layout = _layout(model, len(bands.names))
    names = parameter_names(model, bands.names)
    # This may be within a trace, whose program would else make the transfer functions anew at every step.
    with jax.ensure_compile_time_eval():
        item = prepare(group, positions, model=model, stars=stars, prior=prior or Prior(Identity((len(names),)), names))
        blend = eqx.tree_at(lambda b: b.prior, eqx.filter_jit(Item.blend)(item), None)
        zero_points = bands.first_of([_zero_point(o) for o in group])
    n = int(item.present.sum())
    if prior is None:
        if population is None:
            check_depth(group)
        given = _checked_sites(sites or {}, dict(layout), n)
        scatter = position_scatter or max(float(o.frame.pixel_scale) for o in group)
        flux = _flux_sites(population or Population(), layout, bands.names, zero_points)
        own = {
            name: _shape_site(population or Population(), name, flux)
            for name, _ in layout[2:]
            if name not in given | flux
        }
        priors = {"offset": dist.Normal(jnp.zeros(2), scatter).to_event(1)} | flux | own | given
    else:
        priors = {"vector": _pushed(dist.Normal(jnp.zeros(prior.size), 1.0).to_event(1), prior.bijection)}
        layout = (("vector", (prior.size,)),)
    priors, gains = jax.tree.map(_as_array, (priors, tuple(o.gain for o in group)))
    return BlendModel(blend, priors, gains, layout, n, tuple(o.shape for o in group), reference_band(group))


def _layout(model: AbstractGalaxy, n_bands: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Sites in the order of the physical vector."""
    shape = [("g", (2,)) if name == "g1" else (name, ()) for name in model.shape_names if name != "g2"]
    several = model.n_components > 2
    logits = [(f"logit_fraction{j if several else ''}", (n_bands,)) for j in range(model.n_components - 1)]
    return (("offset", (2,)), ("log_flux", (n_bands,)), *shape, *logits)


def _flux_sites(p: Population, layout, bands: Sequence[str], zero_points) -> dict[str, Any]:
    """The sites with bands, as in ``population_prior``, but for populations of arrays of JAX, too."""
    n = len(bands)
    colours = dataclasses.replace(_without_arrays(p), magnitude_scatter=0.0).magnitude_covariance(bands)
    magnitudes = _root(p.magnitude_scatter**2 * np.ones((n, n)) + colours)
    log_flux = _TO_LOG * (p.magnitude + p.mean_colours(bands) - zero_points)
    logits = _root(p.bulge_logit_scatter**2 * np.ones((n, n)) + p.bulge_colour_scatter**2 * np.eye(n))
    fractions = dist.MultivariateNormal(jnp.full(n, p.bulge_logit, float), scale_tril=logits)
    sites = {name: fractions for name, _ in layout if name.startswith("logit_fraction")}
    return sites | {"log_flux": dist.MultivariateNormal(jnp.asarray(log_flux, float), scale_tril=-_TO_LOG * magnitudes)}


def _shape_site(p: Population, name: str, flux: dict[str, Any]) -> dist.Distribution | _RadiusOfFlux:
    """The site of a shape parameter, or of both components of g."""
    if name == "g":
        normal = dist.Normal(jnp.zeros(2), jnp.asarray(p.ellipticity_scatter, float)).to_event(1)
        return _pushed(normal, Ellipticity(_SHEAR_LIMIT))
    _shape_prior(_without_arrays(p), name)  # has a message where there is none
    field = f"{name}_logit" if name in _BOUNDS else name
    loc, scale = (jnp.asarray(getattr(p, each), float) for each in (field, f"{field}_scatter"))
    if name == "log_radius":
        loc = loc + p.log_radius_slope * (p.magnitude - _RADIUS_AT)
        return _RadiusOfFlux(loc, scale, jnp.asarray(p.log_radius_slope / _TO_LOG, float), flux["log_flux"].loc[0])
    normal = dist.Normal(loc, scale)
    return _pushed(normal, Interval(*_BOUNDS[name])) if name in _BOUNDS else normal


class _RadiusOfFlux(eqx.Module):
    """The log radius given the first band's log flux."""

    loc: Float[Any, ""]
    scale: Float[Any, ""]
    slope: Float[Any, ""]
    at: Float[Any, ""]

    def __call__(self, values: Mapping[str, Any]) -> dist.Distribution:
        return dist.Normal(self.loc + self.slope * (values["log_flux"][..., 0] - self.at), self.scale)


def _root(covariance):
    """Cholesky factor; in double precision where it holds plain numbers, as that of the prior of ``fit``."""
    linalg = np.linalg if isinstance(covariance, np.ndarray) else jnp.linalg
    return jnp.asarray(linalg.cholesky(covariance), float)


class _Push(Transform):
    """A bijection of flowjax, whose range, which may be bounded, is the support."""

    def __init__(self, bijection: AbstractBijection):
        # Numbers that are no arrays would not stack.
        self.arrays, self.static = eqx.partition(bijection, eqx.is_array)

    domain = property(lambda self: constraints.real if self._dim == 0 else constraints.real_vector)
    codomain = property(lambda self: _Range(self))
    _dim = property(lambda self: len(self.static.shape))

    def __call__(self, x):
        return self.call_with_intermediates(x)[0]

    def call_with_intermediates(self, x):
        return self._vectorized("transform_and_log_det")(x)

    def _inverse(self, y):
        return self._vectorized("inverse_and_log_det")(y)[0]

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        return self.call_with_intermediates(x)[1] if intermediates is None else intermediates

    def _vectorized(self, method: str) -> Callable:
        function = getattr(eqx.combine(self.arrays, self.static), method)
        return jnp.vectorize(function, signature=("()->(),()", "(n)->(n),()")[self._dim])

    def tree_flatten(self):
        return (self.arrays,), (("arrays",), {"static": self.static})


class _Range(constraints.Constraint):
    """Where the inverse of a bijection is finite."""

    def __init__(self, push: _Push):
        self.push, self.event_dim = push, push._dim

    def __call__(self, x):
        finite = jnp.isfinite(self.push._inverse(x))
        return finite.all(-1) if self.event_dim else finite

    def feasible_like(self, prototype):
        return self.push(jnp.zeros_like(prototype))

    def tree_flatten(self):
        return (self.push,), (("push",), {"event_dim": self.event_dim})


@biject_to.register(_Range)
def _push_of(constraint: _Range) -> _Push:
    return constraint.push


def _pushed(normal, bijection: AbstractBijection) -> dist.TransformedDistribution:
    return dist.TransformedDistribution(normal, _Push(bijection))


def _without_arrays(population):
    """With the defaults in place of arrays of JAX, which may be traced, so that no check can look into them."""
    if not isinstance(population, Population):
        return population
    values = {f.name: getattr(population, f.name) for f in dataclasses.fields(population)}
    arrays = {name: value for name, value in values.items() if isinstance(value, jax.Array)}
    for name in {"colour_scatter", "unknown_colour_scatter"} & set(arrays):
        raise ValueError(f"population.{name} must be a plain number, got an array of JAX")
    for name, value in arrays.items():
        if value.shape != ():
            raise ValueError(f"population.{name} must be one number, got an array of shape {value.shape}")
    return dataclasses.replace(population, **{name: getattr(Population, name) for name in arrays})


def _checked_sites(sites, events: dict[str, tuple[int, ...]], n: int) -> dict[str, Any]:
    if not isinstance(sites, Mapping):
        raise ValueError(f"sites must be a dictionary of names and distributions, got {type(sites).__name__}")
    if unknown := [name for name in sites if name not in events]:
        raise ValueError(f"sites {unknown} are not in this model, whose sites are {list(events)}")
    return {name: _checked_site(name, prior, events[name], n) for name, prior in sites.items()}


def _checked_site(name, prior, event, n):
    if isinstance(prior, type) or not callable(prior):  # a distribution of NumPyro is callable, too
        raise ValueError(
            f"sites[{name!r}] must be a distribution of NumPyro or a function that makes one, got {prior!r}"
        )
    if not isinstance(prior, dist.Distribution):
        # As a static part of the pytree a function needs no array; a module is a pytree already.
        return prior if isinstance(prior, eqx.Module) else Partial(prior)
    prior = _of_event(name, prior, event)
    if prior.batch_shape not in ((), (1,), (n,)):
        raise ValueError(f"sites[{name!r}] has batch shape {prior.batch_shape}: give () or ({n},), one per source")
    return prior


def _of_event(name: str, prior, event: tuple[int, ...]) -> dist.Distribution:
    """With the event shape of the site: independent entries come as batch axes, one number serves all."""
    missing = len(event) - prior.event_dim
    try:
        if missing > 0:
            prior = prior.expand(np.broadcast_shapes(prior.batch_shape, event)).to_event(missing)
    except ValueError:
        missing = -1
    if missing < 0 or prior.event_shape != event:
        raise ValueError(
            f"sites[{name!r}] has batch shape {prior.batch_shape} and event shape {prior.event_shape}: one source has "
            f"{event or 'one number'}"
        )
    return prior


def _as_array(leaf):
    return jnp.asarray(leaf, float) if isinstance(leaf, (float, np.floating, np.ndarray)) else leaf


def _noise(root_weight: Float[Array, "C H W"]) -> Float[Array, "C H W"]:
    """Of each pixel; where it is masked, the mean of its band, for images that are drawn."""
    used = root_weight > 0
    sigma = jnp.where(used, 1 / jnp.where(used, root_weight, 1.0), 0.0)
    mean = sigma.sum((1, 2), keepdims=True) / jnp.maximum(used.sum((1, 2), keepdims=True), 1)
    return jnp.where(used, sigma, jnp.where(mean > 0, mean, 1.0))
