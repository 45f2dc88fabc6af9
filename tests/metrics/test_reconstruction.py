"""Image metrics against scikit-image and SciPy, and against what they should see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import distance
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from jaxblend.metrics.reconstruction import (
    correlation,
    cosine_distance,
    cosine_similarity,
    flux_weighted_rmse,
    psnr,
    rmse,
)
from jaxblend.metrics.structural import ssim

METRICS = (rmse, flux_weighted_rmse, psnr, cosine_similarity, cosine_distance, correlation, ssim)
GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def pairs(n=3, *, noise=0.1, size=(24, 31), seed=0):
    """Estimates and truths, (n, H, W): galaxies of 1e4 electrons or so, and what a noisy deblender makes of them."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(size)
    centre, width = rng.normal(12, 2, (n, 2, 1, 1)), rng.uniform(2, 4, (n, 1, 1))
    truth = 1e4 * np.exp(-np.hypot(x - centre[:, 0], y - centre[:, 1]) / width)
    return truth * rng.normal(1, noise, truth.shape) + rng.normal(0, 30, truth.shape), truth


def assert_each(found, expected, *arrays, rtol=2e-5):
    np.testing.assert_allclose(found, [expected(*one) for one in zip(*arrays, strict=True)], rtol=rtol)


def test_errors_are_those_of_scikit_image():
    image, truth = pairs()
    assert_each(rmse(image, truth), lambda x, y: np.sqrt(mean_squared_error(y, x)), image, truth)
    assert_each(psnr(image, truth), lambda x, y: peak_signal_noise_ratio(y, x, data_range=np.ptp(y)), image, truth)
    assert_each(
        psnr(image, truth, data_range=5e4), lambda x, y: peak_signal_noise_ratio(y, x, data_range=5e4), image, truth
    )


@pytest.mark.parametrize(("window", "options"), [("gaussian", GAUSSIAN), ("uniform", {})])
@pytest.mark.parametrize("sky", [0.0, 1e5])
def test_structural_similarity_is_that_of_scikit_image(window, options, sky):
    image, truth = (np.float32(a + sky).astype(float) for a in pairs())
    found = ssim(image, truth, window=window)
    assert_each(
        found, lambda x, y: structural_similarity(y, x, data_range=np.ptp(y), **options), image, truth, rtol=1e-4
    )
    given = np.array([1e3, 1e4, 1e5])
    assert_each(
        ssim(image, truth, window=window, data_range=given),
        lambda x, y, r: structural_similarity(y, x, data_range=r, **options),
        image,
        truth,
        given,
        rtol=1e-4,
    )


def test_likeness_is_that_of_scipy():
    image, truth = pairs(noise=1.0)
    assert_each(cosine_distance(image, truth), lambda x, y: distance.cosine(x.ravel(), y.ravel()), image, truth)
    assert_each(1 - cosine_similarity(image, truth), lambda x, y: distance.cosine(x.ravel(), y.ravel()), image, truth)
    assert_each(1 - correlation(image, truth), lambda x, y: distance.correlation(x.ravel(), y.ravel()), image, truth)
    assert_each(correlation(image + 1e6, truth), lambda x, y: np.corrcoef(x.ravel(), y.ravel())[0, 1], image, truth)


def test_a_small_distance_keeps_its_digits():
    _, truth = pairs()
    image = np.float32(truth * (1 + 1e-4 * np.sin(np.arange(truth.size)).reshape(truth.shape)))
    found = cosine_distance(image, np.float32(truth))
    assert np.max(found) < 1e-8
    image, truth = image.astype(float), np.float32(truth).astype(float)
    assert_each(found, lambda x, y: distance.cosine(x.ravel(), y.ravel()), image, truth, rtol=0.01)


def test_the_weight_is_the_true_flux():
    image, truth = pairs()
    truth -= 20.0  # some pixels are negative and have no weight
    expected = [np.sqrt(np.average((x - y) ** 2, weights=np.maximum(y, 0))) for x, y in zip(image, truth, strict=True)]
    np.testing.assert_allclose(flux_weighted_rmse(image, truth), expected, rtol=1e-5)
    wide = [np.pad(a, ((0, 0), (20, 20), (20, 20)), constant_values=-20.0) for a in (image, truth)]
    np.testing.assert_allclose(flux_weighted_rmse(*wide), expected, rtol=1e-5)
    assert np.all(np.asarray(rmse(*wide)) < 0.7 * np.asarray(rmse(image, truth)))


def test_the_truth_is_perfect():
    _, truth = pairs()
    perfect = dict(zip(METRICS, (0, 0, np.inf, 1, 0, 1, 1), strict=True))
    for metric, value in perfect.items():
        np.testing.assert_allclose(metric(truth, truth), value, rtol=1e-6)


def test_half_the_flux_is_seen_where_each_image_over_its_own_maximum_hides_it():
    _, truth = pairs()
    half, top = 0.5 * truth, truth.max(axis=(1, 2), keepdims=True)
    for x, y in zip(half / (0.5 * top), truth / top, strict=True):
        assert structural_similarity(y, x, data_range=1.0) == pytest.approx(1.0)
    assert np.all(np.asarray(ssim(half, truth)) < 0.9)
    np.testing.assert_allclose(rmse(half, truth), 0.5 * np.sqrt(np.mean(truth**2, axis=(1, 2))), rtol=1e-5)
    assert np.all(np.asarray(psnr(half, truth)) < np.asarray(psnr(0.9 * truth, truth)) - 10)
    for blind in (cosine_similarity, correlation):
        np.testing.assert_allclose(blind(half, truth), 1.0, rtol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_what_does_not_count_changes_nothing(metric):
    image, truth = pairs()
    where = np.zeros(truth.shape, bool)
    where[:, 3:20, 5:28] = True
    broken = [np.where(where, a, bad) for a, bad in ((image, np.nan), (truth, 1e30))]
    inside = [a[:, 3:20, 5:28] for a in (image, truth)]
    np.testing.assert_allclose(metric(*broken, where=where), metric(*inside), rtol=1e-4)


@pytest.mark.parametrize("metric", METRICS)
def test_an_empty_slot_is_nan_beside_others(metric):
    image, truth = pairs()
    image[1], truth[1] = np.nan, np.nan
    present = np.array([True, False, True])[:, None, None]
    found = np.asarray(metric(image, truth, where=present))
    np.testing.assert_array_equal(np.isnan(found), [False, True, False])
    np.testing.assert_allclose(found[[0, 2]], metric(image[[0, 2]], truth[[0, 2]]), rtol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_jit_vmap_bands_and_precision_agree(metric):
    image, truth = pairs(6)
    found = np.asarray(metric(image, truth))
    assert found.dtype == np.float32
    np.testing.assert_allclose(jax.jit(metric)(image, truth), found, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(metric)(image, truth), found, rtol=1e-5)
    cube = metric(image.reshape(2, 3, *image.shape[1:]), truth.reshape(2, 3, *truth.shape[1:]))
    np.testing.assert_allclose(cube, found.reshape(2, 3), rtol=1e-6)
    with jax.enable_x64(True):
        precise = metric(jnp.asarray(image), jnp.asarray(truth))
        assert precise.dtype == jnp.float64
    np.testing.assert_allclose(found, precise, rtol=2e-4)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("unit", [1e-30, 1e25])
def test_the_unit_is_free(metric, unit):
    image, truth = pairs()
    scaled = np.asarray(metric(image * unit, truth * unit), float)
    power = metric in (rmse, flux_weighted_rmse)
    np.testing.assert_allclose(scaled, np.asarray(metric(image, truth), float) * unit**power, rtol=1e-4)


def test_images_without_light():
    _, truth = pairs(1)
    dark = np.zeros_like(truth)
    for metric, value in ((cosine_similarity, 0.0), (cosine_distance, 1.0), (correlation, 0.0)):
        np.testing.assert_array_equal(metric(dark + 0.3 * (metric is correlation), truth), [value])
    for metric in (flux_weighted_rmse, psnr, cosine_similarity, cosine_distance, correlation, ssim):
        assert np.isnan(metric(truth, dark)).all()
    assert np.isfinite(ssim(truth, dark, data_range=1e4)).all()


def test_what_does_not_fit_is_refused():
    image, truth = pairs()
    with pytest.raises(ValueError, match="one shape"):
        rmse(image, truth[:1])
    with pytest.raises(ValueError, match="truth is NaN or infinite in 1 of"):
        psnr(image, np.where(truth == truth.max(), np.nan, truth))
    with pytest.raises(ValueError, match=r"axes \(\.\.\., y, x\)"):
        rmse(image[0, 0], truth[0, 0])
    with pytest.raises(ValueError, match="data_range must be positive"):
        psnr(image, truth, data_range=0.0)
    with pytest.raises(ValueError, match=r"one per image, \(3,\), got shape \(2,\)"):
        ssim(image, truth, data_range=[1.0, 2.0])
    with pytest.raises(ValueError, match="11 x 11 pixels"):
        ssim(image[:, :10], truth[:, :10])
    with pytest.raises(ValueError, match="'gaussian' or 'uniform'"):
        ssim(image, truth, window="round")
