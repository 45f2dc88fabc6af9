"""A galaxy model for each source: bulge and disk for most, something richer for those that need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from jaxblend.forward.galaxies import AbstractGalaxy, AbstractLatentGalaxy

__all__ = ["Mix", "latent_vectors", "source_axes"]


class Mix(AbstractGalaxy):
    """Sources each of which has one of several models.

    All have the parameters of every model and keep those that they do not use at their prior; parameters of one name
    are shared, latent vectors are not. Every model is evaluated for every source, so that scenes that mix the same
    models are one compiled program.

    Attributes
    ----------
    models
        The different ones, of equal numbers of components.
    which
        (K,) index of each source's model; a number where one source is looked at.
    """

    models: tuple[AbstractGalaxy, ...]
    which: Int[Any, "*K"]

    @classmethod
    def of(cls, models: Sequence[AbstractGalaxy], slots: int) -> AbstractGalaxy:
        """The model of K given ones, padded to some slots; itself if all are the same.

        Raises
        ------
        ValueError
            If their numbers of components differ.
        """
        kinds: list[AbstractGalaxy] = []
        for model in models:
            if not any(_alike(model, kind) for kind in kinds):
                kinds.append(model)
        if len({model.n_components for model in kinds}) > 1:
            found = ", ".join(f"{type(model).__name__} {model.n_components}" for model in kinds)
            raise ValueError(f"models of one blend must have the same number of components, got {found}")
        if len(kinds) == 1:
            return kinds[0]
        kinds.sort(key=lambda model: type(model).__name__)
        which = [next(i for i, kind in enumerate(kinds) if _alike(model, kind)) for model in models]
        return cls(tuple(kinds), np.pad(np.array(which, np.int32), (0, slots - len(which))))

    @property
    def n_components(self) -> int:
        """That of every model."""
        return self.models[0].n_components

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Those of all models, each once; of latent numbers each model has its own."""
        return tuple(dict.fromkeys(name for i in range(len(self.models)) for name in self._names(i)))

    @property
    def latents(self) -> list[tuple[tuple[str, ...], Any]]:
        """Of every model that has any: see `latent_vectors`."""
        return [
            (tuple(f"{name}_{i}" for name in model.latent_names), model.latent_bijection)
            for i, model in enumerate(self.models)
            if isinstance(model, AbstractLatentGalaxy)
        ]

    def without_prior(self) -> Mix:
        """With what only the prior needs left out of every model."""
        models = tuple(m.without_prior() if isinstance(m, AbstractLatentGalaxy) else m for m in self.models)
        return Mix(models, self.which)

    def amplitudes(self, shape, kx, ky):
        """Those of the source's own model."""
        found = [model.amplitudes(own, kx, ky) for model, own in self._each(shape)]
        dtype = jnp.result_type(*found)
        return self._own([waves.astype(dtype) for waves in found])

    def half_light_radius(self, shape, fractions):
        """By the source's own model."""
        return self._own([model.half_light_radius(own, fractions) for model, own in self._each(shape)])

    def shear(self, shape, fractions):
        """By the source's own model."""
        return self._own([model.shear(own, fractions) for model, own in self._each(shape)])

    def _names(self, i: int) -> tuple[str, ...]:
        model = self.models[i]
        latent = model.latent_names if isinstance(model, AbstractLatentGalaxy) else ()
        return tuple(f"{name}_{i}" if name in latent else name for name in model.shape_names)

    def _each(self, shape):
        """Every model with the parameters that it uses."""
        place = {name: i for i, name in enumerate(self.shape_names)}
        return [(m, shape[np.array([place[name] for name in self._names(i)], int)]) for i, m in enumerate(self.models)]

    def _own(self, values):
        total = values[0]
        for i, value in enumerate(values[1:], start=1):
            total = jnp.where(self.which == i, value, total)
        return total


def latent_vectors(model: AbstractGalaxy) -> list[tuple[tuple[str, ...], Any]]:
    """Names of the numbers of each latent vector, and what carries N(0, 1) to its distribution, or None."""
    if isinstance(model, Mix):
        return model.latents
    return [(model.latent_names, model.latent_bijection)] if isinstance(model, AbstractLatentGalaxy) else []


def source_axes(model: AbstractGalaxy) -> Any:
    """For `jax.vmap` over sources: what of a model each source has of its own, and what all share."""
    return eqx.tree_at(lambda mix: (mix.models, mix.which), model, (None, 0)) if isinstance(model, Mix) else None


def _alike(one: AbstractGalaxy, other: AbstractGalaxy) -> bool:
    return one is other or (type(one) is type(other) and bool(eqx.tree_equal(one, other)))
