"""Odds of hypotheses: against what is known of the scene, and against each other's evidence."""

import dataclasses
import importlib

import equinox as eqx
import galsim
import jax
import numpy as np
import pytest

import jaxblend as jb

verb = importlib.import_module("jaxblend.sampling.compare")
MIDDLE = (15.5, 15.5)
PSF = galsim.Moffat(beta=3.0, fwhm=0.8)


def observed(*galaxies, noise=1.5, seed=0):
    image = galsim.Image(32, 32, scale=0.2)
    for galaxy in galaxies:
        galsim.Convolve(galaxy, PSF).drawImage(image, add_to_image=True)
    data = image.array + np.random.default_rng(seed).normal(0, noise, (32, 32))
    psf = jb.MoffatPSF(fwhm=0.8, beta=3.0)
    return jb.Observation(data[None], 1 / noise**2, psf, pixel_scale=0.2, bands="r", zero_point=31.5)


def disk(x=0.0, flux=1000.0):
    return galsim.Exponential(half_light_radius=0.3, flux=flux).shift(x, 0.0)


@pytest.fixture(scope="module")
def pair():
    """One and a half widths of the PSF apart."""
    return observed(disk(-0.6), disk(0.6))


@pytest.fixture(scope="module")
def compared(pair):
    return jb.compare_models(pair, jb.one_or_two(pair, MIDDLE), method="laplace")


def test_a_pair_is_two(pair, compared):
    assert compared.best == "two"
    assert compared.log_odds("two", "one") > 5
    places = np.sort(compared.fits[1].positions[:, 0])
    np.testing.assert_allclose(places, [12.5, 18.5], atol=0.5)
    assert compared.log_odds("two", "one") == -compared.log_odds("one", "two")
    assert compared.probabilities.sum() == pytest.approx(1)
    assert compared.table["sources"].tolist() == [1, 2]


def test_fits_of_two_shapes_are_sampled_in_their_order(compared):
    one, two = compared.fits
    fits, key = [two, one, two], jax.random.key(6)
    together = jb.sample_batch(fits, key=key, method="laplace")
    for i, (fit, posterior) in enumerate(zip(fits, together, strict=True)):
        assert posterior.fit is fit
        alone = jb.sample(fit, key=jax.random.fold_in(key, i), method="laplace")
        np.testing.assert_array_equal(posterior.quantities, alone.quantities)
    assert not np.array_equal(together[0].quantities, together[2].quantities)


def test_one_galaxy_is_not_split():
    single = observed(disk())
    compared = jb.compare_models(single, jb.one_or_two(single, MIDDLE), method="laplace")
    assert compared.best == "one"
    assert compared.posteriors == (None, None)


def test_a_bulge_with_its_disk_is_told_from_one_sersic_profile():
    hypotheses = [jb.Hypothesis("bulge and disk", [MIDDLE]), jb.Hypothesis("Sersic", [MIDDLE], model=jb.Sersic())]
    bulge, wide = (
        galsim.DeVaucouleurs(half_light_radius=0.12, flux=9e3),
        galsim.Exponential(half_light_radius=0.9, flux=21e3),
    )
    both = observed(bulge.shear(g1=0.1), wide.shear(g1=0.4))
    assert jb.compare_models(both, hypotheses, method="laplace").best == "bulge and disk"
    one = observed(galsim.Sersic(n=2.0, half_light_radius=0.6, flux=3e4).shear(g1=0.3))
    assert jb.compare_models(one, hypotheses, method="laplace").best == "Sersic"


@pytest.mark.slow
def test_both_estimates_of_the_evidence_agree(pair, compared):
    sampled = jb.compare_models(pair, jb.one_or_two(pair, MIDDLE), key=jax.random.key(0))
    assert sampled.best == "two"
    np.testing.assert_allclose(sampled.log_evidence, compared.log_evidence, atol=2.5)


@pytest.mark.slow
def test_a_star_is_told_from_a_galaxy():
    hypotheses = [jb.Hypothesis("galaxy", [MIDDLE]), jb.Hypothesis("star", [MIDDLE], stars=[True])]
    star = observed(galsim.DeltaFunction(flux=1000.0))
    laplace = jb.compare_models(star, hypotheses, method="laplace")
    assert laplace.best == "star"
    assert jb.compare_models(observed(disk()), hypotheses, method="laplace").best == "galaxy"
    sampled = jb.compare_models(star, hypotheses, key=jax.random.key(0))
    assert sampled.best == "star"
    assert all(posterior.method == "importance" for posterior in sampled.posteriors)
    np.testing.assert_allclose(sampled.log_evidence, laplace.log_evidence, atol=2.5)


def test_prior_odds_and_alternatives_count(pair):
    one, *two = jb.one_or_two(pair, MIDDLE)
    even = jb.compare_models(pair, [one, *two], method="laplace")
    rare = jb.compare_models(pair, jb.one_or_two(pair, MIDDLE, odds=0.01), method="laplace")
    assert rare.log_odds("two", "one") == pytest.approx(even.log_odds("two", "one") + np.log(0.01))
    # The same alternative twice is that alternative.
    twice = jb.compare_models(pair, [one, two[0], two[0]], method="laplace")
    alone = jb.compare_models(pair, [one, two[0]], method="laplace")
    np.testing.assert_allclose(twice.log_evidence, alone.log_evidence)
    # A mixture is the mean of its parts.
    parts = [jb.compare_models(pair, [one, part], method="laplace").log_evidence[1] for part in two]
    assert even.log_evidence[1] == pytest.approx(np.logaddexp.reduce(parts) - np.log(4))


@pytest.mark.parametrize(
    ("change", "expected", "error"),
    [
        ({"k_hat": 0.9}, "k-hat of 0.90, above 0.7", 0.2),
        ({"k_hat": np.inf, "log_evidence": np.nan}, "did not reach its posterior", np.nan),
        ({"k_hat": np.nan}, "has too few draws to tell", 0.2),
    ],
)
def test_evidence_that_cannot_be_trusted_is_warned_of(pair, monkeypatch, change, expected, error):
    def doubtful(fits, *, key, **options):
        found = {"log_evidence": -700.0, "log_evidence_error": 0.2, **change}
        return [dataclasses.replace(p, diagnostics=found) for p in jb.sample_batch(fits, key=key, method="laplace")]

    monkeypatch.setattr(verb, "sample_batch", doubtful)
    disks = [jb.Hypothesis(name, [MIDDLE], model=jb.Exponential()) for name in "ab"]
    with pytest.warns(jb.JaxblendWarning, match=expected):
        both = jb.compare_models(pair, disks, key=jax.random.key(0))
    np.testing.assert_allclose(both.log_evidence_error, error)
    assert np.isfinite(both.log_evidence).all()


def test_the_draws_of_a_hypothesis_are_those_of_an_alternative_that_was_sampled(pair, monkeypatch):
    near, other, far = (
        jb.Hypothesis(name, [place], model=jb.Exponential())
        for name, place in (("b", MIDDLE), ("a", MIDDLE), ("b", (28.0, 28.0)))
    )
    asked = []

    def fallen(fits, *, key, **options):
        asked.extend(fits)
        drawn = jb.sample_batch(fits, key=key, method="laplace")
        found = {"log_evidence": -1e5, "log_evidence_error": 0.2, "k_hat": 0.1}
        return [dataclasses.replace(posterior, diagnostics=found) for posterior in drawn]

    monkeypatch.setattr(verb, "sample_batch", fallen)
    both = jb.compare_models(pair, [other, far, near], key=jax.random.key(0))
    assert len(asked) == 2
    assert both.names == ("a", "b")
    assert both.fits[1] is both.posteriors[1].fit is asked[1]
    # The one that was not keeps its Laplace evidence, which has no error of its own.
    laplace = jb.fit(pair, far.positions, model=far.model).log_evidence
    assert -1e5 < laplace < asked[1].log_evidence - 6
    assert both.log_evidence[1] == pytest.approx(laplace - np.log(2))
    np.testing.assert_allclose(both.log_evidence_error, [0.2, 0.0])


def test_a_hypothesis_whose_fit_has_not_converged_is_warned_of(pair, monkeypatch):
    def stopped(*arguments, **options):
        found = jb.fit(*arguments, **options)
        return dataclasses.replace(found, result=eqx.tree_at(lambda r: r.decrement, found.result, np.float32(9.0)))

    monkeypatch.setattr(verb, "fit", stopped)
    disks = [jb.Hypothesis(name, [MIDDLE], model=jb.Exponential()) for name in "ab"]
    with pytest.warns(jb.JaxblendWarning, match=r"hypothesis '[ab]' at \[\[.*\]\] has not converged"):
        jb.compare_models(pair, disks, method="laplace")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"method": "nuts"}, "method must be importance or laplace"),
        ({"key": None}, "give key="),
        ({"hypotheses": [jb.Hypothesis("one", [MIDDLE])]}, "two names or more"),
        ({"hypotheses": ["one", "two"]}, "must be a list of jb.Hypothesis"),
        ({"hypotheses": [jb.Hypothesis("a", [MIDDLE]), jb.Hypothesis("b", [MIDDLE], odds=-1)]}, "odds of 'b'"),
        ({"hypotheses": [jb.Hypothesis("a", [MIDDLE]), jb.Hypothesis("b", [(np.nan, 1)])]}, "hypothesis 'b'"),
    ],
)
def test_wrong_arguments_of_a_comparison_are_named(pair, change, expected):
    options = {"hypotheses": jb.one_or_two(pair, MIDDLE), "key": jax.random.key(0), **change}
    with pytest.raises(ValueError, match=expected):
        jb.compare_models(pair, **options)


def test_names_of_hypotheses_are_checked(compared):
    with pytest.raises(ValueError, match="there is no hypothesis 'three'"):
        compared.log_odds("three", "one")
    with pytest.raises(ValueError, match="position must be x, y"):
        jb.one_or_two(compared.fits[0].observations[0], [1.0])
    with pytest.raises(ValueError, match="takes one Observation"):
        jb.one_or_two(list(compared.fits[0].observations), MIDDLE)
