import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from jaxblend.fitting.prepare import prepare
from jaxblend.forward.galaxies import BulgeDisk, Sersic
from jaxblend.forward.psf import GaussianPSF
from jaxblend.io.surveys import get_survey
from jaxblend.priors.prior import parameter_names
from jaxblend.simulation.device import _draw_noise, draw_blend, draw_blends, stream_blends
from jaxblend.simulation.galsim_truth import accurate_gsparams, draw_isolated
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.sampler import BlendSampler
from jaxblend.simulation.sources import SkySources

KEY = jax.random.key(5)
STAMP = 40


@pytest.fixture(scope="module")
def survey():
    return get_survey("LSST", bands="ri")


@pytest.fixture(scope="module")
def sampler(survey):
    return BlendSampler.of(survey, max_sources=3, stamp_size=STAMP)


@pytest.fixture(scope="module")
def blends(sampler):
    return draw_blends(sampler, 6, key=KEY)


@pytest.fixture(scope="module")
def wider(survey, sampler):
    """The same blends with more padding and a slot more."""
    wide = BlendSampler.of(survey, prior=sampler.prior, max_sources=4, stamp_size=STAMP, padding=6)
    return draw_blends(wide, 6, key=KEY)


@pytest.fixture(scope="module")
def simple(survey):
    """One band and few pixels, for statistics."""
    return BlendSampler.of(survey.only("r"), max_sources=4, stamp_size=8, source_noise=False)


@pytest.fixture(scope="module")
def many(simple):
    return draw_blends(simple, 1000, key=KEY)


def parameters(blend):
    """Without the images, which are then not computed under jit."""
    return eqx.tree_at(lambda b: (b.isolated, b.image), blend, (None, None))


def as_catalogue(vectors, survey):
    """GalSim's side: the sources (n) that physical vectors (n, D) describe, read by the names of their entries."""
    n = len(vectors)
    entry = dict(zip(parameter_names(BulgeDisk(), survey.bands), vectors.T.astype(float), strict=True))
    disk_g = np.stack([entry["g1"], entry["g2"]], axis=1)
    return SkySources(
        bands=survey.bands,
        magnitude=survey.magnitude(np.exp(np.stack([entry[f"log_flux_{b}"] for b in survey.bands], axis=1))),
        bulge_fraction=expit(np.stack([entry[f"logit_fraction0_{b}"] for b in survey.bands], axis=1)),
        point_fraction=np.zeros((n, len(survey.bands))),
        bulge_radius=np.exp(entry["log_radius"] + entry["log_ratio"]),
        disk_radius=np.exp(entry["log_radius"]),
        bulge_g=entry["shear_ratio"][:, None] * disk_g,
        disk_g=disk_g,
        redshift=np.full(n, np.nan),
        row=np.arange(n),
    )


def by_galsim(sources, offsets, survey):
    positions = offsets / survey.pixel_scale + 0.5 * (STAMP - 1)
    psfs, gsparams = survey_psfs(survey), accurate_gsparams()
    return draw_isolated(sources, positions, survey, psfs=psfs, shape=(STAMP, STAMP), gsparams=gsparams)


def assert_galsim_draws_the_same(blends, survey, tolerance):
    """Largest difference over the peak; ten times more for a galaxy that is larger than an eighth of the stamp."""
    for i in range(len(blends.image)):
        one = blends.one(i)
        sources = as_catalogue(one.vectors[one.present], survey)
        truth = by_galsim(sources, one.offsets[one.present], survey)
        difference = np.abs((one.isolated[one.present] - truth) / truth.max(axis=(2, 3), keepdims=True))
        large = np.maximum(sources.bulge_radius, sources.disk_radius) > STAMP * survey.pixel_scale / 8
        np.testing.assert_array_less(difference.max(axis=(1, 2, 3)), np.where(large, 10, 1) * tolerance)
        assert not one.isolated[~one.present].any()


def test_images_are_those_that_galsim_draws(survey, blends):
    assert_galsim_draws_the_same(blends, survey, 1e-3)


def test_with_more_padding_they_come_closer_to_galsim(survey, wider):
    assert_galsim_draws_the_same(jax.tree.map(lambda leaf: leaf[:3], wider), survey, 1e-5)


def test_a_catalogue_is_drawn_as_galsim_draws_it(survey, sampler):
    """Galaxies with one ellipticity and no nucleus, and stars: what the model holds to a percent."""
    catalog = draw_population(np.random.default_rng(1), 30, survey, star_fraction=0.3)
    options = {"min_sources": 8, "max_sources": 8, "stamp_size": STAMP}
    sampler = BlendSampler.of(survey, prior=sampler.prior, catalog=catalog, **options)
    one = draw_blends(sampler, 1, key=KEY).one(0)
    truth = by_galsim(catalog.take(one.row), one.offsets, survey)
    peak = truth.max(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(one.isolated / peak, truth / peak, atol=5e-3)
    np.testing.assert_array_equal(one.is_star, catalog.is_star[one.row])
    assert one.is_star.any()
    assert not one.is_star.all()


def test_rows_of_a_catalogue_are_equally_likely_and_keep_their_parameters(survey, simple):
    r = survey.only("r")
    catalog = draw_population(np.random.default_rng(1), 8, r)
    sampler = BlendSampler.of(r, prior=simple.prior, catalog=catalog, max_sources=4, stamp_size=8)
    keys = jax.random.split(KEY, 250)
    draw = jax.jit(lambda keys: jax.lax.map(lambda key: parameters(draw_blend(key, sampler)), keys))
    drawn = jax.tree.map(np.asarray, draw(keys))
    assert stats.chisquare(np.bincount(drawn.row.ravel(), minlength=8)).pvalue > 1e-3
    np.testing.assert_allclose(np.exp(drawn.vectors[..., 2]), catalog.flux(r)[drawn.row, 0], rtol=1e-4)
    again = jax.vmap(jax.vmap(sampler.prior.physical))(drawn.u)
    np.testing.assert_allclose(again, drawn.vectors, atol=1e-3)
    assert stats.kstest(drawn.u[..., :2].ravel(), "norm").pvalue > 1e-3


def assert_same(one, other):
    for name in ("u", "vectors", "seeds", "present", "row"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-5, atol=1e-6)
    peak = float(other.image.max())
    np.testing.assert_allclose(one.isolated / peak, other.isolated / peak, atol=1e-5)
    np.testing.assert_allclose(one.image / peak, other.image / peak, atol=1e-5)


def test_a_blend_does_not_depend_on_its_batch(sampler, blends):
    later = draw_blends(sampler, 3, key=KEY, first=2, batch_size=2)
    assert_same(later, jax.tree.map(lambda leaf: leaf[2:5], blends))
    assert np.all(np.asarray(blends.u[3]) != np.asarray(blends.u[4]))


def test_the_key_decides_everything(sampler, blends):
    again, other = (draw_blends(sampler, 6, key=key) for key in (KEY, jax.random.key(6)))
    np.testing.assert_array_equal(again.image, blends.image)
    assert np.all(np.asarray(other.u) != np.asarray(blends.u))


def test_a_source_is_the_same_with_more_slots_and_padding(blends, wider):
    np.testing.assert_allclose(wider.vectors[:, :3], blends.vectors, rtol=1e-5)
    np.testing.assert_array_equal(wider.seeds[:, :3], blends.seeds)


def test_jit_and_vmap_over_keys_and_over_the_leaves_of_samplers(sampler, blends):
    keys = jax.vmap(lambda i: jax.random.fold_in(KEY, i))(np.arange(2))
    transfers = jax.vmap(lambda share: share * sampler.transfer)(np.array([1.0, 0.5], np.float32))

    def one(key, transfer):
        return draw_blend(key, eqx.tree_at(lambda s: s.transfer, sampler, transfer))

    drawn = jax.jit(jax.vmap(one))(keys, transfers)
    assert_same(*(jax.tree.map(lambda leaf: leaf[0], b) for b in (drawn, blends)))
    peak = float(blends.isolated[1].max())
    np.testing.assert_allclose(drawn.isolated[1] / peak, 0.5 * blends.isolated[1] / peak, atol=1e-5)


def test_whitened_parameters_are_standard_normal(many):
    u = np.asarray(many.u).reshape(-1, many.u.shape[-1])
    n = len(u)
    assert stats.kstest(u.ravel(), "norm").pvalue > 1e-3
    np.testing.assert_allclose(u.mean(axis=0), 0, atol=4 / np.sqrt(n))
    np.testing.assert_allclose(np.cov(u.T), np.eye(u.shape[1]), atol=5 * np.sqrt(2 / n))


def test_numbers_and_places_are_uniform(simple, many):
    count = np.asarray(many.present).sum(axis=1)
    assert stats.chisquare(np.bincount(count, minlength=5)[1:]).pvalue > 1e-3
    assert np.all(np.diff(np.asarray(many.present).astype(int), axis=1) <= 0)
    seeds = np.asarray(many.seeds)
    assert stats.kstest(seeds.ravel(), "uniform", args=(-2.4, 4.8)).pvalue > 1e-3
    scatter = (np.asarray(many.offsets) - seeds).std()
    assert scatter == pytest.approx(0.2, rel=0.05)


def test_noise_has_the_variance_of_the_sky(simple, many):
    noise = np.asarray(many.image - many.isolated.sum(axis=1))
    assert noise.var() == pytest.approx(float(simple.sky_variance[0]), rel=0.03)
    assert noise.mean() == pytest.approx(0, abs=4 * noise.std() / np.sqrt(noise.size))
    neighbours = np.mean(noise[..., 1:] * noise[..., :-1]) / noise.var()
    assert neighbours == pytest.approx(0, abs=0.02)


def test_the_light_of_the_sources_adds_to_the_noise(simple):
    sampler = dataclasses.replace(simple, source_noise=True)
    sky = float(sampler.sky_variance[0])
    scene = sky * jnp.linspace(-0.1, 3.0, 64).reshape(1, 8, 8)
    noise = jax.vmap(lambda key: _draw_noise(key, scene, sampler))(jax.random.split(KEY, 10_000))
    np.testing.assert_allclose(noise.var(axis=0), sky + scene.clip(0), rtol=0.07)
    assert float(jnp.mean(noise**2 / (sky + scene.clip(0)))) == pytest.approx(1.0, rel=0.01)


def test_an_observation_of_a_blend_has_the_prior_of_a_fit(survey, sampler, blends):
    observation = sampler.observation(blends, 2, variance="sky")
    np.testing.assert_array_equal(observation.image, np.float32(blends.image[2]))
    np.testing.assert_allclose(observation.weight[:, 3, 4], 1 / survey.sky_level, rtol=1e-5)
    assert observation.bands == survey.bands
    assert observation.frame.oversampling == sampler.frame.oversampling
    seeds = sampler.frame.sky_to_pixel(np.asarray(blends.seeds[2]))
    item = prepare([observation], seeds, model=BulgeDisk())
    np.testing.assert_allclose(item.seeds[:3], blends.seeds[2], atol=1e-5)
    physical = item.prior.physical(blends.u[2, 0])
    np.testing.assert_allclose(physical, blends.vectors[2, 0], rtol=1e-4, atol=1e-5)
    with_light = sampler.observation(blends, 2)
    scene = np.asarray(blends.isolated[2].sum(axis=0)).clip(0)
    np.testing.assert_allclose(1 / with_light.weight, survey.sky_level[:, None, None] + scene, rtol=1e-4)
    one = jax.tree.map(lambda leaf: leaf[2], blends)
    np.testing.assert_array_equal(sampler.observation(one).weight, with_light.weight)


def test_any_psf_and_any_model(survey):
    sampler = BlendSampler.of(survey.only("r"), model=Sersic(), psf=GaussianPSF(0.7), max_sources=1, stamp_size=16)
    drawn = jax.eval_shape(lambda key: draw_blend(key, sampler), KEY)
    assert drawn.image.shape == (1, 16, 16)
    assert drawn.u.shape == (1, 7)


def test_wrong_input_is_refused(survey, sampler, blends):
    def of(**options):
        return BlendSampler.of(survey, **options)

    for options, message in [
        ({"min_sources": 0}, "min_sources=0 and max_sources=5"),
        ({"min_sources": 3, "max_sources": 2}, "1 <= min <= max"),
        ({"stamp_size": 2}, "stamp_size=2"),
        ({"max_offset": -1.0}, "max_offset=-1.0"),
        ({"padding": 0.5}, "padding"),
        ({"prior": sampler.prior, "model": Sersic()}, r"parameters a source, expected 8 for Sersic"),
        ({"psf": GaussianPSF([0.7, 0.7, 0.7])}, "3 bands for the 2 bands"),
        ({"catalog": draw_population(np.random.default_rng(0), 2, survey), "model": Sersic()}, "expected BulgeDisk"),
        ({"catalog": draw_population(np.random.default_rng(0), 2, survey).take([])}, "0 sources"),
        ({"catalog": draw_population(np.random.default_rng(0), 2, survey.only("r"))}, r"\['i'\] were asked for"),
    ]:
        with pytest.raises(ValueError, match=message):
            of(**options)
    dark = draw_population(np.random.default_rng(0), 3, survey)
    dark.magnitude[1] = np.inf
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match=r"1 of 3 sources .* first at row 1"):
        of(prior=sampler.prior, catalog=dark)
    with pytest.raises(ValueError, match="n=0"):
        draw_blends(sampler, 0, key=KEY)
    with pytest.raises(ValueError, match="first=-1"):
        draw_blends(sampler, 2, key=KEY, first=-1)
    with pytest.raises(TypeError, match="typed key"):
        draw_blends(sampler, 2, key=jax.random.PRNGKey(0))
    for index in (None, 6):
        with pytest.raises(ValueError, match=f"index={index}"):
            sampler.observation(blends, index)
    with pytest.raises(ValueError, match="variance='all'"):
        sampler.observation(blends, 0, variance="all")


def test_a_stream_is_the_same_blends_and_goes_on_anywhere(sampler):
    key = jax.random.key(5)
    stream = stream_blends(sampler, 2, key=key)
    batches = [next(stream) for _ in range(2)]
    later = next(stream_blends(sampler, 2, key=key, first=2))
    np.testing.assert_array_equal(batches[1].image, later.image)
    np.testing.assert_array_equal(batches[0].image, draw_blends(sampler, 2, key=key).image)
