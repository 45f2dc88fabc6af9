from dataclasses import replace

import galsim
import jax
import numpy as np
import pytest

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import observe, simulate
from jaxblend.simulation.galsim_truth import draw_isolated
from jaxblend.simulation.layouts import Pair
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.profiles import galsim_sources
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.sampler import BlendSampler
from jaxblend.simulation.sources import SkySources

KEY = jax.random.key(3)
SHAPE = (40, 40)


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="ri")


@pytest.fixture(scope="module")
def spiral():
    """Lopsided, so that turning it shows."""
    return galsim.Exponential(half_light_radius=0.5, flux=7.0) + galsim.Gaussian(sigma=0.2).shift(0.5, 0.2)


@pytest.fixture(scope="module")
def sources(spiral):
    return galsim_sources([spiral, galsim.Gaussian(sigma=0.4)], [[21.0, 20.5], [20.0, 20.0]], bands=("r", "i"))


def drawn(profile, survey, band, offset):
    seen = galsim.Convolve(profile.shift(*offset), survey_psfs(survey)[band])
    return seen.drawImage(nx=SHAPE[1], ny=SHAPE[0], scale=survey.pixel_scale, dtype=float).array


def test_an_object_is_drawn_with_the_flux_of_its_magnitude(survey, spiral, sources):
    offset = np.array([0.3, -0.2])
    position = offset / survey.pixel_scale + 19.5
    images = draw_isolated(sources, [position, position], survey, psfs=survey_psfs(survey), shape=SHAPE)
    for band, magnitude in enumerate((21.0, 20.5)):
        flux = 10 ** (-0.4 * (magnitude - survey.zero_point[band]))
        expected = drawn(spiral.withFlux(flux), survey, band, offset)
        np.testing.assert_allclose(images[0, band], expected, atol=1e-5 * expected.max())


def test_an_object_is_turned_and_then_sheared(survey, spiral, sources):
    changed = sources.take([0]).rotated(np.array([0.7])).sheared(np.array([0.1, -0.05]))
    image = draw_isolated(changed, [(19.5, 19.5)], survey, psfs=survey_psfs(survey), shape=SHAPE)[0, 0]
    profile = spiral.withFlux(sources.flux(survey)[0, 0]).rotate(0.7 * galsim.radians).shear(g1=0.1, g2=-0.05)
    expected = drawn(profile, survey, 0, (0.0, 0.0))
    np.testing.assert_allclose(image, expected, atol=1e-5 * expected.max())
    plain = drawn(spiral.withFlux(sources.flux(survey)[0, 0]), survey, 0, (0.0, 0.0))
    assert np.abs(expected - plain).max() > 0.05 * plain.max()


def test_blends_of_objects_and_of_bulges_and_disks(survey, sources):
    blend = simulate(survey, key=KEY, catalog=sources, layout=Pair(1.5), stamp_size=40, rotate=True, shear=(0.02, 0.0))
    assert set(blend.truth["kind"]) == {"galaxy"}
    for name in ("radius", "g1", "g2", "bulge_fraction"):
        assert np.isnan(np.asarray(blend.truth[name])).all()
    assert np.isfinite(blend.truth["snr"]).all()
    usual = draw_population(np.random.default_rng(0), 2, survey, max_magnitude=21.0)
    both = SkySources.concatenate(usual, sources)
    offsets = [(-1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.0, -1.0)]
    together = observe(both.rotated(np.zeros(4)), offsets, survey, key=KEY, stamp_size=40, noise=False)
    alone = observe(sources, offsets[2:], survey, key=KEY, stamp_size=40, noise=False)
    first = observe(usual, offsets[:2], survey, key=KEY, stamp_size=40, noise=False)
    np.testing.assert_array_equal(together.isolated[2:], alone.isolated)
    np.testing.assert_array_equal(together.isolated[:2], first.isolated)


def test_what_only_some_have_is_lost_in_concatenation(survey):
    one, other = (draw_population(np.random.default_rng(i), 2, survey) for i in range(2))
    placed = replace(one, place=np.zeros((2, 2)))
    assert SkySources.concatenate(placed, other).place is None
    assert SkySources.concatenate(placed, placed).place.shape == (4, 2)
    with pytest.raises(ValueError, match="expected the same in all"):
        SkySources.concatenate(one, other.in_bands(("r",)))


def test_wrong_objects_are_refused(survey, sources, spiral):
    with pytest.raises(ValueError, match=r"shape \(1, 1\) for 1 objects"):
        galsim_sources([spiral], [[20.0]], bands=("r", "i"))
    with pytest.raises(ValueError, match="finite numbers"):
        galsim_sources([spiral], [[20.0, np.nan]], bands=("r", "i"))
    with pytest.raises(ValueError, match="GalSim profiles"):
        BlendSampler.of(survey, catalog=sources)
