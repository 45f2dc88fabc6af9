import jax
import numpy as np
import pytest
from scipy import optimize, stats

from jaxblend.metrics.shear_bias import shear_bias, shear_bias_of_pairs

RNG = np.random.default_rng(0)
TRUE = RNG.normal(0, 0.25, (400, 2))
G = TRUE * [1.05, 0.97] + [0.01, -0.02] + RNG.normal(0, 0.05, TRUE.shape)
WEIGHTS = RNG.uniform(0.2, 3, 400)


def test_the_line_is_that_of_scipy():
    bias = shear_bias(G, TRUE)
    for component in range(2):
        line = stats.linregress(TRUE[:, component], G[:, component])
        np.testing.assert_allclose(1 + bias.m[component], line.slope, rtol=1e-5)
        np.testing.assert_allclose(bias.c[component], line.intercept, atol=1e-6)
        # These hold for equal scatter, which this is.
        np.testing.assert_allclose(bias.m_error[component], line.stderr, rtol=0.15)
        np.testing.assert_allclose(bias.c_error[component], line.intercept_stderr, rtol=0.15)


def test_weights_are_those_of_least_squares():
    bias = shear_bias(G, TRUE, weights=WEIGHTS)
    for component in range(2):
        (slope, intercept), _ = optimize.curve_fit(
            lambda x, a, b: a * x + b, TRUE[:, component], G[:, component], sigma=WEIGHTS**-0.5
        )
        np.testing.assert_allclose([1 + bias.m[component], bias.c[component]], [slope, intercept], atol=1e-5)


def test_errors_are_the_sandwich():
    with jax.enable_x64(True):
        bias = shear_bias(G, TRUE, weights=WEIGHTS)
    for component in range(2):
        design = np.stack([TRUE[:, component], np.ones(400)], axis=1)
        bread = np.linalg.inv(design.T @ (WEIGHTS[:, None] * design))
        coefficients = bread @ design.T @ (WEIGHTS * G[:, component])
        residual = G[:, component] - design @ coefficients
        filling = design.T @ ((WEIGHTS * residual)[:, None] ** 2 * design)
        expected = np.sqrt(np.diag(bread @ filling @ bread) * 400 / 398)
        np.testing.assert_allclose([bias.m_error[component], bias.c_error[component]], expected, rtol=1e-9)


def test_errors_are_the_scatter_of_samples():
    rng = np.random.default_rng(1)
    true = rng.normal(0, 0.25, (400, 500, 2))
    g = true + rng.normal(0, 0.05 + 0.4 * true**2)  # more where the shear is large
    bias = shear_bias(g, true)
    for value, error in ((bias.m, bias.m_error), (bias.c, bias.c_error)):
        np.testing.assert_allclose(np.median(error, axis=0), np.std(value, axis=0), rtol=0.12)


def test_right_shapes_have_no_bias_and_half_of_them_half():
    for factor in (1.0, 0.5):
        bias = shear_bias(factor * TRUE, TRUE)
        np.testing.assert_allclose(bias.m, factor - 1, atol=1e-6)
        np.testing.assert_allclose([bias.c, bias.c_error, bias.m_error], 0, atol=1e-6)


def test_pairs_are_means():
    rng = np.random.default_rng(2)
    plus, minus = 0.98 * 0.02 + 0.001 + G[:, 0], -0.98 * 0.02 + 0.001 + G[:, 0]
    noise = rng.normal(0, 0.01, (2, 400))
    with jax.enable_x64(True):
        bias = shear_bias_of_pairs(plus + noise[0], minus + noise[1], shear=0.02)
    plus, minus = plus + noise[0], minus + noise[1]
    np.testing.assert_allclose(bias.m, (plus.mean() - minus.mean()) / 0.04 - 1, rtol=1e-9)
    np.testing.assert_allclose(bias.c, 0.5 * (plus.mean() + minus.mean()), rtol=1e-9)
    np.testing.assert_allclose(bias.m_error, stats.sem(plus - minus) / 0.04, rtol=1e-9)
    np.testing.assert_allclose(bias.c_error, stats.sem(plus + minus) / 2, rtol=1e-9)
    assert abs(float(bias.m) + 0.02) < 4 * float(bias.m_error)


def test_shapes_cancel_in_pairs():
    bias = shear_bias_of_pairs(0.9 * 0.02 + G.T, -0.9 * 0.02 + G.T, shear=[0.02, 0.02])
    np.testing.assert_allclose(bias.m, -0.1, atol=1e-5)
    np.testing.assert_allclose(bias.m_error, 0, atol=1e-6)
    np.testing.assert_allclose(bias.c, G.mean(axis=0), atol=1e-6)
    weighted = shear_bias_of_pairs(G[:, 0], G[:, 1], shear=0.02, weights=WEIGHTS)
    np.testing.assert_allclose(weighted.c, np.average(G.mean(axis=1), weights=WEIGHTS), atol=1e-6)


def test_what_does_not_count_changes_nothing():
    rng = np.random.default_rng(3)
    where = rng.random(400) < 0.6
    spoiled = np.where(where[:, None], G, np.nan), np.where(where[:, None], TRUE, np.inf)
    for weights in (None, np.where(where, WEIGHTS, np.nan)):
        some = shear_bias(*spoiled, weights=weights, where=where)
        kept = shear_bias(G[where], TRUE[where], weights=None if weights is None else weights[where])
        for one, other in zip(some, kept, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)
        pairs = shear_bias_of_pairs(*spoiled[0].T, shear=0.1, weights=weights, where=where)
        kept = shear_bias_of_pairs(*G[where].T, shear=0.1, weights=None if weights is None else weights[where])
        for one, other in zip(pairs, kept, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4)


def test_too_few_are_nan():
    for n in (0, 1):
        bias = shear_bias(G[:n], TRUE[:n])
        assert np.isnan(np.array([bias.m, bias.m_error, bias.c_error])).all()
    two = shear_bias(G[:2], TRUE[:2])
    assert np.isfinite(two.m).all()
    assert np.isnan(two.m_error).all()
    assert np.isnan(shear_bias(G, np.full_like(G, 0.3)).m).all()
    pair = shear_bias_of_pairs([0.1], [-0.1], shear=0.1)
    np.testing.assert_allclose(pair.m, 0, atol=1e-6)
    assert np.isnan(pair.m_error)
    assert np.isnan(shear_bias_of_pairs([], [], shear=0.1).m)


def test_jit_and_vmap_give_the_same():
    g, true, weights = G.reshape(4, 100, 2), TRUE.reshape(4, 100, 2), WEIGHTS.reshape(4, 100)

    def both(g, true, weights):
        pairs = shear_bias_of_pairs(g[..., 0], true[..., 0], shear=0.1, weights=weights)
        return *shear_bias(g, true, weights=weights), *pairs

    looped = [both(*blend) for blend in zip(g, true, weights, strict=True)]
    for run in (both, jax.jit(both), jax.vmap(both)):
        for i, result in enumerate(run(g, true, weights)):
            np.testing.assert_allclose(result, [one[i] for one in looped], rtol=1e-3, atol=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"g must be \(..., N, 2\)"):
        shear_bias(G[:, 0], TRUE[:, 0])
    with pytest.raises(ValueError, match="weights has 1 negative"):
        shear_bias(G, TRUE, weights=np.where(np.arange(400) == 3, -1.0, 1.0))
    with pytest.raises(ValueError, match="weights must be one per source"):
        shear_bias(G, TRUE, weights=np.ones((400, 2)))
    with pytest.raises(ValueError, match="shear must be positive"):
        shear_bias_of_pairs([0.1], [0.1], shear=-0.02)
