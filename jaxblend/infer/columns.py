"""Columns of the Jacobian in Fourier space, and the normal equations made of them.

A source's parameters touch only its own term, and per band only these few of them: position, shape and the flux of
each component. Their columns are analytic in k (position), templates (flux) or a derivative of templates (shape);
the chain rule to ``u`` is a small matrix per source. Columns on the full grid, brought to pixels, give the exact J^T J.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

from jaxblend.forward.render import Grid, to_pixels
from jaxblend.forward.scene import Sources
from jaxblend.forward.whitening import whiten
from jaxblend.infer.posterior import Blend, in_bands
from jaxblend.priors.sources import unpack

__all__ = ["Templates", "accumulate", "chain_rule", "exact_normal_equations", "turned"]


class Templates(eqx.Module):
    """What the columns of one source are made of, whatever the band.

    ``basis`` holds the amplitude of each of m components and its slopes by each of n shape parameters. All of it is
    real for symmetric galaxies, so that columns cost half of complex products, and every band's columns are a small
    matrix times it.
    """

    basis: Inexact[Array, "b P"]
    phase: Complex[Array, " P"]
    wavenumbers: Float[Array, "q P"]
    n_components: int = eqx.field(static=True)

    @classmethod
    def of(cls, source: Sources, grid: Grid) -> Templates:
        """Templates of one source (no leading axis) on P wavenumbers, those of the grid row by row."""
        n_shape, n_components = source.shape.shape[0], source.model.n_components

        def amplitudes(shape):
            return source.model.amplitudes(shape, grid.sky_x, grid.sky_y).reshape(n_components, -1)

        def with_slope(direction):
            return jax.jvp(amplitudes, (source.shape,), (direction,))

        if n_shape:
            values, slopes = jax.vmap(with_slope, out_axes=(None, 0))(jnp.eye(n_shape, dtype=source.shape.dtype))
            basis = jnp.concatenate([values, slopes.reshape(n_shape * n_components, -1)])
        else:
            basis = amplitudes(source.shape)
        ones = jnp.ones((n_shape + n_components, *grid.sky_x.shape), grid.sky_x.dtype)
        wavenumbers = jnp.concatenate([grid.sky_x[None], grid.sky_y[None], ones]).reshape(len(ones) + 2, -1)
        phase = (grid.phase(source.position) * source.present).reshape(-1)
        return cls(basis, phase, wavenumbers, n_components)

    def columns(self, flux: Float[Array, " m"], transfer: Complex[Array, " P"]):
        """Real and imaginary parts (q, P) of the derivatives of the spectrum in one band.

        By position (2), shape (n) and component flux (m).
        """
        m, q = self.n_components, self.wavenumbers.shape[0]
        n = q - m - 2
        # Rows: the image twice, which moves along x and y; its slopes by shape; each component alone.
        image = jnp.concatenate([flux, jnp.zeros(n * m, flux.dtype)])
        by_shape = jnp.concatenate(
            [jnp.zeros((n, m), flux.dtype), jnp.kron(jnp.eye(n, dtype=flux.dtype), flux)], axis=1
        )
        mixing = jnp.concatenate([jnp.stack([image, image]), by_shape, jnp.eye(m, (n + 1) * m, dtype=flux.dtype)])
        amplitude = (mixing @ self.basis) * self.wavenumbers
        carrier = self.phase * transfer
        moves = (jnp.arange(q) < 2)[:, None]  # a shift multiplies a spectrum by -i k
        real, imag = jnp.where(moves, carrier.imag, carrier.real), jnp.where(moves, -carrier.real, carrier.imag)
        return turned(amplitude, real, imag)


def turned(amplitudes: Inexact[Array, "*a P"], real: Float[Array, "*b P"], imag: Float[Array, "*b P"]):
    """Real and imaginary parts of amplitudes times ``real + i imag``; of symmetric galaxies the former are real."""
    if jnp.iscomplexobj(amplitudes):
        product = amplitudes * jax.lax.complex(real, imag)
        return product.real, product.imag
    return amplitudes * real, amplitudes * imag


def chain_rule(u: Float[Array, "K D"], blend: Blend) -> Float[Array, "C K q D"]:
    """d(position, shape, component flux in band c) / du of every source."""

    def natural(u):
        position, flux, shape = unpack(blend.prior.physical(u), blend.model, blend.n_bands)
        fixed = jnp.concatenate([position, shape])
        return jnp.concatenate([jnp.tile(fixed, (blend.n_bands, 1)), flux.T], axis=1)

    return jnp.moveaxis(jax.vmap(jax.jacfwd(natural))(u), 1, 0)


def exact_normal_equations(u: Float[Array, "K D"], blend: Blend):
    """J^T J (K D, K D), gradient (K D,) and value of the objective, from the whole Jacobian, one band at a time."""
    chain, sources = chain_rule(u, blend), blend.sources(u)
    hessian, gradient, value = jnp.eye(u.size, dtype=u.dtype), u.reshape(-1), 0.5 * jnp.sum(u**2)
    for exposure, bands in blend.with_bands():
        grid, frame = Grid.of(exposure.frame), exposure.frame
        spectrum = grid.sky_x.shape

        def band(flux, columns, inputs, frame=frame, spectrum=spectrum):
            image, root_weight, coefficients = inputs
            pixels = to_pixels(jax.lax.complex(*columns).reshape(*columns[0].shape[:2], *spectrum), frame)
            model = jnp.einsum("km,kmyx->yx", flux, pixels[:, -flux.shape[1] :])
            residual = whiten((model - image) * root_weight, coefficients).reshape(-1)
            flat = whiten(pixels * root_weight, coefficients).reshape(-1, residual.size)
            return flat @ flat.T, flat @ residual, residual @ residual

        transfer = exposure.transfer.reshape(*exposure.transfer.shape[:-2], -1)
        inputs = exposure.image, exposure.root_weight, exposure.coefficients
        parts = accumulate(band, in_bands(sources, bands), grid, transfer, inputs, chain[bands])
        hessian, gradient, value = hessian + parts[0], gradient + parts[1], value + 0.5 * parts[2]
    return hessian, gradient, value


def accumulate(band, sources: Sources, grid: Grid, transfer: Complex[Array, "*K C P"], inputs, chain):
    """Normal equations in ``u`` summed over the bands of an exposure, and whatever else ``band`` returns, summed.

    ``band(flux, (real, imag), inputs)`` makes those in (position, shape, flux) of every source, (K q, K q) and (K q,),
    from its fluxes (K, m) and columns (K, q, P) in one band. Bands take turns: their columns need not fit in memory.
    """
    templates = jax.vmap(lambda s: Templates.of(s, grid))(sources)
    per_source = 0 if transfer.ndim == 3 else None

    def one(turn):
        flux, transfer, rule, inputs = turn
        columns = jax.vmap(Templates.columns, in_axes=(0, 0, per_source))(templates, flux, transfer)
        gram, slopes, *rest = band(flux, columns, inputs)
        return *pull_back(gram, slopes, rule), *rest

    turns = jnp.moveaxis(sources.flux, -1, 0), jnp.moveaxis(transfer, -2, 0), chain, inputs
    return jax.tree.map(lambda x: x.sum(0), jax.lax.map(one, turns))


def pull_back(gram, gradient, rule) -> tuple[Any, Any]:
    """Normal equations in ``u`` from those in (position, shape, flux) of one band; ``rule`` is (K, q, D)."""
    n_sources, q, size = rule.shape
    blocks = gram.reshape(n_sources, q, n_sources, q)
    hessian = jnp.einsum("kqd,kqlr,lre->kdle", rule, blocks, rule).reshape(n_sources * size, n_sources * size)
    return hessian, jnp.einsum("kqd,kq->kd", rule, gradient.reshape(n_sources, q)).reshape(-1)
