"""Blends that the deblending encoders are trained on, drawn from the prior and seen at random."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Key

from jaxblend.forward.frame import Frame
from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.forward.psf import pixel_response
from jaxblend.forward.render import images
from jaxblend.io.surveys import get_survey
from jaxblend.priors import Prior, population_prior
from jaxblend.priors.sources import sources_of
from jaxblend.simulation.survey import Survey

__all__ = ["Drawing", "Sky", "TrainingBlend", "draw_training_blend", "seeing"]

_SEEING = (0.75, 1.6)  # times the survey's PSF, all bands alike
_OWN_SEEING = 0.05  # scatter of ln of the width from band to band
_GAUSSIAN = 0.5  # of the squared width of the PSF at most
_ROUNDNESS = 0.03  # scatter of the components of the PSF's shear
_DEPTH = (-2.0, 0.5)  # magnitudes over that of the full survey, all bands alike
_OWN_DEPTH = 0.3  # scatter from band to band
_ALL_BANDS, _BAND = 0.5, 0.6  # of the blends have all bands; in the others, of the bands
_MISSED, _SPURIOUS = 0.05, 0.05  # of the sources nobody knows; of the empty slots somebody claims a source
_HOLES, _HOLE = 0.3, 3.0  # of the blends have one; its mean radius in pixels
_EDGE = 0.15  # of the blends lie at the edge of the image


@dataclasses.dataclass(frozen=True)
class Sky:
    """What the blends are like.

    Attributes
    ----------
    survey
        One that `jaxblend.get_survey` knows.
    bands
        Of them, those that there are at most; empty for all.
    sources
        At most so many in a blend; each number as often.
    reach
        Positions lie within so many pixels of the middle, along each axis.
    """

    survey: str = "LSST"
    bands: tuple[str, ...] = ("u", "g", "r", "i", "z", "y")
    sources: int = 5
    reach: float = 9.0

    def __post_init__(self):
        if self.sources < 1:
            raise ValueError(f"sources must be at least 1, got {self.sources}")
        if not 0 < self.reach < np.inf:
            raise ValueError(f"reach must be a number above 0, got {self.reach}")

    def numbers(self) -> Survey:
        """Of the survey."""
        return get_survey(self.survey, self.bands or None)

    def prior(self) -> Prior:
        """Of every source: the default population, positions within a pixel, fluxes in electrons of the full survey."""
        survey = self.numbers()
        return population_prior(
            BulgeDisk(), survey.bands, zero_point=survey.zero_point, position_scatter=survey.pixel_scale
        )

    def frame(self, side: int) -> Frame:
        """Wide enough for stamps of this side about all positions."""
        return Frame((side + 2 * int(np.ceil(self.reach)),) * 2, self.numbers().pixel_scale, padding=1.5)


class TrainingBlend(NamedTuple):
    """K slots of sources in a frame, and what is known of them.

    Attributes
    ----------
    image, root_weight
        Electrons, and one over the noise's; 0 where masked.
    transfer
        Of PSF and pixel.
    u
        Of each source, about its given position.
    positions
        That were given, in pixels (x, y).
    present
        Whether there is a source.
    known
        Whether a position was given, be there a source or not.
    """

    image: Float[Array, "C H W"]
    root_weight: Float[Array, "C H W"]
    transfer: Any
    u: Float[Array, "K D"]
    positions: Float[Array, "K 2"]
    present: Bool[Array, " K"]
    known: Bool[Array, " K"]


class Drawing(eqx.Module):
    """All that a blend is drawn from, as arrays."""

    prior: Prior
    frame: Frame
    fwhm: Float[Any, " C"]
    sigma: Float[Any, " C"]
    zero_point: Float[Any, " C"]
    reach: float = eqx.field(static=True)
    sources: int = eqx.field(static=True)

    @classmethod
    def of(cls, sky: Sky, side: int) -> Drawing:
        """Of blends for stamps of this side."""
        survey = sky.numbers()
        return cls(
            prior=sky.prior(),
            frame=sky.frame(side),
            fwhm=np.asarray(survey.psf_fwhm, np.float32),
            sigma=np.sqrt(survey.sky_level).astype(np.float32),
            zero_point=np.asarray(survey.zero_point, np.float32),
            reach=sky.reach,
            sources=sky.sources,
        )


def draw_training_blend(key: Key[Array, ""], drawing: Drawing) -> TrainingBlend:
    """One blend; every number of sources is as likely."""
    keys = jax.random.split(key, 8)
    slots, n_bands = drawing.sources, len(drawing.fwhm)
    frame = drawing.frame
    u = jax.random.normal(keys[0], (slots, drawing.prior.size))
    places = jnp.asarray(frame.centre, u.dtype) + drawing.reach * jax.random.uniform(keys[1], (slots, 2), minval=-1.0)
    present = jnp.arange(slots) < jax.random.randint(keys[2], (), 1, slots + 1)
    chance = jax.random.uniform(keys[3], (slots,))
    known = jnp.where(present, chance > _MISSED, chance < _SPURIOUS)
    vectors = jax.vmap(drawing.prior.physical)(u)
    seeds = jnp.asarray(frame.pixel_to_sky(places), u.dtype)
    model = BulgeDisk()
    sources = sources_of(vectors, seeds, present, jnp.zeros(slots, bool), model=model, n_bands=n_bands)
    transfer = _transfer(keys[4], drawing)
    light = images(sources, frame, transfer).sum(0)
    sigma = _noise(keys[5], drawing)
    usable = _bands(keys[6], n_bands)[:, None, None] * _unmasked(keys[7], frame.shape)
    root_weight = usable / sigma[:, None, None]
    image = light + sigma[:, None, None] * jax.random.normal(jax.random.fold_in(key, 1), light.shape)
    return TrainingBlend(image, root_weight, transfer, u, places, present, known)


def _transfer(key, drawing: Drawing) -> Complex[Array, "C Ky Kx"]:
    """Of a random PSF, wider or narrower than the survey's."""
    common, own, share, shear = jax.random.split(key, 4)
    n = len(drawing.fwhm)
    low, high = np.log(_SEEING)
    factor = jax.random.uniform(common, minval=low, maxval=high) + _OWN_SEEING * jax.random.normal(own, (n,))
    gaussian = jnp.broadcast_to(jax.random.uniform(share, maxval=_GAUSSIAN), (n,))
    g1, g2 = _ROUNDNESS * jax.random.normal(shear, (2, n))
    return seeing(drawing.fwhm * jnp.exp(factor), gaussian, g1, g2, drawing.frame)


def seeing(
    fwhm: Float[Array, " C"], gaussian: Float[Array, " C"], g1: Float[Array, " C"], g2: Float[Array, " C"], frame: Frame
) -> Complex[Array, "C Ky Kx"]:
    """Kolmogorov seeing (Fried 1966) convolved with a Gaussian, which has a share of the squared width; sheared.

    Shears are small: of the first order, with the pixel on top.
    """
    ky, kx = (jnp.asarray(k / frame.pixel_scale, fwhm.dtype) for k in frame.pixel_wavenumbers())
    g1, g2, fwhm, gaussian = (x[:, None, None] for x in (g1, g2, fwhm, gaussian))
    across, along = (1 + g1) * kx + g2 * ky, g2 * kx + (1 - g1) * ky
    square = (across**2 + along**2) * fwhm**2
    round_part = 0.5 * 6.8838771822938116 * ((1 - gaussian) * square / (2 * np.pi * 0.9758634299) ** 2) ** (5 / 6)
    transfer = jnp.exp(-round_part - 0.5 * gaussian * square / (8 * np.log(2))) * pixel_response(frame)
    return transfer.astype(jnp.result_type(fwhm.dtype, jnp.complex64))


def _noise(key, drawing: Drawing) -> Float[Array, " C"]:
    """Standard deviation of a pixel, in electrons of the full survey."""
    common, own = jax.random.split(key)
    deeper = jax.random.uniform(common, minval=_DEPTH[0], maxval=_DEPTH[1])
    deeper += _OWN_DEPTH * jax.random.normal(own, drawing.sigma.shape)
    return drawing.sigma * 10 ** (-0.4 * deeper)


def _bands(key, n: int) -> Bool[Array, " C"]:
    """Which there are: at least one."""
    every, each, one = jax.random.split(key, 3)
    some = (jax.random.uniform(each, (n,)) < _BAND) | (jnp.arange(n) == jax.random.randint(one, (), 0, n))
    return some | (jax.random.uniform(every) < _ALL_BANDS)


def _unmasked(key, shape: tuple[int, int]) -> Bool[Array, "H W"]:
    """All but a hole and what lies beyond the image, in some blends."""
    keys = jax.random.split(key, 6)
    y, x = jnp.arange(shape[0])[:, None], jnp.arange(shape[1])[None, :]
    row, column = jax.random.uniform(keys[0], (2,)) * jnp.asarray(shape)
    radius = _HOLE * jax.random.exponential(keys[1])
    hole = (jax.random.uniform(keys[2]) < _HOLES) & ((y - row) ** 2 + (x - column) ** 2 < radius**2)
    angle = 0.5 * np.pi * jax.random.randint(keys[3], (), 0, 4)
    across = jnp.cos(angle) * (x - shape[1] / 2) + jnp.sin(angle) * (y - shape[0] / 2)
    reach = shape[0] * jax.random.uniform(keys[4], minval=0.15, maxval=0.5)
    edge = (jax.random.uniform(keys[5]) < _EDGE) & (across > reach)
    return ~hole & ~edge
