"""Columns of the Jacobian in Fourier space, and the normal equations made of them.

A source's parameters touch only its own term, and per band only these few of them: position, shape and the flux of
each component. Their columns are analytic in k (position), templates (flux) or a derivative of templates (shape);
the chain rule to ``u`` is a small matrix per source. Full-grid columns brought to pixels give the exact J^T J;
a coarse set of low wavenumbers and a white weight gives a metric that costs a tenth of it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxblend.forward.likelihood import Exposure
from jaxblend.forward.render import Grid, to_pixels
from jaxblend.forward.scene import Sources
from jaxblend.infer.posterior import Blend, in_bands, unpack

__all__ = ["exact_normal_equations", "metric"]

#: Highest wavenumber of the metric, as a fraction of the grid's reach.
_REACH = 0.75


def source_columns(source: Sources, grid: Grid) -> Complex[Array, "q C a b"]:
    """Derivatives of one source's spectrum by position (2), shape (n) and component flux (m), before the PSF."""

    def templates(shape):
        return source.model.amplitudes(shape, grid.sky_x, grid.sky_y)

    amplitudes = templates(source.shape)
    flux = jnp.where(source.present, source.flux, 0.0)
    phase = grid.phase(source.position)
    image = jnp.einsum("jc,jab->cab", flux, amplitudes)
    columns = [(image * (-1j * k * phase))[None] for k in (grid.sky_x, grid.sky_y)]
    if source.shape.shape[0]:
        slopes = jax.jacfwd(templates)(source.shape)
        columns.append(jnp.einsum("jc,jabn->ncab", flux, slopes) * phase)
    unit = jnp.where(source.present, 1.0, 0.0) * amplitudes * phase
    columns.append(jnp.broadcast_to(unit[:, None], (unit.shape[0], flux.shape[1], *unit.shape[1:])))
    return jnp.concatenate(columns)


def chain_rule(u: Float[Array, "K D"], blend: Blend) -> Float[Array, "C K q D"]:
    """d(position, shape, component flux in band c) / du of every source."""

    def natural(u):
        position, flux, shape = unpack(blend.prior.physical(u), blend.model, blend.n_bands)
        fixed = jnp.concatenate([position, shape])
        return jnp.concatenate([jnp.tile(fixed, (blend.n_bands, 1)), flux.T], axis=1)

    return jnp.moveaxis(jax.vmap(jax.jacfwd(natural))(u), 1, 0)


def exact_normal_equations(u: Float[Array, "K D"], blend: Blend):
    """J^T J (K D, K D) and the gradient (K D,) of the objective, from the whole Jacobian, one band at a time."""
    chain, sources = chain_rule(u, blend), blend.sources(u)
    size = u.size
    hessian, gradient = jnp.eye(size, dtype=u.dtype), u.reshape(-1)
    for exposure, bands in zip(blend.exposures, blend.band_slices(), strict=True):
        some, grid = in_bands(sources, bands), Grid.of(exposure.frame)

        def band(inputs, exposure=exposure, some=some, grid=grid):
            c, transfer, image, root_weight, rule = inputs
            one = in_bands(some, c[None])
            columns = jax.vmap(lambda s: source_columns(s, grid))(one)[:, :, 0]
            spectra = jnp.sum(columns[:, -one.flux.shape[1] :] * one.flux[..., None], axis=1)
            columns = columns * (transfer[:, None] if transfer.ndim == 3 else transfer)
            pixels = to_pixels(columns, exposure.frame) * root_weight
            model = to_pixels((spectra * transfer).sum(0), exposure.frame)
            residual = ((model - image) * root_weight).reshape(-1)
            flat = pixels.reshape(*pixels.shape[:2], -1)
            return _pull_back(jnp.einsum("kqp,lrp->kqlr", flat, flat), flat @ residual, rule)

        n = exposure.image.shape[0]
        transfers = jnp.moveaxis(exposure.transfer, -3, 0)
        parts = jax.lax.map(band, (jnp.arange(n), transfers, exposure.image, exposure.root_weight, chain[bands]))
        hessian, gradient = hessian + parts[0].sum(0), gradient + parts[1].sum(0)
    return hessian, gradient


def metric(u: Float[Array, "K D"], blend: Blend) -> Float[Array, "KD KD"]:
    """An approximation of J^T J from low wavenumbers, as if the weight of a band were the same in all its pixels."""
    chain, sources = chain_rule(u, blend), blend.sources(u)
    total = jnp.eye(u.size, dtype=u.dtype)
    for exposure, bands in zip(blend.exposures, blend.band_slices(), strict=True):
        grid, transfer, weight = _low_modes(exposure)
        columns = jax.vmap(lambda s, grid=grid: source_columns(s, grid))(in_bands(sources, bands))
        columns = columns * (transfer[:, None] if transfer.ndim == 4 else transfer) * weight
        flat = columns.reshape(*columns.shape[:3], -1)
        stacked = jnp.concatenate([flat.real, flat.imag], -1)
        gram = jnp.einsum("kqcm,lrcm->ckqlr", stacked, stacked)
        total = total + jax.vmap(lambda g, r: _pull_back(g, None, r)[0])(gram, chain[bands]).sum(0)
    return total


def _pull_back(gram, gradient, rule):
    """Normal equations in ``u`` from those in (position, shape, flux) of one band; ``rule`` is (K, q, D)."""
    size = rule.shape[0] * rule.shape[2]
    hessian = jnp.einsum("kqd,kqlr,lre->kdle", rule, gram, rule).reshape(size, size)
    return hessian, None if gradient is None else jnp.einsum("kqd,kq->kd", rule, gradient).reshape(size)


def _low_modes(exposure: Exposure):
    """Grid, transfer and root weight of the wavenumbers that the metric sums over."""
    frame = exposure.frame
    ky, kx = frame.pixel_wavenumbers()
    step_y, step_x = (max(1, n // s) for n, s in zip(frame.padded, frame.shape, strict=True))
    reach = _REACH * np.pi * frame.oversampling
    rows = np.flatnonzero(np.abs(ky[:, 0]) < reach)
    rows = rows[np.round(ky[rows, 0] / ky[1, 0]).astype(int) % step_y == 0]
    columns = np.flatnonzero(kx[0] < reach)[::step_x]
    half = np.where(columns == 0, 1.0, 2.0)  # the other half of the plane
    # Parseval: a sum over pixels is the mean over all wavenumbers; skipped ones are stood in for.
    share = step_y * step_x * half / (frame.padded[0] * frame.padded[1])
    used = exposure.root_weight > 0
    white = jnp.sum(exposure.root_weight**2, (1, 2)) / jnp.maximum(jnp.sum(used, (1, 2)), 1)
    weight = jnp.sqrt(white[:, None, None] * share)
    grid = Grid.of(frame, ky=ky[rows], kx=kx[:, columns])
    return grid, exposure.transfer[..., rows[:, None], columns[None, :]], weight
