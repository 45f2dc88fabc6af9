"""Fits of bright galaxies whose own photons are most of the noise, given the weight of the sky alone."""

import jax.numpy as jnp
import numpy as np
import pytest
from noisy_blends import OPTIONS, SEEDS, SIDE, noiseless_blends, observe, pulls

import jaxblend as jb
from jaxblend.fitting.photons import sky_share

N, BRIGHTER, GAIN = 60, 30.0, 0.5


@pytest.fixture(scope="module")
def fits():
    """Fits with the gain, fits without, true fluxes and the expected images."""
    images, fluxes = noiseless_blends(N, brighter=BRIGHTER)
    noise = np.random.default_rng(1).normal(size=(N, SIDE, SIDE)) * np.sqrt(1 + np.maximum(images, 0) / GAIN)
    found = [
        jb.fit_batch([observe(i, 1.0, brighter=BRIGHTER, gain=g) for i in images + noise], [SEEDS] * N, **OPTIONS)
        for g in (GAIN, None)
    ]
    return *found, fluxes, images


def test_pulls_are_right_with_the_gain_and_too_wide_without(fits):
    right, wrong = (pulls(some, fits[2]) for some in fits[:2])
    assert abs(right.mean()) < 3 / np.sqrt(right.size)
    assert abs(right.std() - 1) < 3 / np.sqrt(2 * right.size)
    assert wrong.std() > 3
    assert np.mean([fit.chi2[0] for fit in fits[0]]) == pytest.approx(1, abs=0.04)


def test_fluxes_are_not_biased(fits):
    column = fits[0][0].quantity_names.index("log_flux_r")
    found = np.exp([fit.quantities[:, column] for fit in fits[0]])
    errors = np.array([fit.errors[:, column] for fit in fits[0]])
    mean = np.average(found / fits[2], weights=errors**-2)
    assert abs(mean - 1) < 3 / np.sqrt((errors**-2).sum())


def test_the_weights_that_were_fitted_with_stay_with_the_fit(fits):
    fit, image = fits[0][0], fits[3][0]
    weight = np.asarray(fit.item.root_weights[0])[0, :SIDE, :SIDE] ** 2
    np.testing.assert_allclose(weight, 1 / (1 + np.maximum(image, 0) / GAIN), rtol=0.2)
    assert np.median(np.abs(weight * (1 + np.maximum(image, 0) / GAIN) - 1)) < 0.02
    assert fit.item.gains == (None,)
    assert not np.asarray(fit.item.root_weights[0])[0, SIDE:].any()


def test_evidence_counts_the_normalisation_of_the_noise(fits):
    fit = fits[0][0]
    weight = np.asarray(fit.item.root_weights[0], float)[0, :SIDE, :SIDE] ** 2
    assert fit.context["noise_normalisation"] == pytest.approx(0.5 * np.log(weight).sum(), rel=1e-5)
    assert fits[1][0].context["noise_normalisation"] == 0


@pytest.mark.parametrize("library", [np, jnp])
def test_the_weight_of_sky_and_photons(library):
    rng = np.random.default_rng(4)
    weight, light = rng.uniform(0.5, 2, (2, 3, 4)), rng.normal(size=(2, 3, 4))
    weight[0, 1, 2] = 0
    gain = np.array([0.5, np.inf])
    share = sky_share(*(library.asarray(a) for a in (weight, light, gain)))
    with np.errstate(divide="ignore"):
        expected = 1 / (1 / weight + np.where(light > 0, light, 0) / gain[:, None, None])
    np.testing.assert_allclose(weight * share, expected, rtol=1e-5)


def test_infinite_gain_is_no_photon_noise(fits):
    observations = [fit.observations[0].replace(gain=np.array([np.inf])) for fit in fits[1][:2]]
    for fit, other in zip(jb.fit_batch(observations, [SEEDS] * 2, **OPTIONS), fits[1], strict=False):
        np.testing.assert_allclose(fit.quantities, other.quantities, rtol=2e-3, atol=2e-3)
