"""Masks and their likeness, against SciPy and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import distance

from jaxblend.metrics.segmentation import (
    brightest_mask,
    dice,
    flux_fractions,
    iou,
    soft_dice,
    soft_iou,
    threshold_mask,
)


def sources(n=4, seed=0):
    """Noiseless images of sources, (n, 12, 15)."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((12, 15))
    centre = rng.uniform(3, 10, (n, 2, 1, 1))
    return rng.uniform(10, 100, (n, 1, 1)) * np.exp(-np.hypot(x - centre[:, 0], y - centre[:, 1]) / 2)


def masks(seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((5, 12, 15)) < 0.4, rng.random((5, 12, 15)) < 0.6


def test_likeness_of_masks_is_that_of_scipy():
    for a, b, found_iou, found_dice in zip(*masks(), iou(*masks()), dice(*masks()), strict=True):
        assert found_iou == pytest.approx(1 - distance.jaccard(a.ravel(), b.ravel()), rel=1e-6)
        assert found_dice == pytest.approx(1 - distance.dice(a.ravel(), b.ravel()), rel=1e-6)


def test_likeness_of_fractions():
    a, b = flux_fractions(sources())[:2]
    assert soft_dice(a, b) == pytest.approx(1 - distance.braycurtis(np.ravel(a), np.ravel(b)), rel=1e-5)
    assert soft_iou(a, b) == pytest.approx(np.minimum(a, b).sum() / np.maximum(a, b).sum(), rel=1e-5)
    np.testing.assert_allclose(soft_iou(*masks()), iou(*masks()))
    np.testing.assert_allclose(dice(*masks()), 2 * iou(*masks()) / (1 + iou(*masks())), rtol=1e-6)


def test_perfect_none_half_and_nothing():
    full, empty = np.ones((4, 4), bool), np.zeros((4, 4), bool)
    half = full & (np.arange(4) < 2)
    for measure, of_half in ((iou, 0.5), (dice, 2 / 3), (soft_iou, 0.5), (soft_dice, 2 / 3)):
        assert measure(half, half) == 1
        assert measure(half, ~half) == 0
        assert measure(half, full) == pytest.approx(of_half)
        assert np.isnan(measure(empty, empty))
    assert soft_iou(0.5 * full, 1.0 * full) == 0.5
    assert soft_dice(0.5 * full, 1.0 * full) == pytest.approx(2 / 3)


def test_the_union_counts_shared_pixels_once():
    a, b = np.array([[1, 1, 1, 0]], bool), np.array([[0, 1, 1, 1]], bool)
    assert iou(a, b) == 0.5  # adding the masks would give 2 / 6


def test_pixels_above_the_noise():
    image = sources()
    np.testing.assert_array_equal(threshold_mask(image, 2.0), image > 6.0)
    sigma = np.array([1.0, 2.0, 4.0, 8.0])[:, None, None]
    np.testing.assert_array_equal(threshold_mask(image, sigma, n_sigma=1.5), image > 1.5 * sigma)
    assert not threshold_mask(image, 2.0, where=image > 1e9).any()


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(np.int64, (4, 5), elements=st.integers(-3, 20)),
    st.sampled_from([0.01, 0.25, 0.5, 0.75, 0.99, 1.0]),
)
def test_the_brightest_pixels_hold_the_share_and_fewer_do_not(image, share):
    mask = np.asarray(brightest_mask(image.astype(float), share=share))
    light = np.maximum(image, 0)
    if light.sum() == 0:
        assert not mask.any()
        return
    assert light[mask].sum() >= share * light.sum() - 1e-5 * light.sum()
    faintest = light[mask].min()
    assert light[light > faintest].sum() < share * light.sum() + 1e-5 * light.sum()
    np.testing.assert_array_equal(mask, light >= faintest)


def test_a_share_of_one_is_all_that_shines():
    image = np.float32(10.0) ** -np.arange(12, dtype=np.float32).reshape(3, 4)
    assert brightest_mask(image, share=1.0).all()
    assert brightest_mask(image, share=0.95).sum() == 2


def test_masks_of_the_brightest_know_no_unit_and_those_of_the_noise_do():
    image = sources()
    half = brightest_mask(0.5e-30 * image)
    np.testing.assert_array_equal(half, brightest_mask(image))
    assert np.all(iou(threshold_mask(0.5 * image, 2.0), threshold_mask(image, 2.0)) < 0.9)


def test_fractions_add_up_and_see_a_flux():
    image = sources()
    np.testing.assert_allclose(flux_fractions(image).sum(0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(flux_fractions(image), image / image.sum(0), rtol=1e-5)
    halved = image * np.array([0.5, 1, 1, 1])[:, None, None]
    assert soft_iou(flux_fractions(halved), flux_fractions(image))[0] < 0.9
    dark = flux_fractions(np.where(np.arange(15) < 3, 0.0, image))
    assert not dark[..., :3].any()


def test_what_does_not_count_changes_nothing():
    where = np.zeros((12, 15), bool)
    where[2:10, 3:14] = True
    a, b = masks()
    for measure in (iou, dice, soft_iou, soft_dice):
        np.testing.assert_allclose(measure(a, b, where=where), measure(a[:, 2:10, 3:14], b[:, 2:10, 3:14]), rtol=1e-6)
        present = np.array([1, 0, 1, 1, 1], bool)[:, None, None]
        np.testing.assert_array_equal(np.isnan(measure(a, b, where=present)), ~present.ravel())
    image = np.where(where, sources(), np.nan)
    for mask in (brightest_mask(image, where=where), threshold_mask(image, 2.0, where=where)):
        assert not mask[:, ~where].any()
    np.testing.assert_array_equal(
        np.asarray(brightest_mask(image, where=where))[:, 2:10, 3:14], brightest_mask(image[:, 2:10, 3:14])
    )
    slot = np.array([1, 1, 0, 1], bool)[:, None, None]
    fractions = np.asarray(flux_fractions(np.where(slot, sources(), np.nan), where=slot))
    np.testing.assert_allclose(fractions[[0, 1, 3]], flux_fractions(sources()[[0, 1, 3]]), rtol=1e-6)


def test_jit_and_vmap_agree():
    image = sources()
    for make in (brightest_mask, lambda a: threshold_mask(a, 2.0)):
        np.testing.assert_array_equal(jax.jit(make)(image), make(image))
        np.testing.assert_array_equal(jax.vmap(make)(jnp.asarray(image)), make(image))
    np.testing.assert_array_equal(
        jax.jit(lambda a, share: brightest_mask(a, share=share))(image, 0.5), brightest_mask(image, share=0.5)
    )
    np.testing.assert_allclose(jax.jit(flux_fractions)(image), flux_fractions(image), rtol=1e-6)
    for measure in (iou, dice, soft_iou, soft_dice):
        found = measure(*masks())
        np.testing.assert_allclose(jax.jit(measure)(*masks()), found, rtol=1e-6)
        np.testing.assert_allclose(jax.vmap(measure)(*masks()), found, rtol=1e-6)


def test_what_does_not_fit_is_refused():
    image, (a, b) = sources(), masks()
    with pytest.raises(ValueError, match="mask must be booleans, got float"):
        iou(a.astype(float), b)
    with pytest.raises(ValueError, match="one shape"):
        dice(a, b[:1])
    with pytest.raises(ValueError, match=r"true_fraction must be from 0 to 1, but 1 of 900"):
        soft_iou(a, np.where(np.arange(900).reshape(5, 12, 15) == 7, 1.5, b))
    with pytest.raises(ValueError, match="share must be above 0"):
        brightest_mask(image, share=90)
    with pytest.raises(ValueError, match="sigma must be 0 or more"):
        threshold_mask(image, np.nan)
    with pytest.raises(ValueError, match=r"sigma must broadcast to the image, \(4, 12, 15\), got shape \(4,\)"):
        threshold_mask(image, np.ones(4))
    with pytest.raises(ValueError, match=r"axes \(\.\.\., sources, y, x\)"):
        flux_fractions(image[0])
