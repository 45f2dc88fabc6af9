"""What hangs together in a galaxy: a learned map of the independent numbers of a population to those that occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flowjax.bijections import AbstractBijection, Chain, Indexed, MaskedAutoregressive
from jaxtyping import Array, Float
from paramax import unwrap

from jaxblend.forward.galaxies import AbstractGalaxy, AbstractLatentGalaxy
from jaxblend.priors.bijections import Rotation
from jaxblend.priors.wavelengths import band_wavelength

__all__ = ["OWN_NAMES", "Coupling", "coordinates"]

# In the order of the flow: each depends on those before it. Latent numbers follow.
OWN_NAMES = ("magnitude", "log_radius", "g1", "g2", "share", "colour", "curvature")
_SHARED = OWN_NAMES[1:4]  # shape parameters of every model that has them


class Coupling(eqx.Module):
    """A triangular flow on what describes a galaxy, in the units of the Gaussian population that it refines.

    Magnitude, colour and curvature are the first three principal components of the fluxes in the bands at hand, share
    is that of the logits of the first component's share of the light: so one coupling serves any set of bands. What a
    model or a set of bands lacks (colours of one band, the latent vector of a bulge and a disk) is held at its median.

    Attributes
    ----------
    flow
        From N(0, 1) to `OWN_NAMES` and the latent numbers, in units in which the population without it is N(0, 1).
    names : tuple of str
        Of the entries.
    """

    flow: MaskedAutoregressive
    names: tuple[str, ...] = eqx.field(static=True)

    # One of a population, which is compared and kept by value: a coupling is that very one.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def bijection(self, model: AbstractGalaxy, bands: Sequence[str], covariances: Any, names: Sequence[str]):
        """Of the whole vector ``u`` (D,) of a source, whose physical parameters have these names.

        Parameters
        ----------
        model, bands
            Of the prior.
        covariances
            Of the log fluxes (C, C), and of the logits of the first component's share (C, C).
        names
            Of the physical parameters (D,).
        """
        where, rotations = coordinates(model, bands, covariances, names)
        rows = [row for row, name in enumerate(self.names) if name in where]
        index = jnp.array([where[self.names[row]] for row in rows])
        return Chain([Indexed(Among(unwrap(self.flow), tuple(rows)), index, (len(names),)), *rotations])


class Among(AbstractBijection):
    """Some rows of a triangular bijection, those left out being held at zero of its input."""

    flow: MaskedAutoregressive
    rows: tuple[int, ...] = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    cond_shape: ClassVar[None] = None

    def __init__(self, flow: MaskedAutoregressive, rows: tuple[int, ...]):
        self.flow, self.rows, self.shape = flow, rows, (len(rows),)

    def transform_and_log_det(self, x, condition=None):
        """Rows of the flow; the determinant is that of its diagonal."""
        if len(self.rows) == self.flow.shape[0]:
            return self.flow.transform_and_log_det(x)
        slope = jax.jacfwd(self._rows)(x)
        return self._rows(x), jnp.sum(jnp.log(jnp.diagonal(slope)))

    def transform(self, x, condition=None):
        """Without the determinant."""
        return self._rows(x)

    def inverse_and_log_det(self, y, condition=None):
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


def coordinates(model: AbstractGalaxy, bands: Sequence[str], covariances: Any, names: Sequence[str]):
    """Where each named coordinate is in ``u``; rotations of principal components to the ``u`` of a population."""
    names, size = list(names), len(names)
    flux, logits = (np.arange(start, start + len(bands)) for start in (2, size - len(bands)))
    where = {name: names.index(name) for name in _SHARED if name in names}
    if isinstance(model, AbstractLatentGalaxy):
        where |= {name: names.index(name) for name in model.latent_names}
    waves = [band_wavelength(band) for band in bands]
    known = [wave for wave in waves if wave is not None]
    where["magnitude"] = 2
    if len(known) == len(bands):  # colours of bands of unknown wavelength are not those that were learned
        where |= dict(zip(("colour", "curvature"), flux[1:].tolist(), strict=False))
    turned = {tuple(flux): _turn(covariances[0], waves if len(known) == len(bands) else None)}
    if model.n_components == 2:
        where["share"] = int(logits[0])
        turned[tuple(logits)] = _turn(covariances[1], None)
    rotations = [Indexed(Rotation(jnp.asarray(turn, float)), jnp.array(at), (size,)) for at, turn in turned.items()]
    return where, rotations


def _turn(covariance: np.ndarray, waves: Sequence[float] | None) -> np.ndarray:
    """Rotation (C, C) of whitened principal components to what a Cholesky factor carries to the same.

    The first is positive where all are large, the second where the red ones are, the third where the middle ones are.
    """
    values, vectors = np.linalg.eigh(covariance)
    vectors = vectors[:, ::-1]
    log_wave = np.arange(len(covariance)) if waves is None else np.log(waves)
    away = log_wave - np.mean(log_wave)
    # The first three polynomials of a few wavelengths; what comes after is as it is.
    for column, like in zip(
        range(len(covariance)), (np.ones_like(away), away, np.mean(away**2) - away**2), strict=False
    ):
        if vectors[:, column] @ like < 0:
            vectors[:, column] *= -1
    return np.linalg.solve(np.linalg.cholesky(covariance), vectors * np.sqrt(values[::-1]))
