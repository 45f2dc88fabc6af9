"""The pixels of the device backend against GalSim's, for the same keys."""

import dataclasses

import galsim
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxblend.io.surveys import get_survey
from jaxblend.simulation import Artefacts, Cluster, Density, Pair, Selection, VaryingPSF, galsim_sources, observe
from jaxblend.simulation.blend import simulate, simulate_blends
from jaxblend.simulation.device_noise import counted
from jaxblend.simulation.galsim_truth import accurate_gsparams
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.streams import NOISE, SURVEYS, Streams, generator
from jaxblend.simulation.together import simulate_surveys

KEY = jax.random.key(21)
STAMP = 40
OFF_CENTRE = galsim.Gaussian(fwhm=0.7).shear(g1=0.1, g2=0.05) * 0.8 + galsim.Gaussian(fwhm=0.6).shift(0.3, -0.2) * 0.2


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="ri")


def both(survey, n=2, gsparams=None, **options):
    options = {"stamp_size": STAMP, "max_sources": 3, "noise": False} | options
    if "layout" in options:
        del options["max_sources"]
    accuracy = {"galsim": {"gsparams": gsparams}, "device": {}}
    return [
        list(simulate_blends(survey, n, key=KEY, backend=backend, **given, **options))
        for backend, given in accuracy.items()
    ]


def assert_same_truth(one, other):
    assert one.truth.meta == other.truth.meta
    assert one.truth.colnames == other.truth.colnames
    for name in one.truth.colnames:
        if name in ("snr", "blendedness"):  # measured on the images
            np.testing.assert_allclose(other.truth[name], one.truth[name], rtol=1e-4, atol=1e-3)
        else:
            np.testing.assert_array_equal(one.truth[name], other.truth[name])


def assert_same(truths, drawn, tolerance=5e-5):
    for one, other in zip(truths, drawn, strict=True):
        peak = one.isolated.max(axis=(2, 3), keepdims=True)
        np.testing.assert_allclose(other.isolated / peak, one.isolated / peak, atol=tolerance)
        scene, seen = one.observation.image, other.observation.image
        peak = scene.max(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(seen / peak, scene / peak, atol=tolerance)
        np.testing.assert_array_equal(other.positions, one.positions)
        np.testing.assert_allclose(other.observation.weight, one.observation.weight, rtol=1e-3)
        assert_same_truth(one, other)


@pytest.mark.parametrize(("name", "bands"), [("LSST", "uy"), ("Euclid_VIS", None), ("HSC", "ry")])
def test_images_and_truth_are_those_of_galsim(name, bands):
    survey = get_survey(name, bands=bands)
    band = survey.bands[-1]
    options = {"rotate": True, "shear": (0.05, 0.02), "dither": True}
    options["selection"] = Selection(max_magnitude=24.5, magnitude_band=band, min_snr=5.0)
    assert_same(*both(survey, 3, **options))


LAYOUTS = [Density(120.0), Pair(separation=0.8), Cluster(richness=6, radius=2.0)]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: type(layout).__name__)
def test_layouts_are_those_of_galsim(survey, layout):
    assert_same(*both(survey.only("i"), 1, layout=layout))


def test_any_psf_and_one_that_varies(survey):
    for psf in (OFF_CENTRE, "moffat"):
        assert_same(*both(survey.only("i"), 1, accurate_gsparams(), psf=psf))
    truths, drawn = both(survey.only("i"), 2, psf=VaryingPSF(width_scatter=0.2))
    assert_same(truths, drawn)
    one, other = (jax.tree.leaves(blends[1].observation.psf) for blends in (truths, drawn))
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_psfs_sharper_than_the_typical_one(survey):
    def psf(rng):
        return galsim.Gaussian(fwhm=rng.choice([0.25, 0.8]))

    assert_same(*both(survey.only("i"), 4, accurate_gsparams(), psf=psf, max_sources=1))


def bulge(radius, g):
    one, no = np.ones((1, 1)), np.zeros((1, 1))
    return SkySources(
        bands=("i",),
        magnitude=20 * one,
        bulge_fraction=one,
        point_fraction=no,
        bulge_radius=np.array([radius]),
        disk_radius=np.zeros(1),
        bulge_g=np.array([g]),
        disk_g=np.full((1, 2), np.nan),
        redshift=np.zeros(1),
        row=np.zeros(1, int),
    )


def test_a_galaxy_larger_than_the_stamp_at_its_edge(survey):
    options = {"key": KEY, "stamp_size": STAMP, "noise": False}
    sources = bulge(2.0, (0.3, -0.4)), [(3.9, -3.8)], survey.only("i")
    truth = observe(*sources, gsparams=accurate_gsparams(), **options)
    assert_same([truth], [observe(*sources, backend="device", **options)])


def test_a_blend_depends_on_its_key_alone(survey):
    options = {"stamp_size": STAMP, "max_sources": 3, "backend": "device", "psf": VaryingPSF(band_scatter=0.1)}
    whole = list(simulate_blends(survey, 3, key=KEY, **options))
    for other in (
        list(simulate_blends(survey, 3, key=KEY, batch_size=1, **options)),
        list(simulate_blends(survey, 5, key=KEY, batch_size=2, **options))[:3],
        [simulate(survey, key=jax.random.fold_in(KEY, i), **options) for i in range(3)],
    ):
        for one, two in zip(whole, other, strict=True):
            np.testing.assert_array_equal(one.observation.image, two.observation.image)
            np.testing.assert_array_equal(one.isolated, two.isolated)
    assert np.any(whole[0].observation.image != whole[1].observation.image)


def test_the_same_sky_by_two_surveys_on_the_device(survey):
    surveys = [survey, get_survey("Euclid_VIS")]
    options = {"key": KEY, "stamp_size": 24, "n_sources": 1, "noise": False}
    assert_same(simulate_surveys(surveys, **options), simulate_surveys(surveys, backend="device", **options))


def test_seeds_and_defects_are_those_of_galsim(survey):
    artefacts = Artefacts(bad_columns=1.0, cosmic_rays=1.0, saturation=1e6)
    truths, drawn = both(survey, 2, decentring="pixel", artefacts=artefacts)
    assert_same(truths, drawn)
    for one, other in zip(truths, drawn, strict=True):
        np.testing.assert_array_equal(other.seeds, one.seeds)
    found = simulate(survey, key=KEY, stamp_size=STAMP, decentring="peak", backend="device")
    assert found.detected.any()
    assert np.hypot(*(found.seeds - found.positions)[found.detected].T).max() < 0.81 / 0.2


def residuals(survey, magnitude, n=200, **options):
    """What is not light of the one source, the same in n blends; and the weight."""
    source = draw_population(np.random.default_rng(0), 50, survey, max_magnitude=24.0, star_fraction=0.0)
    source = source.take([int(np.argmin(np.abs(source.magnitude[:, -1] - magnitude)))])
    options |= {"catalog": source, "n_sources": 1, "max_offset": 0.0, "selection": Selection(min_snr=0.0)}
    blends = list(simulate_blends(survey, n, key=KEY, stamp_size=16, backend="device", **options))
    image = np.stack([blend.observation.image for blend in blends]).astype(float)
    return image - blends[0].isolated.sum(axis=0), blends[0].observation.weight


@pytest.mark.parametrize("noise", ["poisson", "gaussian", "sky"])
def test_noise_has_the_stated_variance(survey, noise):
    residual, weight = residuals(survey, 18.5, noise=noise, variance="sky" if noise == "sky" else "model")
    scaled = residual * np.sqrt(weight)
    centre = scaled[..., 6:10, 6:10]
    for values in (scaled, centre):
        assert np.mean(values**2) == pytest.approx(1.0, abs=4 * np.sqrt(2 / values.size))
        assert np.mean(values) == pytest.approx(0.0, abs=4 / np.sqrt(values.size))


def test_noise_has_the_stated_correlation(survey):
    correlation = np.outer([0.3, 1.0, 0.3], [0.3, 1.0, 0.3])
    residual, weight = residuals(survey, 23.0, noise="sky", noise_correlation=correlation)
    scaled = residual * np.sqrt(weight)
    assert np.mean(scaled**2) == pytest.approx(1.0, abs=0.02)
    assert np.mean(scaled[..., 1:] * scaled[..., :-1]) == pytest.approx(0.3, abs=0.02)


def test_few_counts_are_poisson(survey):
    dark = dataclasses.replace(survey.only("i"), sky_level=np.array([2.0]))
    faint = draw_population(np.random.default_rng(0), 200, dark, min_magnitude=24.9)
    options = {"catalog": faint, "n_sources": 1, "stamp_size": 64, "selection": Selection(min_snr=0.0)}
    blends = list(simulate_blends(dark, 3, key=KEY, backend="device", **options))
    sky = np.concatenate([b.observation.image[b.isolated.sum(0) < 0.05] for b in blends]) + 2.0
    assert sky.size > 500
    empty = np.exp(-2.0)
    assert np.mean(sky == 0) == pytest.approx(empty, abs=4 * np.sqrt(empty / sky.size))
    assert sky.min() == 0


@pytest.mark.parametrize("rate", [100.0, 1600.0])
def test_counts_have_the_quantiles_of_a_poisson_distribution(rate):
    probability = np.linspace(1e-5, 1 - 1e-5, 2001)
    counts = np.asarray(counted(jnp.full(2001, rate), jnp.asarray(stats.norm.ppf(probability))))
    exact = stats.poisson.ppf(probability, rate)
    assert np.abs(counts - exact).max() <= 1
    assert np.mean(counts != exact) < 0.02


def test_streams_are_those_of_the_keys():
    key = jax.random.fold_in(KEY, 70)
    for streams in (Streams.of(key), Streams.numbered(KEY, 3, 68)[67]):
        for stream in (NOISE, SURVEYS):
            expected = generator(key, stream).integers(2**60, size=3)
            np.testing.assert_array_equal(streams.generator(stream).integers(2**60, size=3), expected)


def test_what_the_device_cannot_draw_is_refused(survey):
    with pytest.raises(ValueError, match="Got backend='gpu'"):
        simulate(survey, key=KEY, backend="gpu")
    with pytest.raises(ValueError, match="gsparams"):
        simulate(survey, key=KEY, backend="device", gsparams=galsim.GSParams())
    with pytest.raises(ValueError, match="Got batch_size=0"):
        simulate_blends(survey, 2, key=KEY, backend="device", batch_size=0)
    catalog = galsim_sources([galsim.Gaussian(fwhm=1.0)], [[20.0, 20.0]], bands="ri")
    with pytest.raises(ValueError, match="GalSim profiles"):
        simulate_blends(survey, 2, key=KEY, backend="device", catalog=catalog)
