"""Blends drawn on the device by the renderer itself, under `jit` and `vmap`: to train on, and to test with.

GalSim, which draws the blends of `jaxblend.simulate`, is not used: what is drawn here is the model's own idea of a
blend, and no independent truth. The noise is Gaussian, with the variance that counted photons have.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from jaxblend.forward.folding import choose_oversampling
from jaxblend.forward.frame import Frame
from jaxblend.forward.galaxies import AbstractGalaxy, BulgeDisk
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AbstractPSF
from jaxblend.forward.render import images
from jaxblend.priors.prior import Prior, parameter_names, population_prior
from jaxblend.simulation.catsim import read_catsim
from jaxblend.simulation.psf import observation_psf
from jaxblend.simulation.sample import checked_key
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.vectors import bulge_disk_vectors, sources_of

if TYPE_CHECKING:
    import astropy.table
    import galsim

__all__ = ["BlendSampler", "CatalogVectors", "DrawnBlends", "draw_blend", "draw_blends"]


class DrawnBlends(eqx.Module):
    """Drawn blends as arrays: a pytree with a leading axis per `vmap`, none for a single blend.

    Attributes
    ----------
    u : (..., K, D)
        Whitened parameters of each slot, N(0, 1) where they are drawn from the prior. Empty slots have some, too.
    vectors : (..., K, D)
        Physical parameters, ``prior.physical(u)``.
    seeds : (..., K, 2)
        Sky positions in arcsec that the offsets in `vectors` count from; pixels by ``sampler.frame.sky_to_pixel``.
    present : (..., K) bool
        Which slots hold a source: the first ones.
    is_star : (..., K) bool
        Which slots hold a star, whose shape parameters mean nothing.
    row : (..., K) int
        Row of the catalogue; -1 where sources are drawn from the prior.
    isolated : (..., K, C, H, W)
        Each source alone, without noise, electrons; 0 for empty slots.
    image : (..., C, H, W)
        All sources, with noise, sky subtracted, electrons.
    """

    u: Float[Any, "*B K D"]
    vectors: Float[Any, "*B K D"]
    seeds: Float[Any, "*B K 2"]
    present: Bool[Any, "*B K"]
    is_star: Bool[Any, "*B K"]
    row: Int[Any, "*B K"]
    isolated: Float[Any, "*B K C H W"]
    image: Float[Any, "*B C H W"]

    @property
    def offsets(self) -> Any:
        """True places (..., K, 2) along x and y from the stamp centre, arcsec."""
        return self.seeds + self.vectors[..., :2]


class CatalogVectors(eqx.Module):
    """N catalogued sources as physical vectors (N, D) of a galaxy model, and which of them are stars."""

    vectors: Float[Any, "N D"]
    is_star: Bool[Any, " N"]


class BlendSampler(eqx.Module):
    """All that a drawn blend depends on but its key: which sources, and the survey that sees them.

    Made by `BlendSampler.of`; an immutable pytree, so it goes through `jit`, and `vmap` over a leaf (the `transfer`
    of many PSFs, say) draws every blend from another one.

    Attributes
    ----------
    prior : Prior
        Draws the parameters of a source, or, with a catalogue, its offset from the seed; defines `u`.
    model : AbstractGalaxy
        Galaxy model of the prior.
    catalog : CatalogVectors or None
        Where the other parameters come from, if not from the prior.
    frame : Frame
        The stamp.
    psf : AbstractPSF
        PSF of the observations.
    transfer : (C, Ky, Kx)
        PSF times pixel on the Fourier grid of the frame.
    sky_variance : (C,)
        Variance of a pixel of empty sky, electrons squared.
    max_offset : ()
        Seeds are uniform within this distance of the stamp centre along x and along y, arcsec.
    zero_point : (C,)
        AB magnitude of one electron.
    bands : tuple of str
        Names of the C bands.
    survey : str
        Its name.
    min_sources, max_sources : int
        The number of sources is uniform between them; the second is K, the number of slots.
    source_noise : bool
        Whether the light of the sources adds to the variance of the noise.
    """

    prior: Prior
    model: AbstractGalaxy
    catalog: CatalogVectors | None
    frame: Frame
    psf: AbstractPSF
    transfer: Complex[Any, "C Ky Kx"]
    sky_variance: Float[Any, " C"]
    max_offset: Float[Any, ""]
    zero_point: Float[Any, " C"]
    bands: tuple[str, ...] = eqx.field(static=True)
    survey: str = eqx.field(static=True)
    min_sources: int = eqx.field(static=True)
    max_sources: int = eqx.field(static=True)
    source_noise: bool = eqx.field(static=True)

    @classmethod
    def of(
        cls,
        survey: Survey,
        *,
        prior: Prior | None = None,
        catalog: str | PathLike | astropy.table.Table | SkySources | None = None,
        model: AbstractGalaxy | None = None,
        psf: str | galsim.GSObject | Sequence[galsim.GSObject] | AbstractPSF | None = None,
        min_sources: int = 1,
        max_sources: int = 5,
        stamp_size: int = 64,
        max_offset: float | int = 2.4,
        source_noise: bool = True,
        padding: float | int = 2.0,
    ) -> BlendSampler:
        """Make the sampler of a survey.

        Parameters
        ----------
        survey : Survey
            See `jaxblend.io.surveys.get_survey`.
        prior : Prior, optional
            By default that of `jaxblend.fit`: `population_prior` with positions scattered by one pixel.
        catalog : path, table or SkySources, optional
            Draw sources from its rows, each with the same probability and with replacement; the prior then gives
            their offsets from the seeds, and `u`. See `bulge_disk_vectors` for what the model cannot hold. No
            selection is made: cut it first, with ``sources.take(Selection().bright_enough(sources, survey))``.
        model : AbstractGalaxy, optional
            By default `BulgeDisk`, the only one for a catalogue.
        psf : str, GalSim object, one per band, or AbstractPSF, optional
            See `jaxblend.simulation.psf.survey_psfs`.
        min_sources, max_sources : int
            The number of sources is uniform between them.
        stamp_size : int
            Width and height of the images, pixels.
        max_offset : float
            Largest distance of a seed from the stamp centre along x and along y, arcsec.
        source_noise : bool
            Whether the light of the sources adds to the variance of the noise.
        padding : float
            See `Frame`.

        Returns
        -------
        BlendSampler
            Fluxes in electrons over the full exposure.

        Raises
        ------
        TypeError
            If the survey is not a Survey.
        ValueError
            If a number is out of range, or prior, model, catalogue and bands do not fit together.
        """
        if not isinstance(survey, Survey):
            raise TypeError(f'Got survey={survey!r}, expected a Survey: make it with jaxblend.get_survey("LSST").')
        _check_numbers(min_sources, max_sources, stamp_size, max_offset)
        model = BulgeDisk() if model is None else model
        frame = Frame((stamp_size, stamp_size), survey.pixel_scale, padding=padding)
        optics = _optics(psf, survey)
        frame = frame.with_oversampling(choose_oversampling(optics, frame))
        sources = None if catalog is None else _catalogued(catalog, survey, model)
        prior = _prior(prior, model, survey)
        return cls(
            prior=prior,
            model=model,
            catalog=None if sources is None else _in_range(sources, survey, prior),
            frame=frame,
            psf=optics,
            transfer=_transfer(optics, frame, survey),
            sky_variance=jnp.asarray(survey.sky_level, float),
            max_offset=jnp.asarray(max_offset, float),
            zero_point=jnp.asarray(survey.zero_point, float),
            bands=survey.bands,
            survey=survey.name,
            min_sources=min_sources,
            max_sources=max_sources,
            source_noise=source_noise,
        )

    def observation(self, blends: DrawnBlends, index: int | None = None, *, variance: str = "sky") -> Observation:
        """Turn one drawn blend into what `jaxblend.fit` takes.

        Parameters
        ----------
        blends : DrawnBlends
            Drawn by this sampler, with one leading axis or none.
        index : int, optional
            Which of them; needed where there is a leading axis.
        variance : {"sky", "model"}
            What the weight is made of: the sky only, or the sky and the noiseless model.

        Returns
        -------
        Observation
            Image in electrons, weight, PSF, zero points.

        Raises
        ------
        ValueError
            If the index does not name one blend, or the variance is unknown.
        """
        if variance not in ("sky", "model"):
            raise ValueError(f'Got variance={variance!r}, expected "sky" or "model".')
        one = _take(blends, index)
        light = np.maximum(one.isolated.sum(axis=0), 0.0) if variance == "model" else np.zeros_like(one.image)
        observation = Observation(
            one.image,
            variance=np.asarray(self.sky_variance)[:, None, None] + light,
            psf=self.psf,
            pixel_scale=float(self.frame.pixel_scale),
            bands=self.bands,
            zero_point=np.asarray(self.zero_point),
            survey=self.survey,
        )
        return observation.replace(frame=self.frame)


def draw_blends(
    sampler: BlendSampler, n: int, *, key: jax.Array, first: int = 0, batch_size: int | None = None
) -> DrawnBlends:
    """Draw n blends on the device.

    Blend i depends on ``jax.random.fold_in(key, i)`` alone: neither on n nor on the batch size, but for the
    rounding of the pixels. One program is compiled per n; `first` may change freely, so that step s of a training
    draws its own with ``first=s * n``.

    Parameters
    ----------
    sampler : BlendSampler
        Made by ``BlendSampler.of(survey)``.
    n : int
        How many blends.
    key : typed JAX key
        ``jax.random.key(seed)``.
    first : int
        Number of the first blend.
    batch_size : int, optional
        Blends drawn together: bounds the memory that is needed beside the result. By default 1 on a CPU, where
        more are no faster, and 64 elsewhere.

    Returns
    -------
    DrawnBlends
        With a leading axis of n.

    Raises
    ------
    TypeError
        If the sampler is none, or the key is not a typed key.
    ValueError
        If a number is out of range.
    """
    if not isinstance(sampler, BlendSampler):
        raise TypeError(
            f"Got a {type(sampler).__name__}, expected a BlendSampler: make it with BlendSampler.of(survey)."
        )
    size = (1 if jax.default_backend() == "cpu" else 64) if batch_size is None else batch_size
    if n < 1 or size < 1 or not 0 <= first <= 2**32 - n:
        raise ValueError(
            f"Got n={n}, batch_size={batch_size}, first={first}: n and batch_size must be 1 or more, and blends are "
            "numbered from 0 to 2**32 - 1."
        )
    return _draw_range(sampler, checked_key(key), jnp.asarray(first, jnp.uint32), int(n), int(min(n, size)))


def draw_blend(key: jax.Array, sampler: BlendSampler) -> DrawnBlends:
    """Draw one blend: a pure function, to be put under `jit` and `vmap`.

    Parameters
    ----------
    key : typed JAX key
        The blend's own.
    sampler : BlendSampler
        What it is drawn from.

    Returns
    -------
    DrawnBlends
        Without a leading axis.
    """
    count_key, sources_key, noise_key = jax.random.split(key, 3)
    slots = jnp.arange(sampler.max_sources)
    # A slot's key is its own: a source is the same whatever the number of slots.
    keys = jax.vmap(partial(jax.random.fold_in, sources_key))(slots)
    u, vectors, seeds, is_star, row = jax.vmap(partial(_draw_source, sampler=sampler))(keys)
    present = slots < jax.random.randint(count_key, (), sampler.min_sources, sampler.max_sources + 1)
    sources = sources_of(vectors, seeds, present, is_star, model=sampler.model, n_bands=len(sampler.bands))
    isolated = images(sources, sampler.frame, sampler.transfer)
    scene = isolated.sum(axis=0)
    return DrawnBlends(
        u, vectors, seeds, present, is_star, row, isolated, scene + _draw_noise(noise_key, scene, sampler)
    )


@eqx.filter_jit
def _draw_range(sampler, key, first, n, batch_size):
    def one(i):
        return draw_blend(jax.random.fold_in(key, first + i), sampler)

    # Full batches only: the map would compile a second program for the rest.
    full = jnp.arange(-(-n // batch_size) * batch_size, dtype=jnp.uint32)
    return jax.tree.map(lambda leaf: leaf[:n], jax.lax.map(one, full, batch_size=batch_size))


@eqx.filter_jit
def _whitened(prior, vectors):
    return jax.vmap(prior.whitened)(vectors)


def _draw_source(key, sampler):
    """Whitened and physical parameters, seed, whether it is a star and the row of the catalogue."""
    parameters_key, seed_key, row_key = jax.random.split(key, 3)
    u = jax.random.normal(parameters_key, (sampler.prior.size,))
    vector = sampler.prior.physical(u)
    seed = sampler.max_offset * jax.random.uniform(seed_key, (2,), minval=-1.0)
    if sampler.catalog is None:
        return u, vector, seed, jnp.zeros((), bool), jnp.full((), -1, int)
    row = jax.random.randint(row_key, (), 0, len(sampler.catalog.is_star))
    vector = sampler.catalog.vectors[row].at[:2].set(vector[:2])
    return sampler.prior.whitened(vector), vector, seed, sampler.catalog.is_star[row], row


def _draw_noise(key: jax.Array, scene: Float[Array, "C H W"], sampler: BlendSampler) -> Float[Array, "C H W"]:
    """Gaussian noise of the variance that counted photons have."""
    variance = sampler.sky_variance[:, None, None]
    if sampler.source_noise:
        variance = variance + jnp.maximum(scene, 0.0)
    return jnp.sqrt(variance) * jax.random.normal(key, scene.shape)


def _take(blends: DrawnBlends, index: int | None) -> DrawnBlends:
    """One blend, as NumPy arrays: JAX would take an index beyond the end for the last."""
    if blends.image.ndim == 3 and index is None:
        return jax.tree.map(np.asarray, blends)
    n = len(blends.image) if blends.image.ndim == 4 else 0
    if index is None or not -n <= index < n:
        raise ValueError(
            f"Got index={index} for images of shape {blends.image.shape}: give the number of one of the blends along "
            "the first of four axes, and none where there are three."
        )
    return jax.tree.map(lambda leaf: np.asarray(leaf[index]), blends)


def _check_numbers(min_sources: int, max_sources: int, stamp_size: int, max_offset: float | int) -> None:
    if not 1 <= min_sources <= max_sources:
        raise ValueError(f"Got min_sources={min_sources} and max_sources={max_sources}, expected 1 <= min <= max.")
    if stamp_size < 4:
        raise ValueError(f"Got stamp_size={stamp_size} pixels, expected at least 4.")
    if not (np.isfinite(max_offset) and max_offset >= 0):
        raise ValueError(f"Got max_offset={max_offset}, expected a finite number of arcsec, 0 or more.")


def _prior(prior: Prior | None, model: AbstractGalaxy, survey: Survey) -> Prior:
    if prior is None:
        return population_prior(model, survey.bands, zero_point=survey.zero_point, position_scatter=survey.pixel_scale)
    expected = len(parameter_names(model, survey.bands))
    if prior.size != expected:
        raise ValueError(
            f"Got a prior of {prior.size} parameters a source, expected {expected} for {type(model).__name__} in the "
            f"bands {list(survey.bands)}: make it with population_prior for this model and these bands."
        )
    return prior


def _optics(psf: str | galsim.GSObject | Sequence[galsim.GSObject] | AbstractPSF | None, survey: Survey) -> AbstractPSF:
    if not isinstance(psf, AbstractPSF):
        return observation_psf(survey, psf)
    if psf.n_bands not in (None, 1, len(survey.bands)):
        raise ValueError(f"Got a PSF of {psf.n_bands} bands for the {len(survey.bands)} bands {list(survey.bands)}.")
    return psf


def _transfer(psf: AbstractPSF, frame: Frame, survey: Survey) -> Complex[Array, "C Ky Kx"]:
    transfer = psf.transfer(frame)
    if transfer.ndim != 3:
        raise ValueError("Got a PSF per source, expected one per band: sources have no fixed slot here.")
    return jnp.broadcast_to(transfer, (len(survey.bands), *transfer.shape[1:]))


def _catalogued(
    catalog: str | PathLike | astropy.table.Table | SkySources, survey: Survey, model: AbstractGalaxy
) -> SkySources:
    if not isinstance(model, BulgeDisk):
        raise ValueError(f"Got model={type(model).__name__} with a catalogue of bulges and disks, expected BulgeDisk.")
    sources = catalog if isinstance(catalog, SkySources) else read_catsim(catalog, survey)
    if not len(sources):
        raise ValueError("Got a catalogue of 0 sources, expected at least one.")
    return sources.in_bands(survey.bands)


def _in_range(sources: SkySources, survey: Survey, prior: Prior) -> CatalogVectors:
    vectors = jnp.asarray(bulge_disk_vectors(sources, survey), float)
    outside = ~np.isfinite(np.asarray(_whitened(prior, vectors))).all(axis=1)
    if outside.any():
        raise ValueError(
            f"{outside.sum()} of {len(sources)} sources lie outside the range of the prior or have no finite flux, "
            f"the first at row {int(np.argmax(outside))}: drop them from the catalogue, or widen the prior."
        )
    return CatalogVectors(vectors, jnp.asarray(sources.is_star))
