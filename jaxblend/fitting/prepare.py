"""From observations and positions to padded arrays whose shapes repeat, so that few programs are compiled."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from jaxblend.fitting.arguments import (
    check_depth,
    check_kinds,
    check_within,
    checked_models,
    checked_stars,
    median_weight,
)
from jaxblend.fitting.bands import Bands
from jaxblend.forward import checks
from jaxblend.forward.folding import choose_oversampling
from jaxblend.forward.frame import Frame
from jaxblend.forward.galaxies import AbstractGalaxy, AbstractLatentGalaxy
from jaxblend.forward.likelihood import Exposure
from jaxblend.forward.mix import Mix
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AbstractPSF
from jaxblend.forward.sampled_psf import ImagePSF
from jaxblend.forward.wcs import local_frame
from jaxblend.forward.whitening import Whitening
from jaxblend.infer.posterior import Blend
from jaxblend.priors import Population, Prior, population_prior

__all__ = ["Item", "default_prior", "prepare", "seeds_on_sky", "zero_points_of"]

_SLOTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_STAMP_STEP = 16
_LOST = 1e-4  # of a star's peak, beyond the Fourier grid: far below the noise of any source that is fitted


class Item(eqx.Module):
    """One blend, padded; every leaf is an array, so items of one shape stack."""

    images: tuple[Float[Any, "C H W"], ...]
    root_weights: tuple[Float[Any, "C H W"], ...]
    psfs: tuple[AbstractPSF, ...]
    frames: tuple[Frame, ...]
    seeds: Float[Any, "K 2"]
    present: Bool[Any, " K"]
    is_star: Bool[Any, " K"]
    prior: Prior
    model: AbstractGalaxy
    scales: tuple[Float[Any, " C"], ...]
    whitenings: tuple[Whitening | None, ...]
    gains: tuple[Float[Any, " C"] | None, ...]
    bands: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def blend(self) -> Blend:
        """With the transfer functions, which are larger than the PSFs and made on the device."""
        exposures = tuple(
            Exposure.through(psf, image, root_weight, frame, scale, whitening)
            for image, root_weight, psf, frame, scale, whitening in zip(
                self.images, self.root_weights, self.psfs, self.frames, self.scales, self.whitenings, strict=True
            )
        )
        return Blend(exposures, self.seeds, self.present, self.is_star, self.prior, self.model, self.bands)


def seeds_on_sky(observations: Sequence[Observation], positions: np.ndarray):
    """Seeds (n, 2) in tangent-plane arcsec and the frame of each observation about one tangent point.

    One observation takes pixels (x, y). Several take (ra, dec) in degrees if all have a WCS, else arcsec from the
    middle of each image.
    """
    if len(observations) == 1:
        frame = observations[0].frame.about_centre()
        return frame.pixel_to_sky(positions), [frame]
    if all(o.wcs is not None for o in observations):
        turn = (positions[:, 0] - positions[0, 0] + 180) % 360 - 180  # right ascension may pass through 0
        centre = np.array([(positions[0, 0] + turn.mean()) % 360, positions[:, 1].mean()])
        frames = [_about(o, centre) for o in observations]
        first = observations[0]
        pixels = np.stack(first.wcs.world_to_pixel_values(*positions.T), -1)
        return frames[0].pixel_to_sky(pixels), frames
    if any(o.wcs is not None for o in observations):
        raise ValueError("some observations have a WCS and some do not: give all of them one, or none")
    return positions, [o.frame for o in observations]


def _about(observation, centre):
    frame = observation.frame
    padding = frame.padded[0] / frame.shape[0]
    return local_frame(observation.wcs, frame.shape, centre=centre, padding=padding, oversampling=frame.oversampling)


def prepare(
    observations: Sequence[Observation],
    positions,
    *,
    model: AbstractGalaxy | Sequence[AbstractGalaxy],
    stars=None,
    prior: Prior | None = None,
    population: Population | None = None,
    position_scatter: float | None = None,
) -> Item:
    """Check the arguments and pad a blend to the next ladder of stamp sizes and source slots."""
    check_kinds(observations, model, prior, population, position_scatter, several=True)
    bands = Bands.among(observations)
    array = checks.positions(positions)
    seeds, frames = seeds_on_sky(observations, array)
    is_star = checked_stars(stars, len(array))
    slots = _ladder(len(array))
    if not isinstance(model, AbstractGalaxy):
        model = Mix.of(checked_models(model, len(array)), slots)
    if prior is None:
        prior = default_prior(observations, model, population=population, position_scatter=position_scatter)
    elif prior.size != (size := 2 + len(bands.names) * model.n_components + len(model.shape_names)):
        raise ValueError(
            f"prior has {prior.size} parameters a source; this model in {len(bands.names)} bands needs {size}"
        )
    padding = (0, slots - len(array))
    psfs = tuple(_slots_of_psf(o.psf, len(array), slots) for o in observations)
    padded = [_pad(o, f) for o, f in zip(observations, frames, strict=True)]
    check_within(seeds, [p[2] for p in padded], observations)
    item = Item(
        images=tuple(p[0] for p in padded),
        root_weights=tuple(p[1] for p in padded),
        psfs=psfs,
        frames=tuple(p[2] for p in padded),
        seeds=np.pad(seeds, (padding, (0, 0))),
        present=np.arange(slots) < len(array),
        is_star=np.pad(is_star, padding),
        prior=prior,
        model=model.without_prior() if isinstance(model, (AbstractLatentGalaxy, Mix)) else model,
        scales=bands.scales,
        whitenings=tuple(
            Whitening.of(o.noise_correlation, p[1] > 0) for o, p in zip(observations, padded, strict=True)
        ),
        gains=tuple(o.gain for o in observations),
        bands=bands.of,
    )
    dtype = jnp.asarray(0.0, dtype=float).dtype
    return jax.tree.map(lambda x: np.asarray(x, dtype) if _is_real(x) else x, item)


def default_prior(
    observations: Sequence[Observation],
    model: AbstractGalaxy,
    *,
    population: Population | None = None,
    position_scatter: float | None = None,
) -> Prior:
    """The prior of ``fit``; without zero points it depends on the depth of the images."""
    if population is None:
        check_depth(observations)
    scatter = position_scatter or max(float(o.frame.pixel_scale) for o in observations)
    bands = Bands.among(observations)
    zero_points = tuple(bands.first_of([zero_points_of(o) for o in observations]).tolist())
    return _cached_prior(_Key(model), bands.names, zero_points, float(scatter), population)


@functools.lru_cache(maxsize=64)
def _cached_prior(key: _Key, bands, zero_points, scatter, population) -> Prior:
    """The blends of a batch mostly share one, and to build it takes longer than the rest of ``prepare``."""
    return population_prior(key.model, bands, zero_point=zero_points, position_scatter=scatter, population=population)


class _Key:
    """A galaxy model in a cache: by value if it has no arrays, else by identity; of a mix, which models there are."""

    def __init__(self, model: AbstractGalaxy):
        models = model.models if isinstance(model, Mix) else (model,)
        self.model, self._models = model, models
        self._parts = tuple(id(m) if jax.tree.leaves(m) else m for m in models)

    def __hash__(self) -> int:
        return hash(self._parts)

    def __eq__(self, other) -> bool:
        return isinstance(other, _Key) and self._parts == other._parts


def _is_real(leaf) -> bool:
    return isinstance(leaf, (np.ndarray, jax.Array)) and np.issubdtype(leaf.dtype, np.floating)


def _ladder(n):
    return next((s for s in _SLOTS if s >= n), -(-n // 16) * 16)


def _pad(observation, frame):
    """Image and root weight with masked rows and columns added after the last, and the frame of that shape."""
    height, width = (-(-n // _STAMP_STEP) * _STAMP_STEP for n in frame.shape)
    widths = ((0, 0), (0, height - frame.shape[0]), (0, width - frame.shape[1]))
    padding = max(p / s for p, s in zip(frame.padded, frame.shape, strict=True))
    larger = Frame(
        (height, width),
        jacobian=frame.jacobian,
        origin=frame.origin,
        padding=min(padding, 2.0) if padding < 2.3 else padding,
        oversampling=choose_oversampling(observation.psf, frame, most=frame.oversampling, lost=_LOST),
    )
    return np.pad(observation.image, widths), np.sqrt(np.pad(observation.weight, widths)), larger


def _slots_of_psf(psf, n, slots):
    """One PSF per source is padded to the slots."""
    if not isinstance(psf, ImagePSF) or np.ndim(psf.image) == 3:
        return psf
    if psf.image.shape[0] != n:
        raise ValueError(f"psf is given for {psf.image.shape[0]} sources, but there are {n} positions")
    image = np.pad(psf.image, ((0, slots - n), (0, 0), (0, 0), (0, 0)), mode="edge")
    centre = np.pad(psf.centre, ((0, slots - n), (0, 0), (0, 0)), mode="edge")
    return ImagePSF(image, oversampling=psf.oversampling, includes_pixel=psf.includes_pixel, centre=centre)


def zero_points_of(observation):
    """AB zero points; where none is known, one at which a star of magnitude 25.5 has S/N 5."""
    if observation.zero_point is not None:
        return observation.zero_point
    power = np.abs(np.asarray(observation.psf.transfer(observation.frame))) ** 2
    power = power.reshape(-1, *power.shape[-3:])[0]
    sharpness = np.broadcast_to(power.mean((-2, -1)), observation.n_bands)  # sum of the squared PSF
    return 25.5 + 2.5 * np.log10(5 / np.sqrt(sharpness * median_weight(observation)))
