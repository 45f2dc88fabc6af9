import jax
import numpy as np
import pytest

from jaxblend.metrics.leakage import leakage, light_exchange


def blobs(centres, fluxes, width=2.0, shape=(24, 20)):
    y, x = np.indices(shape)
    square = (x - np.reshape([c[0] for c in centres], (-1, 1, 1))) ** 2
    square = square + (y - np.reshape([c[1] for c in centres], (-1, 1, 1))) ** 2
    profile = np.exp(-0.5 * square / width**2)
    return np.reshape(fluxes, (-1, 1, 1)) * profile / profile.sum(axis=(1, 2), keepdims=True)


FLUXES = np.array([1000.0, 10.0, 60.0])
TRUE = blobs([(6, 8), (9, 9), (11, 16)], FLUXES)
MIXING = np.array([[0.97, 0.5, 0.0], [0.02, 0.4, 0.1], [0.0, 0.05, 0.9]])
MIXED = np.einsum("ij,jyx->iyx", MIXING, TRUE)


def test_right_images_leak_nothing():
    matrix = leakage(TRUE, TRUE)
    np.testing.assert_allclose(matrix, np.eye(3), atol=1e-4)
    exchange = light_exchange(matrix, FLUXES)
    np.testing.assert_allclose(exchange.kept, 1, atol=1e-4)
    np.testing.assert_allclose([exchange.gained, exchange.lost, exchange.missing], 0, atol=1e-3)


def test_a_mixture_is_recovered():
    np.testing.assert_allclose(leakage(MIXED, TRUE), MIXING, atol=1e-4)
    np.testing.assert_allclose(leakage(TRUE / 2, TRUE), np.eye(3) / 2, atol=1e-4)


def test_it_is_least_squares():
    rng = np.random.default_rng(1)
    noisy = MIXED + rng.normal(0, 0.3, TRUE.shape)
    expected = np.linalg.lstsq(TRUE.reshape(3, -1).T, noisy.reshape(3, -1).T)[0].T
    with jax.enable_x64(True):
        np.testing.assert_allclose(leakage(noisy, TRUE), expected, rtol=1e-10)
    np.testing.assert_allclose(leakage(noisy, TRUE), expected, atol=1e-3)


def test_sums_over_sources():
    exchange = light_exchange(MIXING, FLUXES)
    np.testing.assert_allclose(exchange.kept, [0.97, 0.4, 0.9], rtol=1e-6)
    np.testing.assert_allclose(exchange.gained, [5 / 1000, (20 + 6) / 10, 0.5 / 60], rtol=1e-5)
    np.testing.assert_allclose(exchange.lost, [0.02, 0.55, 0.1], rtol=1e-5)
    np.testing.assert_allclose(exchange.missing, [0.01, 0.05, 0.0], atol=1e-6)


def test_a_source_without_light_gains_infinitely_or_nothing():
    exchange = light_exchange([[1.0, 0.0], [0.1, 0.0]], [1.0, 0.0])
    np.testing.assert_array_equal(exchange.gained, [0.0, np.inf])
    truth = TRUE * np.array([1.0, 0.0, 1.0])[:, None, None]
    np.testing.assert_allclose(leakage(truth, truth), np.diag([1.0, 0.0, 1.0]), atol=1e-4)


def test_empty_slots_change_nothing():
    where = np.array([True, False, True, True, False])

    def padded(images):
        result = np.full((5, *images.shape[1:]), np.nan)
        result[where] = images
        return result

    matrix = np.asarray(leakage(padded(MIXED), padded(TRUE), where=where))
    np.testing.assert_allclose(matrix[np.ix_(where, where)], MIXING, atol=1e-4)
    assert (matrix[~where] == 0).all()
    assert (matrix[:, ~where] == 0).all()
    exchange = light_exchange(matrix, padded(FLUXES), where=where)
    assert np.isnan(np.array(exchange)[:, ~where]).all()
    np.testing.assert_allclose(np.array(exchange)[:, where], light_exchange(MIXING, FLUXES), atol=1e-3)


def test_sources_on_one_spot_share():
    twins = TRUE[[0, 0]]
    np.testing.assert_allclose(leakage(twins, twins), np.full((2, 2), 0.5), atol=1e-4)


def test_batches_are_loops():
    rng = np.random.default_rng(2)
    many = MIXED + rng.normal(0, 0.1, (2, 4, *TRUE.shape))
    truths = np.broadcast_to(TRUE, many.shape)
    looped = [[leakage(image, TRUE) for image in row] for row in many]
    for run in (leakage, jax.jit(leakage), jax.vmap(jax.vmap(leakage))):
        np.testing.assert_allclose(run(many, truths), looped, atol=1e-4)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="n, H, W"):
        leakage(TRUE[0], TRUE[0])
    with pytest.raises(ValueError, match="one shape"):
        leakage(TRUE, TRUE[:2])
    with pytest.raises(ValueError, match="matrix must be"):
        light_exchange(np.eye(2), [1.0, 2.0, 3.0])
