"""A blend as a NumPyro model: named sites in physical units, for users to condition, extend and sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flowjax.bijections import Identity
from jaxtyping import Array, Float

from jaxblend.fitting.arguments import check_depth, check_kinds
from jaxblend.fitting.bands import Bands
from jaxblend.fitting.buckets import reference_band
from jaxblend.fitting.prepare import Item, prepare, zero_points_of
from jaxblend.fitting.result import Fit
from jaxblend.forward.galaxies import AbstractGalaxy, BulgeDisk
from jaxblend.forward.observation import Observation
from jaxblend.forward.render import render
from jaxblend.forward.scene import Sources
from jaxblend.infer.posterior import Blend, in_bands
from jaxblend.priors import Population, Prior
from jaxblend.priors.prior import parameter_names
from jaxblend.priors.sources import sources_of

try:
    import numpyro
    import numpyro.distributions as dist

    from jaxblend.sampling.correlated_normal import CorrelatedNormal
    from jaxblend.sampling.numpyro_sites import (
        checked_sites,
        flux_sites,
        latent_site,
        latent_sites,
        layout_of,
        of_event,
        shape_site,
        without_arrays,
    )
    from jaxblend.sampling.pushed import pushed
except ImportError as error:
    raise ImportError("numpyro_model needs NumPyro: pip install 'jaxblend[nuts]'") from error

__all__ = ["BlendModel", "numpyro_model"]


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
                    prior = of_event(name, prior(values), event)
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
        if exposure.coefficients is not None:
            return CorrelatedNormal(model, sigma, exposure.coefficients[..., :height, :width]), image
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
      (n, 2), and ``log_ratio``, ``shear_ratio``, ``sersic_index`` (n,) or ``latent`` (n, L) where the model has them;
    - ``logit_fraction`` (n, C): logit of the bulge's share of the flux in each band.

    Deterministic sites are ``flux`` (n, C); ``radius`` (n,), half-light in arcsec, ``shear`` (n, 2) and
    ``bulge_fraction`` (n,) of the whole galaxy in the reference band, all three 0 for a star; ``x`` and ``y`` (n,),
    pixels of the first observation. Observed are ``image`` (C, H, W), or ``image_0``, ``image_1`` ... of several
    observations; pixels of weight 0 do not count, where there is a gain the model adds its photon noise, and where
    there is a ``noise_correlation`` the noise, photons and all, is a ``CorrelatedNormal``.

    Parameters
    ----------
    observations, positions, model, stars, position_scatter
        As for ``fit``.
    prior
        Your own: one latent site ``vector`` (n, D), the physical vector, in place of those above.
    population
        Parameters of the default prior, without a coupling. Scalar arrays of JAX may stand for its numbers, but for the
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
    plain = without_arrays(population)
    check_kinds(group, model, prior, plain, position_scatter)
    if plain is not None and plain.coupling is not None:
        raise ValueError(
            "sites of a population with a coupling would not be independent: give prior=jb.population_prior(..., "
            "population=population) in its place"
        )
    if prior is not None and sites is not None:
        raise ValueError("give prior, or sites, which replaces parts of the default prior")
    bands = Bands.among(group)
    layout = layout_of(model, len(bands.names))
    names = parameter_names(model, bands.names)
    # This may be within a trace, whose program would else make the transfer functions anew at every step.
    with jax.ensure_compile_time_eval():
        item = prepare(group, positions, model=model, stars=stars, prior=prior or Prior(Identity((len(names),)), names))
        blend = eqx.tree_at(lambda b: b.prior, eqx.filter_jit(Item.blend)(item), None)
        zero_points = bands.first_of([zero_points_of(o) for o in group])
    n = int(item.present.sum())
    if prior is None:
        if population is None:
            check_depth(group)
        given = checked_sites(sites or {}, dict(layout), n)
        scatter = position_scatter or max(float(o.frame.pixel_scale) for o in group)
        flux = flux_sites(population or Population(), layout, bands.names, zero_points)
        known = flux | {site: latent_site(*vector) for site, vector in latent_sites(model).items()}
        own = {
            name: shape_site(population or Population(), name, flux)
            for name, _ in layout[2:]
            if name not in given | known
        }
        priors = {"offset": dist.Normal(jnp.zeros(2), scatter).to_event(1)} | known | own | given
    else:
        priors = {"vector": pushed(dist.Normal(jnp.zeros(prior.size), 1.0).to_event(1), prior.bijection)}
        layout = (("vector", (prior.size,)),)
    priors, gains = jax.tree.map(_as_array, (priors, tuple(o.gain for o in group)))
    return BlendModel(blend, priors, gains, layout, n, tuple(o.shape for o in group), reference_band(group))


def _as_array(leaf):
    return jnp.asarray(leaf, float) if isinstance(leaf, (float, np.floating, np.ndarray)) else leaf


def _noise(root_weight: Float[Array, "C H W"]) -> Float[Array, "C H W"]:
    """Of each pixel; where it is masked, the mean of its band, for images that are drawn."""
    used = root_weight > 0
    sigma = jnp.where(used, 1 / jnp.where(used, root_weight, 1.0), 0.0)
    mean = sigma.sum((1, 2), keepdims=True) / jnp.maximum(used.sum((1, 2), keepdims=True), 1)
    return jnp.where(used, sigma, jnp.where(mean > 0, mean, 1.0))
