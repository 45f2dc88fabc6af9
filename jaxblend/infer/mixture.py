"""A mixture of Laplace approximations, one for each mode of a posterior, in the whitened coordinates of the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblend.infer import laplace

__all__ = ["LaplaceMixture"]


class LaplaceMixture(eqx.Module):
    """Component m is the push-forward of x ~ N(0, 1) by ``z = place[m] + spread[m] x``.

    Its density at z is that of ``x = narrow[m] (z - place[m])``, times exp(``log_weight[m]``), which holds the
    determinant.
    """

    place: Float[Any, "M n"]
    spread: Float[Any, "M n n"]
    narrow: Float[Any, "M n n"]
    log_weight: Float[Any, " M"]
    log_share: Float[Any, " M"]

    @classmethod
    def of(cls, u: Sequence[Any], objective: Sequence[Any], hessian: Sequence[Any]) -> LaplaceMixture:
        """From modes (each (K, D)), their objectives and curvatures; weighted by evidence. NumPy in float64."""
        roots = [laplace.root(np.asarray(h)) for h in hessian]
        pairs = zip(objective, hessian, strict=True)
        evidence = np.array([laplace.log_evidence(float(f), np.asarray(h)) for f, h in pairs])
        share = evidence - np.logaddexp.reduce(evidence)
        inverse = np.linalg.inv(roots[0])
        spread = np.stack([inverse @ root for root in roots])
        place = np.stack([inverse @ (np.ravel(v) - np.ravel(u[0])) for v in u]).astype(float)
        narrow = np.linalg.inv(spread)
        return cls(place, spread, narrow, share + np.linalg.slogdet(narrow)[1], share)

    def draw(self, key) -> Float[Array, " n"]:
        """One z."""
        which, inside = jax.random.split(key)
        m = jax.random.categorical(which, self.log_share)
        return self.place[m] + self.spread[m] @ jax.random.normal(inside, self.place.shape[1:], self.place.dtype)

    def potential(self, z: Float[Array, " n"]) -> Float[Array, ""]:
        """Minus the log density, without the constant ``n ln(2 pi) / 2``."""
        x = jnp.einsum("mij,mj->mi", self.narrow, z - self.place)
        return -jax.nn.logsumexp(self.log_weight - 0.5 * jnp.sum(x**2, -1))
