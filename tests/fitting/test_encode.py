"""Answers of encoders: near the fit before any training, in any bands, and what wrong input gets."""

import jax
import numpy as np
import pytest

import jaxblend as jb

pytest.importorskip("flax")

from jaxblend.fitting import encode as verb
from jaxblend.nets.deblending_encoder import write_encoder
from jaxblend.nets.normal import Normal
from jaxblend.nets.sizes import EncoderSize, make_encoder
from jaxblend.priors import population_prior

BANDS = "gri"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """One that knows nothing: it answers with the models that a few steps make of the prior's means."""
    size = EncoderSize(side=15, patch=5, width=8, blocks=1)
    path = tmp_path_factory.mktemp("encoder") / "encoder.safetensors"
    write_encoder(make_encoder(size, len(BANDS), jax.random.key(0)), size, BANDS, 0.2, {"data": "none"}, path)
    return jb.DeblendingEncoder.load(path)


@pytest.fixture(scope="module")
def blend():
    options = {"n_sources": 2, "stamp_size": 32, "noise": "sky", "max_offset": 1.5}
    return jb.simulate(jb.get_survey("LSST", "ir"), key=jax.random.key(5), **options)


@pytest.fixture(scope="module")
def answer(encoder, blend):
    return jb.encode(blend.observation, blend.positions, encoder=encoder)


def test_the_answer_is_near_the_fit(answer, blend):
    fit = jb.fit(blend.observation, blend.positions)
    assert answer.quantity_names == fit.quantity_names
    apart = np.abs(answer.quantities - fit.quantities) / fit.errors
    assert apart.max() < 3
    assert np.median(apart) < 1
    np.testing.assert_allclose(answer.chi2, fit.chi2, rtol=0.1)
    # It has not gone all the way, and says so.
    assert (answer.errors > 0.9 * fit.errors).all()
    assert (np.abs(answer.quantities - fit.quantities) < 2 * answer.errors).all()


def test_it_has_a_catalogue_images_and_draws(answer, blend):
    assert answer.catalog["flux_r"].shape == (2,)
    assert answer.images.shape == (2, 2, 32, 32)
    draws = jb.sample(answer, key=jax.random.key(0), method="laplace", n_draws=2000)
    flux = answer.quantity_names.index("log_flux_r")
    np.testing.assert_allclose(draws.of("log_flux_r").std(0), answer.errors[:, flux], rtol=0.1)


def test_many_blends_are_as_each_alone(encoder, blend, answer):
    bad = blend.positions + np.nan
    with pytest.warns(jb.JaxblendWarning, match="blend 1: positions"):
        found = jb.encode_batch([blend.observation] * 3, [blend.positions, bad, blend.positions], encoder=encoder)
    assert [fit.outcome for fit in found] == [jb.Outcome.CONVERGED, jb.Outcome.FAILED, jb.Outcome.CONVERGED]
    for fit in found[::2]:
        np.testing.assert_allclose(fit.quantities, answer.quantities, rtol=1e-3, atol=1e-3)


def test_bands_are_known_by_their_names(encoder):
    """What is said of all bands, carried to two of them in another order, is the same physical galaxy."""
    full = population_prior(jb.BulgeDisk(), BANDS, zero_point=[26.0, 27.0, 28.0], position_scatter=0.2)
    own = population_prior(jb.BulgeDisk(), "ig", zero_point=[28.0, 26.0], position_scatter=0.2)
    u = jax.numpy.asarray(np.random.default_rng(0).normal(0, 0.7, full.size), float)
    entries = np.asarray(verb._entries(np.array([2, 0]), 3, full.size))
    assert [full.names[i] for i in entries] == list(own.names)
    vector = np.asarray(full.physical(u))[entries]
    carried = verb._before_bounds(own).inverse(verb._before_bounds(full).transform(u)[entries])
    np.testing.assert_allclose(own.physical(carried), vector, rtol=1e-4, atol=1e-5)


def test_a_file_holds_what_was_written(encoder, tmp_path):
    size = EncoderSize(**encoder.card["size"])
    path = write_encoder(encoder.networks, size, encoder.bands, 0.2, {}, tmp_path / "again.safetensors")
    again = jb.DeblendingEncoder.load(path)
    for one, other in zip(jax.tree.leaves(encoder.networks), jax.tree.leaves(again.networks), strict=True):
        np.testing.assert_array_equal(one, other)
    assert path.stat().st_mode & 0o444 == 0o444


def test_other_files_are_refused(tmp_path):
    size = EncoderSize(side=15, width=8, blocks=1)
    path = write_encoder(make_encoder(size, 2, jax.random.key(0)), size, "gri", 0.2, {}, tmp_path / "wrong.safetensors")
    with pytest.raises(ValueError, match="other arrays than its card says"):
        jb.DeblendingEncoder.load(path)
    from importlib.resources import files

    galaxies = files("jaxblend.nets").joinpath("weights", "default.safetensors")
    with pytest.raises(ValueError, match="expected 'deblending encoder'"):
        jb.DeblendingEncoder.load(str(galaxies))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixel_scale": 0.17}, r"pixels of 0\.17 arcsec are none for this encoder, which knows 0\.2"),
        ({"bands": ["r", "K"]}, r"bands \['K'\] are none of this encoder, which knows \['g', 'r', 'i'\]"),
    ],
)
def test_images_of_other_kinds_are_refused(encoder, change, message):
    given = {"pixel_scale": 0.2, "bands": ["r", "i"]} | change
    observation = jb.Observation(np.zeros((2, 32, 32)), 1.0, jb.GaussianPSF(fwhm=0.8), **given)
    with pytest.raises(ValueError, match=message):
        jb.encode(observation, [[15.0, 15.0]], encoder=encoder)


def test_what_is_said_does_not_hold_for_several_images(encoder, blend):
    with pytest.raises(ValueError, match="takes one observation, got 2"):
        jb.encode_batch([(blend.observation,) * 2], [blend.positions], encoder=encoder, on_error="raise")


def test_a_normal_has_its_errors():
    normal = Normal.of(jax.numpy.asarray(np.random.default_rng(0).normal(size=(3, Normal.numbers(2)))), 2)
    inverse = np.linalg.inv(np.asarray(normal.narrow))
    covariance = inverse @ np.swapaxes(inverse, 1, 2)
    np.testing.assert_allclose(normal.errors(), np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), rtol=1e-4)
