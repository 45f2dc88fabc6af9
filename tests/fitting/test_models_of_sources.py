"""A galaxy model for each source, blend by blend."""

import jax
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.forward.free_form import Lattice

FREE = jb.FreeForm(Lattice.of(2, spacing=0.9, reach=2.5, correlation=0.6, contrast=0.8))
PLACES = np.array([[5.0, 6.0], [10.0, 9.0]])


def observation(seed=0):
    y, x = np.mgrid[:16, :16]
    light = sum(f * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 6) for f, (a, b) in zip((60.0, 30.0), PLACES, strict=True))
    image = (light + np.random.default_rng(seed).normal(size=light.shape))[None]
    return jb.Observation(image, 1.0, jb.GaussianPSF(0.7), pixel_scale=0.2, bands="r", zero_point=27.0)


@pytest.fixture(scope="module")
def fits():
    """Two blends with the models of their sources in another order, the first once more, and one with a wrong list."""
    models = [[FREE, jb.BulgeDisk()], [jb.BulgeDisk(), FREE], [FREE, jb.BulgeDisk()], [FREE]]
    observations = [observation(0), observation(1), observation(0), observation(0)]
    with pytest.warns(jb.JaxblendWarning, match="blend 3: model must be one galaxy model, or a list of 2"):
        return jb.fit_batch(observations, [PLACES] * 4, model=iter(models), batch_size=3)


def test_each_blend_has_its_own_models_in_the_order_of_its_sources(fits):
    assert [fit.context["models"] for fit in fits[:2]] == [["FreeForm", "BulgeDisk"], ["BulgeDisk", "FreeForm"]]
    assert list(fits[1].catalog["model"]) == ["BulgeDisk", "FreeForm"]
    assert all(fit.outcome is jb.Outcome.CONVERGED for fit in fits[:3])
    np.testing.assert_array_equal(fits[0].quantities, fits[2].quantities)
    for fit in fits[:2]:  # the total of a Gaussian of this size
        flux = np.exp(fit.quantities[:, fit.quantity_names.index("log_flux_r")])
        sigma = fit.errors[:, fit.quantity_names.index("log_flux_r")]
        assert (np.abs(np.log(flux / (np.pi * 6 * np.array([60.0, 30.0])))) < 4 * sigma).all()


def test_what_a_source_does_not_use_stays_at_its_prior(fits):
    latent = [fits[0].item.prior.names.index(name) for name in ("z0_1", "z1_1")]
    used = np.abs(fits[0].result.u[:, latent])
    assert (used[1] < 1e-3).all()
    assert (used[0] > 1e-3).any()


def test_a_wrong_list_is_flagged_and_the_rest_go_on(fits):
    assert fits[3].outcome is jb.Outcome.FAILED
    assert "got 1: [FreeForm]" in fits[3].context["message"]
    assert len(fits[3].catalog) == 2


def test_a_mix_is_sampled(fits):
    posterior = jb.sample(fits[0], key=jax.random.key(0), method="laplace", n_draws=200)
    flux = np.asarray(posterior.summary()["flux_r"])
    np.testing.assert_allclose(flux, fits[0].catalog["flux_r"], rtol=0.3)


@pytest.mark.parametrize("wrong", ["text", 3, 0.5])
def test_what_is_no_model_is_refused_at_the_door(wrong):
    with pytest.raises((ValueError, TypeError), match="model"):
        jb.fit_batch([observation()], [PLACES], model=wrong)


@pytest.mark.parametrize(
    ("option", "value"), [("model", []), ("stars", []), ("model", [FREE, FREE]), ("stars", [None, None])]
)
def test_numbers_of_entries_that_differ_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option}.* differ in number|differ in number: {option}"):
        jb.fit_batch([observation()], [PLACES], **{option: value})


@pytest.mark.parametrize("entry", [[], [jb.BulgeDisk], ["text", "text"], "text", 3, [jb.Star(), jb.BulgeDisk()]])
def test_a_wrong_entry_raises_its_message(entry):
    with pytest.raises((ValueError, TypeError), match="model"):
        jb.fit_batch([observation()], [PLACES], model=[entry], on_error="raise")


def test_only_fit_takes_a_model_for_each_source():
    with pytest.raises((ValueError, TypeError), match="model"):
        jb.deblend(observation(), model=[FREE, FREE])
