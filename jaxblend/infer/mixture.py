"""A mixture of Laplace approximations, one for each mode of a posterior, in the whitened coordinates of the first."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

__all__ = ["LaplaceMixture"]


class LaplaceMixture(eqx.Module):
    """Component m is the push-forward of x ~ N(0, 1) by ``z = place[m] + spread[m] x``.

    Its density at z is that of ``x = narrow[m] (z - place[m])``, times exp(``log_weight[m]``), which holds the
    determinant. One of no share stands in an empty place: mixtures of one size are one program.
    """

    place: Float[Any, "M n"]
    spread: Float[Any, "M n n"]
    narrow: Float[Any, "M n n"]
    log_weight: Float[Any, " M"]
    log_share: Float[Any, " M"]

    @classmethod
    def of(cls, u: Any, roots: Any, log_evidence: Any) -> LaplaceMixture:
        """From M modes (M, K, D), the roots (M, n, n) of their covariances, and their evidences. NumPy in float64."""
        share = np.asarray(log_evidence) - np.logaddexp.reduce(log_evidence)
        inverse = np.linalg.inv(roots[0])
        spread = inverse @ np.asarray(roots)
        place = np.stack([inverse @ (np.ravel(v) - np.ravel(u[0])) for v in u]).astype(float)
        narrow = np.linalg.inv(spread)
        return cls(place, spread, narrow, share + np.linalg.slogdet(narrow)[1], share)

    def draw_all(self, key, n: int) -> Float[Array, "n_draws n"]:
        """``n`` draws of z, each component in proportion to its share as closely as whole numbers allow."""
        which, inside = jax.random.split(key)
        places = (jnp.arange(n) + jax.random.uniform(which)) / n
        upto = jnp.cumsum(jnp.exp(self.log_share))
        return self._drawn(inside, jnp.searchsorted(upto / upto[-1], jnp.minimum(places, 1.0)))

    def one_of_each(self, key, n: int) -> Float[Array, "n_starts n"]:
        """``n`` draws of z, from the components that have a share in turn."""
        return self._drawn(key, jnp.arange(n) % jnp.sum(jnp.isfinite(self.log_share)))

    def _drawn(self, key, m: Int[Array, " n_draws"]) -> Float[Array, "n_draws n"]:
        """A z of each of the components m."""
        x = jax.random.normal(key, (len(m), self.place.shape[1]), self.place.dtype)
        return jnp.take(self.place, m, 0) + jnp.einsum("sij,sj->si", jnp.take(self.spread, m, 0), x)

    def potential(self, z: Float[Array, " n"]) -> Float[Array, ""]:
        """Minus the log density, without the constant ``n ln(2 pi) / 2``."""
        return -jax.nn.logsumexp(self._log_densities(z))

    def log_shares_at(self, z: Float[Array, " n"]) -> Float[Array, " M"]:
        """Logarithm of the share that each component has in the density at z."""
        return jax.nn.log_softmax(self._log_densities(z))

    def _log_densities(self, z):
        x = jnp.einsum("mij,mj->mi", self.narrow, z - self.place)
        return self.log_weight - 0.5 * jnp.sum(x**2, -1)
