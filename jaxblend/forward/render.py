"""The renderer: sources -> Fourier space -> times PSF and pixel -> one inverse FFT per band -> pixels."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxblend.forward.frame import Frame
from jaxblend.forward.scene import Sources

__all__ = ["Grid", "images", "images_and_power", "render", "source_spectrum", "to_pixels"]


class Grid(eqx.Module):
    """Wavenumbers on which sources are evaluated: in radians per pixel, and on the sky per arcsec."""

    pixel_x: Float[Array, "#a #b"]
    pixel_y: Float[Array, "#a #b"]
    sky_x: Float[Array, "a b"]
    sky_y: Float[Array, "a b"]
    to_pixel: Float[Array, "2 2"]
    offset: Float[Array, "2"]

    @classmethod
    def of(cls, frame: Frame, *, ky=None, kx=None) -> Grid:
        """The full Fourier grid of a frame, or the chosen wavenumbers ky (Ky, 1) and kx (1, Kx)."""
        if ky is None or kx is None:
            ky, kx = frame.pixel_wavenumbers()
        dtype = jnp.asarray(0.0, dtype=float).dtype
        ky, kx = jnp.asarray(ky, dtype), jnp.asarray(kx, dtype)
        inverse = jnp.asarray(frame.inverse_jacobian, dtype)
        sky_x = inverse[0, 0] * kx + inverse[1, 0] * ky
        sky_y = inverse[0, 1] * kx + inverse[1, 1] * ky
        return cls(kx, ky, sky_x, sky_y, inverse, jnp.asarray(frame.origin - frame.centre, dtype))

    def phase(self, position: Float[Array, "2"]) -> Complex[Array, "a b"]:
        """``exp(-i k.x)`` of a sky position, counted from the centre of the stamp; separable in x and y."""
        x, y = place = self.to_pixel @ position + self.offset
        if self.pixel_x.shape == self.pixel_y.shape:  # a list of wavenumbers: there is nothing to separate
            angle = jnp.tensordot(place, jnp.stack([self.pixel_x, self.pixel_y]), 1, precision="highest")
            return jax.lax.complex(jnp.cos(angle), -jnp.sin(angle))
        return jnp.exp(-1j * (self.pixel_y * y)) * jnp.exp(-1j * (self.pixel_x * x))


def centre_phase(frame: Frame) -> Complex[np.ndarray, "Ky Kx"]:
    """Phase that carries the origin of a transform to the centre of the stamp (from pixel (0, 0))."""
    ky, kx = frame.pixel_wavenumbers()
    return np.exp(-1j * ky * frame.centre[1]) * np.exp(-1j * kx * frame.centre[0])


def component_spectra(source: Sources, grid: Grid) -> Complex[Array, "components a b"]:
    """Spectrum of each component of one source (no leading axis) at unit flux, before the PSF."""
    # An empty slot may hold anything: were it evaluated, an overflow times zero flux would be NaN.
    position, shape = (jnp.where(source.present, value, 0.0) for value in (source.position, source.shape))
    return source.model.amplitudes(shape, grid.sky_x, grid.sky_y) * grid.phase(position)


def source_spectrum(source: Sources, grid: Grid) -> Complex[Array, "C a b"]:
    """Spectrum of one source (no leading axis) in every band, before the PSF."""
    flux, waves = jnp.where(source.present, source.flux, 0.0), component_spectra(source, grid)
    real, imag = (jnp.einsum("mc,mab->cab", flux, part, precision="highest") for part in (waves.real, waves.imag))
    return jax.lax.complex(real, imag)


def to_pixels(spectrum: Complex[Array, "*batch Ky Kx"], frame: Frame) -> Float[Array, "*batch H W"]:
    """Inverse real FFT, with wavenumbers beyond Nyquist folded back, cut to the stamp."""
    (ny, nx), f = frame.padded, frame.oversampling
    spectrum = spectrum * jnp.asarray(centre_phase(frame), spectrum.dtype)
    if f == 1:
        return jnp.fft.irfft2(spectrum, s=(ny, nx))[..., : frame.shape[0], : frame.shape[1]]
    folded = spectrum.reshape(*spectrum.shape[:-2], f, ny, spectrum.shape[-1]).sum(-3)
    rows = jnp.fft.ifft(folded, axis=-2)[..., : frame.shape[0], :]
    # Keeping every f-th sample of the finer row is the same as folding its spectrum.
    return f * jnp.fft.irfft(rows, n=f * nx, axis=-1)[..., ::f][..., : frame.shape[1]]


def render(sources: Sources, frame: Frame, transfer: Complex[Array, "*K C Ky Kx"]) -> Float[Array, "C H W"]:
    """Image of a scene.

    Parameters
    ----------
    sources
        K sources; every leaf has the leading axis K.
    frame
        The stamp.
    transfer
        PSF times pixel, ``psf.transfer(frame)``: (C, Ky, Kx), or (K, C, Ky, Kx) for one PSF per source.
    """
    grid = Grid.of(frame)
    if transfer.ndim == 4:
        spectra = jax.vmap(lambda s: source_spectrum(s, grid))(sources)
        return to_pixels((spectra * transfer).sum(0), frame)
    flux = jnp.where(sources.present[:, None, None], sources.flux, 0.0)
    waves = jax.vmap(lambda s: component_spectra(s, grid))(sources)
    # Two real products: the compiler then computes profiles and phases once, not anew for every band.
    real, imag = (jnp.einsum("kmc,kmab->cab", flux, part, precision="highest") for part in (waves.real, waves.imag))
    return to_pixels(jax.lax.complex(real, imag) * transfer, frame)


def images(sources: Sources, frame: Frame, transfer: Complex[Array, "*K C Ky Kx"]) -> Float[Array, "K C H W"]:
    """Image of each source on its own; arguments as for ``render``."""
    return images_and_power(sources, frame, transfer)[0]


def images_and_power(sources: Sources, frame: Frame, transfer: Complex[Array, "*K C Ky Kx"]):
    """Image of each source (K, C, H, W), and the sum of its squares (K, C) in and beyond the stamp (Parseval)."""
    grid = Grid.of(frame)
    spectra = jax.vmap(lambda s: source_spectrum(s, grid))(sources) * transfer
    half = np.where(np.isin(np.arange(spectra.shape[-1]), (0, spectra.shape[-1] - 1)), 1.0, 2.0)
    power = jnp.einsum("kcyx,x->kc", spectra.real**2 + spectra.imag**2, jnp.asarray(half, spectra.real.dtype))
    return to_pixels(spectra, frame), power / (frame.padded[0] * frame.padded[1])
