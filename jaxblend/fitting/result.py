"""A fitted blend: numbers as they come, tables and images when asked for."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import numpy as np

from jaxblend.fitting.bands import Bands
from jaxblend.fitting.photons import normalisation
from jaxblend.fitting.prepare import Item
from jaxblend.fitting.unusual import latent_columns, unusual
from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.forward.mix import Mix
from jaxblend.forward.observation import Observation
from jaxblend.forward.render import images as render_images
from jaxblend.infer import laplace
from jaxblend.infer.flags import Flag, Outcome
from jaxblend.infer.map import MapResult
from jaxblend.infer.posterior import in_bands
from jaxblend.infer.summary import Summary, quantity_names

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["Fit", "images_at"]

_DECREMENT_LEFT = 0.5  # decrement of the objective that is left


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """The fit of one blend of n sources.

    Attributes
    ----------
    observations : tuple of Observation
        What was fitted; empty after ``fit_batch(..., keep_observations=False)``.
    bands : tuple of str
        Of all observations, each once; fluxes are in the unit of the first exposure of each.
    quantities : ndarray
        (n, Q): see ``quantity_names``; their covariance is ``covariance``.
    outcome : Outcome
        How the fit ended.
    flags : ndarray
        (n,) bit masks; ``decode_flags`` names the bits.
    log_evidence : float
        Laplace estimate of ln Z, up to the noise's normalisation.
    """

    observations: tuple[Observation, ...]
    item: Item | None
    result: MapResult
    summary: Summary
    n: int
    bands: tuple[str, ...]
    reference: int
    stars: np.ndarray
    context: dict

    @classmethod
    def of(cls, observations, item: Item, result: MapResult, summary: Summary, *, reference, keep) -> Fit:
        """From padded results."""
        n, bands = int(np.sum(item.present)), Bands.among(observations)
        shapes = {
            "shape": [o.shape for o in observations],
            "frames": [_narrow(o, f) for o, f in zip(observations, item.frames, strict=True)],
        }
        context = {
            **shapes,
            "wcs": [o.wcs for o in observations],
            "zero_points": bands.zero_points,
            "survey": [o.survey for o in observations],
            "models": _names(item.model, n),
            "latents": latent_columns(item.model, len(bands.names)),
            "noise_normalisation": normalisation(item, observations),
        }
        stars = np.asarray(item.is_star)[:n]
        return cls(
            tuple(observations) if keep else (),
            item if keep else None,
            result,
            summary,
            n,
            bands.names,
            reference,
            stars,
            context,
        )

    def __repr__(self) -> str:
        sources = f"{self.n} source{'' if self.n == 1 else 's'}"
        return f"Fit({self.model_names}, {sources} in {', '.join(self.bands)}; {self.outcome.value})"

    @property
    def model_names(self) -> str:
        """Of the galaxy models, each once."""
        return ", ".join(dict.fromkeys(self.context["models"]))

    @property
    def quantities(self) -> np.ndarray:
        """(n, Q) fitted values, in the order of ``quantity_names``."""
        return np.asarray(self.summary.quantities)[: self.n]

    @property
    def quantity_names(self) -> tuple[str, ...]:
        """u, v (arcsec), log_flux per band, radius (arcsec), g1, g2, bulge_fraction."""
        return quantity_names(self.bands)

    @property
    def positions(self) -> np.ndarray:
        """(n, 2) fitted pixels x, y in the first observation."""
        return self.positions_in(0)

    def positions_in(self, observation: int) -> np.ndarray:
        """(n, 2) fitted pixels x, y in one of the observations."""
        return self.context["frames"][observation].sky_to_pixel(np.asarray(self.quantities[:, :2], float))

    @cached_property
    def whitened_covariance(self) -> np.ndarray:
        """(n D, n D): Laplace covariance of ``u``."""
        size = self.n * self.summary.slopes.shape[-1]
        return laplace.covariance(np.asarray(self.result.hessian)[:size, :size])

    @cached_property
    def covariance(self) -> np.ndarray:
        """(n Q, n Q): Laplace covariance of ``quantities``, source after source."""
        slopes = np.asarray(self.summary.slopes, float)[: self.n]
        n, q, d = slopes.shape
        blocks = self.whitened_covariance.reshape(n, d, n, d)
        return np.einsum("iqd,idje,jre->iqjr", slopes, blocks, slopes, optimize=True).reshape(n * q, n * q)

    @property
    def errors(self) -> np.ndarray:
        """(n, Q) standard deviations of ``quantities``."""
        return np.sqrt(np.diagonal(self.covariance)).reshape(self.quantities.shape)

    @property
    def log_evidence(self) -> float:
        """Laplace estimate of ln Z, up to the noise's normalisation."""
        found = laplace.log_evidence(float(self.result.objective), np.asarray(self.result.hessian))
        return found + self.context["noise_normalisation"]

    @property
    def outcome(self) -> Outcome:
        """How the fit ended."""
        if not self._finite:
            return Outcome.FAILED
        return Outcome.CONVERGED if self.result.decrement < _DECREMENT_LEFT else Outcome.MAX_STEPS

    @property
    def chi2(self) -> np.ndarray:
        """(C,) chi2 per usable pixel, over all exposures of a band."""
        return np.asarray(self.summary.chi2) / np.maximum(np.asarray(self.summary.pixels), 1)

    @cached_property
    def flags(self) -> np.ndarray:
        """(n,) bit masks."""
        s, n = self.summary, self.n
        u = np.asarray(self.result.u)[:n]
        inside = np.zeros(n, bool)
        for i, (height, width) in enumerate(self.context["shape"]):
            inside |= ((self.positions_in(i) >= -0.5) & (self.positions_in(i) <= (width - 0.5, height - 0.5))).all(1)
        g1 = self.quantity_names.index("g1")
        at_bound = (np.abs(u) > 4).any(1) | (np.hypot(*self.quantities[:, g1 : g1 + 2].T) > 0.9)
        rows = {
            Flag.NOT_CONVERGED: np.full(n, self.outcome is not Outcome.CONVERGED),
            Flag.AT_BOUND: at_bound,
            Flag.OUTSIDE: ~inside,
            Flag.MASKED: np.asarray(s.unmasked)[:n] < 0.5,
            Flag.SHARED_FLUX: self._shares_flux,
            Flag.SECOND_MODE: np.asarray(self.result.second_mode)[:n],
            Flag.FAILED: np.full(n, not self._finite),
            Flag.LOW_SNR: np.asarray(s.snr)[:n] < 3,
            Flag.UNUSUAL: unusual(
                np.asarray(s.source_chi2)[:n], np.asarray(s.source_pixels)[:n], u, self.context["latents"]
            ),
        }
        return sum((int(flag) * np.asarray(bits, int) for flag, bits in rows.items()), start=np.zeros(n, int))

    @property
    def catalog(self) -> QTable:
        """A table with units and metadata, one row a source."""
        from jaxblend.fitting.catalog import catalog

        return catalog(self)

    @property
    def images(self) -> np.ndarray:
        """(n, C, H, W): the deblended model image of each source in the first observation."""
        return self.image_of(0)

    @property
    def model(self) -> np.ndarray:
        """(C, H, W): all sources together in the first observation."""
        return self.images.sum(0)

    @property
    def residual(self) -> np.ndarray:
        """(C, H, W): data minus model in the first observation."""
        model = self.model
        return self.observations[0].image - model

    def image_of(self, observation: int) -> np.ndarray:
        """(n, C, H, W) deblended images in one of the observations."""
        if self.item is None:
            raise ValueError("the images were let go: fit with keep_observations=True to have them")
        height, width = self.context["shape"][observation]
        drawn = np.asarray(images_at(self.item, self.result.u[None], observation))[0]
        return drawn[: self.n, :, :height, :width]

    @property
    def _finite(self) -> bool:
        solved = np.isfinite(self.result.objective) and np.isfinite(self.result.hessian).all()
        return bool(solved and np.isfinite(self.quantities).all())

    @property
    def _shares_flux(self) -> np.ndarray:
        """Whether the log flux in the reference band is correlated with another source's."""
        q = len(self.quantity_names)
        block = self.covariance[2 + self.reference :: q, 2 + self.reference :: q]
        sigma = np.sqrt(np.diagonal(block))
        with np.errstate(invalid="ignore", divide="ignore"):
            rho = np.abs(block / np.outer(sigma, sigma))
        np.fill_diagonal(rho, 0)
        return np.nan_to_num(rho).max(1, initial=0) > 0.7


def _names(model: AbstractGalaxy, n: int) -> list[str]:
    """Of each source's galaxy model."""
    each = [model.models[i] for i in model.which[:n]] if isinstance(model, Mix) else [model] * n
    return [type(one).__name__ for one in each]


def _narrow(observation, frame):
    """The frame that was fitted in, with the map of the item (its tangent point may be shared)."""
    copy = observation.frame.with_oversampling(frame.oversampling)
    object.__setattr__(copy, "jacobian", np.asarray(frame.jacobian, float))
    object.__setattr__(copy, "origin", np.asarray(frame.origin, float))
    return copy


def images_at(item: Item, u, observation: int):
    """Images (S, K, C, H, W) of every slot at S points ``u`` (S, K, D), in one of the observations."""
    return _images_at(jax.tree.map(lambda x: jax.numpy.asarray(x) if eqx.is_array(x) else x, item), u, observation)


@eqx.filter_jit
def _images_at(item: Item, u, observation: int):
    blend = item.blend()
    exposure, bands = blend.with_bands()[observation]
    return jax.lax.map(lambda u: render_images(in_bands(blend.sources(u), bands), exposure.frame, exposure.transfer), u)
