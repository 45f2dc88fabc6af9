"""What the low wavenumbers leave out of the objective is what the pixels hold beyond their reach, and nothing else."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import low_normal_equations, objective

from jaxblend.forward.folding import choose_oversampling
from jaxblend.forward.frame import Frame
from jaxblend.forward.galaxies import Exponential
from jaxblend.forward.likelihood import Exposure
from jaxblend.forward.psf import AbstractPSF, GaussianPSF
from jaxblend.forward.render import render
from jaxblend.forward.sampled_psf import ImagePSF
from jaxblend.infer.low_modes import _REACH, low_modes
from jaxblend.infer.posterior import Blend, in_bands
from jaxblend.priors import population_prior

SIDE, PIXEL_SCALE = 48, 0.2
NOISE = 0.05
APART = 8.0  # standard deviations from the one point to the other
SIGMAS = 4.0  # of the noise's part in a difference


class View(NamedTuple):
    """How a scene is seen; ``turn`` is the frame's, ``masked`` has rows and columns."""

    psf: AbstractPSF
    band: int = 0
    turn: float = 0.0
    masked: tuple = ()

    @property
    def used(self):
        used = np.ones((1, SIDE, SIDE))
        for rows, columns in self.masked:
            used[:, rows, columns] = 0
        return used

    @property
    def frame(self):
        frame = self._with_padding(2)
        return frame.with_oversampling(choose_oversampling(self.psf, frame))

    @property
    def periodic(self):
        """As low wavenumbers take the stamp: what leaves a side comes back, and nothing is folded at Nyquist."""
        return self._with_padding(1)

    def _with_padding(self, padding):
        cos, sin = PIXEL_SCALE * np.cos(self.turn), PIXEL_SCALE * np.sin(self.turn)
        return Frame((SIDE, SIDE), jacobian=[[cos, -sin], [sin, cos]], padding=padding)


def lopsided():
    """A PSF of samples, whose transform is complex."""
    y, x = np.mgrid[-10:11, -10:11]
    image = np.exp(-(x**2 + y**2) / 6) + 0.4 * np.exp(-((x - 2) ** 2 + (y + 1) ** 2) / 5)
    return ImagePSF(image[None] / image.sum())


WIDE, NARROW = GaussianPSF(np.array([0.8])), GaussianPSF(np.array([0.35]))
VIEWS = {
    "one exposure": (View(WIDE),),
    "masked pixels": (View(WIDE, masked=((slice(22, 25), slice(20, 24)), (slice(30, 34), slice(5, 40)))),),
    "oversampled twice": (View(NARROW),),
    "two exposures": (View(WIDE), View(lopsided(), band=1, turn=0.4)),
    "two exposures of a band": (View(WIDE), View(lopsided(), turn=0.4)),
}


@eqx.filter_jit
def drawn(sources, frame, psf):
    return render(sources, frame, psf.transfer(frame))


def blend_of(views, images):
    n_bands = 1 + max(view.band for view in views)
    prior = population_prior(Exponential(), "ri"[:n_bands], zero_point=[27.0] * n_bands, position_scatter=0.2)
    exposures = tuple(
        Exposure.through(view.psf, jnp.asarray(image), jnp.asarray(view.used / NOISE), view.frame)
        for view, image in zip(views, images, strict=True)
    )
    seeds, bands = jnp.asarray([[-0.6, 0.1], [0.5, -0.2]]), tuple((view.band,) for view in views)
    return Blend(exposures, seeds, jnp.ones(2, bool), jnp.zeros(2, bool), prior, Exponential(), bands)


def two_points(views, rng):
    """A noisy blend in low wavenumbers and in pixels, its truth, and a point that is some errors away from it.

    Under a mask pixels are nonsense, and the filler is near the truth.
    """
    blank = blend_of(views, [np.zeros((1, SIDE, SIDE))] * len(views))
    here = jnp.asarray(0.3 * rng.normal(size=(2, blank.prior.size)))
    truth = [np.asarray(drawn(in_bands(blank.sources(here), (v.band,)), v.frame, v.psf)) for v in views]
    noisy = [image + NOISE * rng.normal(size=image.shape) for image in truth]
    blend = blend_of(views, [np.where(v.used > 0, image, 1e4) for v, image in zip(views, noisy, strict=True)])
    modes = tuple(low_modes(e, jnp.asarray(0.9 * image)) for e, image in zip(blend.exposures, truth, strict=True))
    hessian = low_normal_equations(here, blend, modes)[0]
    step = np.linalg.solve(np.linalg.cholesky(hessian).T, rng.normal(size=here.size))
    there = here + APART * (step / np.sqrt(step @ hessian @ step)).reshape(here.shape)
    data = [np.where(v.used > 0, image, 0.9 * t) for v, image, t in zip(views, noisy, truth, strict=True)]
    return blend, modes, data, here, there


def powers(image):
    """Sums of squares of the wavenumbers within reach and beyond it, in units of the noise (Parseval)."""
    y, x = np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)
    within = y**2 + x**2 < (_REACH / 2) ** 2
    squares = np.sum(np.abs(np.fft.fft2(np.asarray(image) / NOISE)) ** 2, 0) / SIDE**2
    return squares[within].sum(), squares[~within].sum()


class Change(NamedTuple):
    """From the one point to the other: how the low objective is to change, and how far the exact one may differ."""

    low: float
    tolerance: float

    @classmethod
    def of(cls, view, data, here, there):
        """``data`` is the image with its filler; ``here`` and ``there`` are the sources."""
        pixels, periodic = (
            [np.asarray(drawn(in_bands(sources, (view.band,)), frame, view.psf)) for sources in (here, there)]
            for frame in (view.frame, view.periodic)
        )
        change = 0.5 * (powers(periodic[1] - data)[0] - powers(periodic[0] - data)[0])
        # The residual here is noise, and under a mask the difference to the filler: its squares by pixel.
        masked = [np.where(view.used > 0, 0.0, (image - data) / NOISE) for image in pixels]
        residual = SIGMAS + np.sqrt(np.sum(masked[0] ** 2))
        filled = 0.5 * abs(np.sum(masked[1] ** 2) - np.sum(masked[0] ** 2))
        within, beyond = powers(pixels[1] - pixels[0])
        # What wraps around the stamp and what is folded at Nyquist, here and in the change (Cauchy-Schwarz).
        edges = [p - q for p, q in zip(periodic, pixels, strict=True)]
        edge, edge_here = np.sqrt(powers(edges[1] - edges[0])[0]), np.sqrt(powers(edges[0])[0])
        wrapped = (np.sqrt(within) + residual) * edge + 0.5 * edge**2 + (np.sqrt(within) + edge) * edge_here
        return cls(change, 0.5 * beyond + residual * np.sqrt(beyond) + filled + wrapped)


@pytest.mark.parametrize("views", VIEWS.values(), ids=VIEWS)
def test_low_wavenumbers_leave_out_what_is_beyond_their_reach(views):
    with jax.enable_x64(True):
        blend, modes, data, here, there = two_points(views, np.random.default_rng(8))
        fall = low_normal_equations(there, blend, modes)[2] - low_normal_equations(here, blend, modes)[2]
        exact = objective(there, blend) - objective(here, blend)
        changes = [Change.of(v, d, blend.sources(here), blend.sources(there)) for v, d in zip(views, data, strict=True)]
        of_prior = 0.5 * (jnp.sum(there**2) - jnp.sum(here**2))
        np.testing.assert_allclose(fall, sum(change.low for change in changes) + of_prior, rtol=1e-9)
        assert abs(fall - exact) < sum(change.tolerance for change in changes)


def test_a_pixel_with_the_photons_of_a_source_is_data_and_one_that_weighs_nothing_is_filler():
    weight = np.ones((1, SIDE, SIDE))
    weight[0, 20, 20:23] = 0.3, 0.03, 0.0
    mean = weight.sum() / (weight > 0).sum()
    share = np.minimum(weight / (0.1 * mean), 1)
    image, filler = np.random.default_rng(0).normal(size=(2, 1, SIDE, SIDE))

    @eqx.filter_jit
    def data(image, weight):
        exposure = Exposure.through(WIDE, image, jnp.sqrt(weight), Frame((SIDE, SIDE), PIXEL_SCALE))
        return low_modes(exposure, jnp.asarray(filler, float)).data

    found, expected = (
        data(jnp.asarray(seen, float), jnp.asarray(w, float))
        for seen, w in ((image, weight), (share * image + (1 - share) * filler, np.full(weight.shape, mean)))
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)
