"""What a second search keeps, with a quick linear fit of Gaussians in place of the real one."""

import dataclasses

import numpy as np
import pytest
from astropy.table import Table
from fake_fit import FakeFit, fake_fit, gaussians

from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.frames.deblend import fit_rounds
from jaxblend.frames.search_again import look_again
from jaxblend.frames.source import FrameSource, sources_at, sources_from_table, total_model

SIGMA = 3.0  # pixels, of the galaxies, which are broader than the PSF
FWHM = 3.0
OPTIONS = {"fwhm": FWHM, "max_group": 8}
WHERE = np.array([[30.0, 32.0], [60.0, 60.0], [69.5, 60.0]])
FLUX = np.array([9000.0, 5000.0, 4000.0])


@dataclasses.dataclass
class Placed(FakeFit):
    positions: np.ndarray


def detected(rows) -> list[FrameSource]:
    """Some of the galaxies, with the outlines that a detection has."""
    n, (x, y) = len(WHERE[rows]), WHERE[rows].T
    outline = {"a": np.full(n, SIGMA), "b": np.full(n, SIGMA), "theta": np.zeros(n), "npix": np.full(n, 110)}
    return sources_from_table(Table({"x": x, "y": y, **outline}), FWHM)


def fitted(observations, positions, *, stars, shift=0.0):
    """The fluxes of Gaussians, which are then put ``shift`` pixels beside where they should be."""
    fits = []
    for observation, where in zip(observations, positions, strict=True):
        fit = fake_fit(observation, where, sigma=SIGMA)
        flux = np.stack([fit.catalog[f"flux_{band}"].value for band in observation.bands], 1)
        images = flux[:, :, None, None] * gaussians(where + np.array([shift, 0]), observation.shape, SIGMA)[:, None]
        fits.append(Placed(fit.observations, fit.catalog, images, fit.chi2, where))
    return fits


@pytest.fixture
def observation():
    light = np.tensordot(FLUX, gaussians(WHERE, (90, 100), SIGMA), 1)
    image = np.stack([light, 2 * light]) + np.random.default_rng(0).normal(size=(2, 90, 100))
    return Observation(image, 1.0, GaussianPSF(FWHM * 0.2), pixel_scale=0.2, bands="ri")


def flux_of(source):
    return source.part.image[1].sum()


def test_what_a_bad_first_fit_left_is_taken_out_again(observation):
    def badly(*args, **options):
        return fitted(*args, **options, shift=4.0)

    looked = []

    def well(observations, positions, *, stars):
        looked.append(max(map(len, positions)))
        return fitted(observations, positions, stars=stars)

    first = fit_rounds(observation, detected(slice(None)), badly, rounds=2, **OPTIONS)
    sources = look_again(observation, first, well, min_snr=5.0, **OPTIONS)
    assert max(looked) > len(WHERE) - 1  # pieces were tried, beside the two that overlap
    assert [source.seed.tolist() for source in sources] == WHERE.tolist()
    np.testing.assert_allclose([flux_of(source) for source in sources], 2 * FLUX, rtol=0.02)


def test_two_that_are_new_do_not_both_have_the_same_light(observation):
    """Points by the size of the PSF do not overlap; the galaxies that they turn out to be do."""
    first = fit_rounds(observation, detected(slice(1)), fitted, rounds=2, **OPTIONS)
    sources = look_again(observation, first, fitted, min_snr=5.0, **OPTIONS)
    assert len(sources) == 3
    new = sorted(sources[1:], key=lambda source: source.seed[0])
    np.testing.assert_allclose([source.seed for source in new], WHERE[1:], atol=0.5)
    assert sum(map(flux_of, new)) == pytest.approx(2 * FLUX[1:].sum(), rel=0.02)


def test_each_look_gives_a_model_more_neighbours(observation):
    """A model of 24 pixels' width in which four small galaxies lie, none of them known."""
    where = np.array([[40.0, 45.0], [60.0, 45.0], [50.0, 35.0], [50.0, 55.0]])
    wide, small = gaussians(np.array([[50.0, 45.0]]), (90, 100), 10.0), gaussians(where, (90, 100), SIGMA)
    light = np.tensordot([6e4], wide, 1) + np.tensordot([1.2e4, 1.1e4, 1.0e4, 0.9e4], small, 1)
    seen = observation.replace(image=np.stack([light, light]).astype(np.float32))
    sizes = []

    def fit_wide(observations, positions, *, stars, sigma=10.0):
        sizes.extend(map(len, positions))
        fits = []
        for cutout, places in zip(observations, positions, strict=True):
            widths = [sigma, *[SIGMA] * (len(places) - 1)]
            each = np.concatenate(
                [gaussians(place[None], cutout.shape, width) for place, width in zip(places, widths, strict=True)]
            )
            flux = np.linalg.lstsq(each.reshape(len(each), -1).T, cutout.image[0].ravel(), rcond=None)[0]
            images = (flux[:, None, None] * each)[:, None] * np.ones((1, 2, 1, 1))
            fits.append(Placed([cutout], None, images, 0.0, places))
        return fits

    outline = {"a": [10.0], "b": [10.0], "theta": [0.0], "npix": [1200]}
    alone = sources_from_table(Table({"x": [50.0], "y": [45.0], **outline}), FWHM)
    first = fit_rounds(seen, alone, fit_wide, rounds=2, **OPTIONS)
    sizes.clear()
    sources = look_again(seen, first, fit_wide, min_snr=5.0, **OPTIONS)
    assert sizes == [2, 4, 5, 5]  # the strongest alone, two more, the last; and all of them again
    near = [np.min(np.hypot(*(source.position - where).T)) for source in sources[1:]]
    assert len(near) == len(where)
    np.testing.assert_array_less(near, SIGMA / 2)  # positions do not move here, to where the wide model is right


def test_what_was_tried_in_vain_is_not_tried_for_ever(observation):
    """Fits that fail leave no light; what was detected stays with them, what was added does not."""
    calls = []

    def failing(observations, positions, *, stars):
        calls.append(sum(map(len, positions)))
        return [
            Placed(fit.observations, fit.catalog, np.full_like(fit.images, np.nan), fit.chi2, fit.positions)
            for fit in fitted(observations, positions, stars=stars)
        ]

    first = fit_rounds(observation, detected(slice(1)), failing, rounds=1, **OPTIONS)
    sources = look_again(observation, first, failing, min_snr=5.0, **OPTIONS)
    assert [source.seed.tolist() for source in sources] == WHERE[:1].tolist()
    assert len(calls) <= 6


@pytest.mark.parametrize("given", [True, False])
def test_what_is_too_faint_goes_unless_it_was_given(observation, given):
    nothing = np.array([[80.0, 20.0]])
    first = fit_rounds(observation, [*detected(slice(None)), *sources_at(nothing, FWHM)], fitted, rounds=2, **OPTIONS)
    sources = look_again(observation, first, fitted, min_snr=5.0, given=given, **OPTIONS)
    seeds = [source.seed.tolist() for source in sources]
    assert seeds == [*WHERE.tolist(), *(nothing.tolist() if given else [])]


def test_a_clean_residual_changes_nothing(observation):
    def not_called(*args, **options):
        raise AssertionError("there was nothing to fit")

    first = fit_rounds(observation, detected(slice(None)), fitted, rounds=3, **OPTIONS)
    left = np.asarray(observation.image) - total_model(first, observation.image.shape)
    assert np.mean(left**2) == pytest.approx(1, abs=0.1)
    assert look_again(observation, first, not_called, min_snr=5.0, **OPTIONS) == first
