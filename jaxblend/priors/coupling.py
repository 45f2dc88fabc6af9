"""What hangs together in a galaxy: a learned map of the independent numbers of a population to those that occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flowjax.bijections import AbstractBijection, Chain, Indexed, MaskedAutoregressive
from jaxtyping import Array, Float
from paramax import unwrap

from jaxblend.forward.galaxies import AbstractGalaxy, AbstractLatentGalaxy
from jaxblend.priors.bijections import DiskRadius, Rotation
from jaxblend.priors.wavelengths import band_wavelength

__all__ = ["OWN_NAMES", "Coordinates", "Coupling", "coordinates"]

# In the order of the flow: each depends on those before it. Latent numbers follow.
OWN_NAMES = ("magnitude", "log_radius", "g1", "g2", "share", "colour", "curvature")
_SHARED = OWN_NAMES[1:4]  # shape parameters of every model that has them


class Coordinates(NamedTuple):
    """Places of named coordinates in the vector ``u`` of a source, and what makes ``u`` of them.

    Attributes
    ----------
    where
        Index of each.
    to_population
        From principal components to the ``u`` of the population.
    to_model
        From a vector whose radius holds half of the light to that of the model's own radius.
    """

    where: dict[str, int]
    to_population: AbstractBijection
    to_model: tuple[AbstractBijection, ...]


class Coupling(eqx.Module):
    """A triangular flow on what describes a galaxy, in the units of the Gaussian population that it refines.

    Magnitude, colour and curvature are the first three principal components of the log fluxes in the bands at hand,
    share is the first of the logits of the old component's share of the light: so one coupling serves any set of bands.
    What a model or a set of bands lacks (colours of one band, the latent vector of a bulge and a disk) is held at its
    median.

    Attributes
    ----------
    flow
        From N(0, 1) to `OWN_NAMES` and the latent numbers, in units in which the population without it is N(0, 1).
    names : tuple of str
        Of the entries.
    identity : str
        Of its numbers: couplings of one identity are the same. Empty while they are being learned.
    galaxies : str
        `AbstractLatentGalaxy.identity` of the galaxies whose latent numbers are coupled: no others are.
    """

    flow: MaskedAutoregressive
    names: tuple[str, ...] = eqx.field(static=True)
    identity: str = eqx.field(static=True, default="")
    galaxies: str = eqx.field(static=True, default="")

    def __hash__(self) -> int:
        return hash(self.identity) if self.identity else object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Coupling) and bool(self.identity) and self.identity == other.identity

    def bijection(self, at: Coordinates, size: int) -> AbstractBijection:
        """Of the whole vector ``u`` (size,) of a source with these coordinates, before the population."""
        rows = tuple(row for row, name in enumerate(self.names) if name in at.where)
        index = jnp.array([at.where[self.names[row]] for row in rows])
        return Chain([Indexed(_Among(unwrap(self.flow), rows), index, (size,)), at.to_population])


class _Among(AbstractBijection):
    """Some rows of a triangular bijection, those left out being held at zero of its input."""

    flow: MaskedAutoregressive
    rows: tuple[int, ...] = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    cond_shape: ClassVar[None] = None

    def __init__(self, flow: MaskedAutoregressive, rows: tuple[int, ...]):
        self.flow, self.rows, self.shape = flow, rows, (len(rows),)

    def transform_and_log_det(self, x: Any, condition=None):
        """Rows of the flow; the determinant is that of its diagonal."""
        if len(self.rows) == self.flow.shape[0]:
            return self.flow.transform_and_log_det(x)
        slope = jax.jacfwd(self._rows)(x)
        return self._rows(x), jnp.sum(jnp.log(jnp.diagonal(slope)))

    def inverse_and_log_det(self, y: Any, condition=None):
        """Row by row: each is solved once those before it are known."""
        rows = np.array(self.rows)
        known = jnp.asarray(np.isin(np.arange(self.flow.shape[0]), rows))

        def solve(partial, row):
            (solved, _), _ = self.flow.inv_scan_fn((partial, row), None, None)
            return jnp.where(known[row], solved, partial.at[row].set(0.0)), None

        full, _ = jax.lax.scan(solve, jnp.zeros(self.flow.shape, y.dtype).at[rows].set(y), jnp.arange(len(known)))
        x = full[rows]
        return x, -self.transform_and_log_det(x)[1]

    def _rows(self, x: Float[Array, " R"]) -> Float[Array, " R"]:
        rows = np.array(self.rows)
        return self.flow.transform(jnp.zeros(self.flow.shape, x.dtype).at[rows].set(x))[rows]


def coordinates(
    model: AbstractGalaxy, bands: Sequence[str], covariances: Any, names: Sequence[str], galaxies: str
) -> Coordinates:
    """Coordinates of a model in some bands.

    Parameters
    ----------
    model, bands
        Of the prior.
    covariances
        Of the log fluxes (C, C), and of the logits of the first component's share (C, C).
    names
        Of the physical parameters (D,).
    galaxies
        Identity of those whose latent numbers are coupled.
    """
    names, size = list(names), len(names)
    flux, logits = (np.arange(start, start + len(bands)) for start in (2, size - len(bands)))
    where = {"magnitude": 2} | {name: names.index(name) for name in _SHARED if name in names}
    if isinstance(model, AbstractLatentGalaxy) and model.identity and model.identity == galaxies:
        where |= {name: names.index(name) for name in model.latent_names}
    waves = [wave for band in bands if (wave := band_wavelength(band)) is not None]
    # Colours of bands of unknown wavelength are not those that were learned, nor is that of two filters of one.
    known = len(waves) == len(bands)
    different = len(set(waves)) if known else 1
    where |= dict(zip(("colour", "curvature")[: different - 1], flux[1:].tolist(), strict=False))
    turned = {tuple(flux): _turn(covariances[0], waves if known else None)}
    to_model: tuple[AbstractBijection, ...] = ()
    if model.n_components == 2:
        where["share"] = int(logits[0])
        turned[tuple(logits)] = _turn(covariances[1], None)
        if "log_ratio" in names:
            index = [names.index("log_radius"), names.index("log_ratio"), *logits.tolist()]
            to_model = (Indexed(DiskRadius(len(index)), jnp.array(index), (size,)),)
    rotations = [Indexed(Rotation(jnp.asarray(turn, float)), jnp.array(at), (size,)) for at, turn in turned.items()]
    return Coordinates(where, Chain(rotations), to_model)


def _turn(covariance: np.ndarray, waves: Sequence[float] | None) -> np.ndarray:
    """Rotation (C, C) of whitened principal components to what a Cholesky factor carries to the same.

    The first is positive where all are large, the second where the red ones are, the third where the middle ones are.
    """
    values, vectors = np.linalg.eigh(covariance)
    vectors = vectors[:, ::-1]
    log_wave = np.arange(len(covariance)) if waves is None else np.log(waves)
    away = log_wave - np.mean(log_wave)
    shapes = (np.ones_like(away), away, np.mean(away**2) - away**2)
    for vector, shape in zip(vectors.T, shapes, strict=False):
        if vector @ shape < 0:
            vector *= -1
    return np.linalg.solve(np.linalg.cholesky(covariance), vectors * np.sqrt(values[::-1]))
