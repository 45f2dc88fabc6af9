"""Joint posteriors of two anticorrelated fluxes, right and wrong."""

import jax
import numpy as np
import pytest

from jaxblend.metrics import ecdf_test, pit, tarp

KEY = jax.random.key(0)


def neighbours(n=1200, n_draws=200, *, width=1.0, bias=0.0, correlation=-0.8, seed=0):
    """Draws (N, S, 2) and truths (N, 2) whose true correlation is -0.8."""
    rng = np.random.default_rng(seed)

    def correlated(rho, shape):
        return rng.normal(size=shape) @ np.linalg.cholesky([[1.0, rho], [rho, 1.0]]).T

    flux = rng.lognormal(4, 1, (n, 2))
    draws = flux[:, None] + bias + width * correlated(correlation, (n, n_draws, 2))
    return draws, flux + correlated(-0.8, (n, 2))


def p_value(draws, truth, **options):
    return ecdf_test(tarp(draws, truth, key=KEY, **options)).p_value


@pytest.mark.parametrize("references", [None, [-1e5, -1e5], [0.0, 1e5]])
def test_right_posteriors_pass(references):
    alarms = [p_value(*neighbours(300, 30, seed=seed), references=references) < 0.05 for seed in range(60)]
    assert np.mean(alarms) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 60)
    assert p_value(*neighbours(seed=99), references=references) > 0.01


@pytest.mark.parametrize("width", [0.75, 1.35])
def test_wrong_widths_fail(width):
    assert p_value(*neighbours(width=width)) < 1e-4


def test_a_shared_bias_shows_from_one_side():
    draws, truth = neighbours(bias=0.2)
    assert p_value(draws, truth, references=[-1e5, -1e5]) < 1e-4
    assert p_value(*neighbours(bias=0.5)) < 1e-4  # a large one shows from all sides, too


def test_a_wrong_correlation_fails_though_each_flux_passes():
    draws, truth = neighbours(correlation=0.0)
    for column in range(2):
        assert ecdf_test(pit(draws[..., column], truth[:, column], key=KEY)).p_value > 0.01
    assert p_value(draws, truth) < 1e-3


def test_a_sum_that_is_known_well_must_be_right():
    draws, truth = neighbours(500, correlation=-0.8)
    middle = draws.mean(axis=1, keepdims=True)
    shrunk = draws - 0.15 * (draws - middle).sum(axis=-1, keepdims=True)  # 0.7 times the width of the sum alone
    assert p_value(shrunk, truth) < 1e-3


def test_from_afar_it_is_the_quantile():
    draws, truth = neighbours()
    far = tarp(draws[..., :1], truth[:, :1], references=np.array([-1e7]), key=KEY)
    along = pit(draws[..., 0], truth[:, 0], key=KEY)
    assert np.abs(np.asarray(far) - np.asarray(along)).max() < 1 / 201


def test_linear_maps_do_not_matter():
    draws, truth = neighbours(200, 50)
    reference = truth.mean(axis=0)
    before = tarp(draws, truth, references=reference, key=KEY)
    rule = np.array([[1e-29, 0.0], [-4e-29, 3e-29]])
    after = tarp(draws @ rule, truth @ rule, references=reference @ rule, key=KEY)
    difference = np.abs(np.asarray(after) - np.asarray(before))
    assert difference.max() < 1.01 / 51  # a draw that is as far as the truth to within the rounding
    assert np.mean(difference > 1e-3) < 0.03


def test_repeated_draws_and_constants_are_no_obstacle():
    draws, truth = neighbours(100, 3)
    draws = np.concatenate([draws, np.ones((100, 3, 2)), draws[..., :1] + draws[..., 1:]], axis=-1)
    truth = np.concatenate([truth, np.ones((100, 2)), truth.sum(-1, keepdims=True)], axis=-1)
    assert p_value(draws, truth) > 0.01


def test_weights_mend_too_wide_draws():
    draws, truth = neighbours(width=1.3, correlation=0.0)
    z = 1.3 * np.random.default_rng(1).normal(size=draws.shape)
    truth = np.random.default_rng(2).normal(size=truth.shape)
    weights = np.exp(-0.5 * (z**2).sum(-1) * (1 - 1 / 1.3**2))
    assert p_value(z, truth) < 1e-4
    assert p_value(z, truth, weights=weights) > 0.01


def test_it_runs_inside_jit():
    draws, truth = neighbours(20, 30)
    for references in (None, np.zeros(2)):
        inside = jax.jit(lambda d, t, r=references: tarp(d, t, key=KEY, references=r))(draws, truth)
        np.testing.assert_allclose(inside, tarp(draws, truth, key=KEY, references=references), atol=0.04)


def test_what_does_not_fit_is_refused():
    draws, truth = neighbours(6, 5)
    with pytest.raises(ValueError, match="use pit"):
        tarp(draws[..., 0], truth[:, 0], key=KEY)
    with pytest.raises(ValueError, match=r"shapes \(6, 5, 2\) and \(6, 1\)"):
        tarp(draws, truth[:, :1], key=KEY)
    with pytest.raises(ValueError, match=r"\(6, 2\) or \(2,\), got shape \(6,\)"):
        tarp(draws, truth, references=np.zeros(6), key=KEY)
    with pytest.raises(ValueError, match="references has 1 entries"):
        tarp(draws, truth, references=[0.0, np.nan], key=KEY)
    with pytest.raises(ValueError, match="one per draw"):
        tarp(draws, truth, weights=np.ones((6, 5, 2)), key=KEY)
