"""The objective near an optimum, about ten times cheaper than in pixels: what samplers evaluate.

The model's change from the optimum is seen through low wavenumbers, as in a fit's search. Of the chi2 of a change d,
``-2 <w r, d> + <w d, d>`` with the residual r at the optimum, the first term is exact for any mask and weight (the
product of w and r is taken in pixels), and of the second what even weights leave out is made up to second order by
the exact J^T J. That correction ends some standard deviations from the optimum: where a source's flux goes to nothing
the likelihood is flat, and a parabola that points down would let a sampler slide away for ever.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblend.forward.likelihood import Exposure, weighted_residual
from jaxblend.forward.render import Grid, render
from jaxblend.forward.scene import Sources
from jaxblend.infer.columns import exact_normal_equations, turned
from jaxblend.infer.low_modes import LowModes, low_normal_equations, weighted_modes
from jaxblend.infer.posterior import Blend, in_bands

__all__ = ["Surrogate"]

_MOST_TAKEN = 0.7  # of the curvature of any direction
_REACH = 4.0  # standard deviations, of the correction


class Surrogate(eqx.Module):
    """Minus the log posterior density of a blend in whitened coordinates z: ``u = centre + root z``.

    Value and slope are those of the objective at the centre, and its curvature but for the ``excess`` (0 mostly) by
    which it is too large in some direction. ``blend`` has no exposures; ``modes`` hold their images.
    ``slope`` and ``curvature`` are the correction's along ``axes`` of z.
    """

    blend: Blend
    modes: tuple[LowModes, ...]
    centre: Float[Array, "K D"]
    root: Float[Array, "KD KD"]
    constant: Float[Array, ""]
    axes: Float[Array, "KD KD"]
    slope: Float[Array, " KD"]
    curvature: Float[Array, " KD"]
    excess: Float[Array, ""]

    @classmethod
    def at(cls, centre: Float[Array, "K D"], root: Float[Array, "KD KD"], blend: Blend) -> Surrogate:
        """About an optimum, with the root of the Laplace covariance there."""
        sources = blend.sources(centre)
        modes = tuple(_about(in_bands(sources, bands), exposure) for exposure, bands in blend.with_bands())
        hessian, gradient, value = exact_normal_equations(centre, blend)
        low_hessian, low_gradient, low_value = low_normal_equations(centre, blend, modes)
        lacking, axes = jnp.linalg.eigh(root.T @ (hessian - low_hessian) @ root)
        # What is taken away must leave some of what is there, or nothing would hold a sampler near the centre.
        curvature = jnp.maximum(lacking, -_MOST_TAKEN)
        excess = jnp.maximum(-_MOST_TAKEN - lacking[0], 0.0)
        bare = eqx.tree_at(lambda b: b.exposures, blend, ())
        slope = axes.T @ (root.T @ (gradient - low_gradient))
        return cls(bare, modes, centre, root, value - low_value, axes, slope, curvature, excess)

    def u(self, z: Float[Array, " KD"]) -> Float[Array, "K D"]:
        """The prior's coordinates."""
        return self.centre + (self.root @ z).reshape(self.centre.shape)

    def __call__(self, z: Float[Array, " KD"]) -> Float[Array, ""]:
        """The objective, with the constant that ``objective`` has."""
        u = self.u(z)
        sources = self.blend.sources(u)
        y = self.axes.T @ z
        bounded = y * jax.lax.rsqrt(1 + (y / _REACH) ** 2)
        value = self.constant + self.slope @ bounded + 0.5 * self.curvature @ bounded**2 + 0.5 * jnp.sum(u**2)
        for mode, bands in zip(self.modes, map(np.array, self.blend.bands), strict=True):
            real, imag = _scene(in_bands(sources, bands), mode)
            value += 0.5 * jnp.sum((real - mode.data.real) ** 2) + 0.5 * jnp.sum((imag - mode.data.imag) ** 2)
        return value

    def low_curvature(self, z: Float[Array, " KD"]) -> Float[Array, "KD KD"]:
        """J^T J along z in the low wavenumbers: positive definite everywhere."""
        return self.root.T @ low_normal_equations(self.u(z), self.blend, self.modes)[0] @ self.root


def _about(sources: Sources, exposure: Exposure) -> LowModes:
    """Low wavenumbers whose data are the model's own, moved by what the pixels' residual pulls at it."""

    def misfit(added):
        moved = eqx.tree_at(lambda e: e.image, exposure, exposure.image - added)
        return 0.5 * jnp.sum(weighted_residual(sources, moved) ** 2)

    pull = -jax.grad(misfit)(jnp.zeros_like(exposure.image))
    model = render(sources, exposure.frame, exposure.transfer)
    # Weights where the light is: those of a bright galaxy hold its own noise.
    light = model**2 + 1e-6 * jnp.mean(model**2, (1, 2), keepdims=True) + jnp.finfo(model.dtype).tiny
    white = jnp.sum(exposure.root_weight**2 * light, (1, 2)) / jnp.sum(light, (1, 2))
    modes, root, share = weighted_modes(exposure, jnp.maximum(white, 1e-30), pull)
    own = jax.lax.complex(*_scene(sources, modes))
    return eqx.tree_at(lambda m: m.data, modes, own + modes.data * jnp.asarray(share, white.dtype) / root)


def _scene(sources: Sources, mode: LowModes):
    """Real and imaginary parts (C, M) of the weighted spectrum of all sources together."""
    parts = _spectra(sources, mode.grid)
    transfer = mode.transfer
    if transfer.ndim == 3:  # a PSF per source
        seen = (jax.lax.complex(*(jnp.einsum("kmc,kmp->kcp", sources.flux, part) for part in parts)) * transfer).sum(0)
        return seen.real, seen.imag
    real, imag = (jnp.einsum("kmc,kmp->cp", sources.flux, part) for part in parts)
    return real * transfer.real - imag * transfer.imag, real * transfer.imag + imag * transfer.real


def _spectra(sources: Sources, grid: Grid):
    """Real and imaginary parts (K, components, M) of unit fluxes; complex numbers would take half as long again."""

    def one(source):
        position, shape = (jnp.where(source.present, value, 0.0) for value in (source.position, source.shape))
        amplitudes = source.model.amplitudes(shape, grid.sky_x, grid.sky_y)[:, 0] * source.present
        turn = grid.phase(position)[0]
        return amplitudes, turn.real[None], turn.imag[None]

    # Else XLA computes amplitudes and phases again for each of the products.
    amplitudes, real, imag = jax.lax.optimization_barrier(jax.vmap(one)(sources))
    return turned(amplitudes, real, imag)
