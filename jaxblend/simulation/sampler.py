"""What blends are drawn from on the device: made of a survey, a prior and perhaps a catalogue, checked at the door."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from jaxblend.forward.folding import choose_oversampling
from jaxblend.forward.frame import Frame
from jaxblend.forward.galaxies import AbstractGalaxy, BulgeDisk
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AbstractPSF
from jaxblend.priors.prior import Prior, parameter_names, population_prior
from jaxblend.simulation.catsim import read_catsim
from jaxblend.simulation.drawn import DrawnBlends
from jaxblend.simulation.psf import observation_psf
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.vectors import bulge_disk_vectors

if TYPE_CHECKING:
    import astropy.table
    import galsim

__all__ = ["BlendSampler", "CatalogVectors"]


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

    def observation(self, blends: DrawnBlends, index: int | None = None, *, variance: str | None = None) -> Observation:
        """Turn one drawn blend into what `jaxblend.fit` takes.

        Parameters
        ----------
        blends : DrawnBlends
            Drawn by this sampler, with one leading axis or none.
        index : int, optional
            Which of them; needed where there is a leading axis.
        variance : {"sky", "model"}, optional
            What the weight is made of: the sky only, or the sky and the noiseless model; by default that of the noise.

        Returns
        -------
        Observation
            Image in electrons, weight, PSF, zero points.

        Raises
        ------
        ValueError
            If the index does not name one blend, or the variance is unknown.
        """
        variance = variance or ("model" if self.source_noise else "sky")
        if variance not in ("sky", "model"):
            raise ValueError(f'Got variance={variance!r}, expected "sky" or "model".')
        one = blends.one(index)
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


@eqx.filter_jit
def _whitened(prior, vectors):
    return jax.vmap(prior.whitened)(vectors)
