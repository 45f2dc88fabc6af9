"""Blendedness of Gaussians, of which all overlaps are known, and against the formulas written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblend.metrics.blendedness import (
    aperture_blendedness,
    blendedness,
    gaussian_blendedness,
    pairwise_overlap,
    purity,
)
from jaxblend.metrics.segment_blendedness import blended_area, neighbour_flux_ratio
from jaxblend.metrics.segmentation import threshold_mask
from jaxblend.simulation.truth import blendedness as blendedness_of_truth

SIZE = (40, 50)
FLUX = np.array([100.0, 30.0, 2.0])
WIDTH = np.array([3.0, 2.0, 2.5])
POSITIONS = np.array([[22.0, 18.5], [26.3, 21.0], [38.0, 24.0]])


def gaussians(flux=FLUX, width=WIDTH, positions=POSITIONS):
    """Images of round Gaussians, (K, H, W)."""
    y, x = np.indices(SIZE)
    square = ((x - positions[:, :1, None]) ** 2 + (y - positions[:, 1:, None]) ** 2) / width[:, None, None] ** 2
    return (flux / (2 * np.pi * width**2))[:, None, None] * np.exp(-0.5 * square)


def integrals(flux_a, width_a):
    """Integrals (K, K) of the product of Gaussian a at the place of source i and the source j."""
    total = width_a[:, None] ** 2 + WIDTH**2
    square = ((POSITIONS[:, None] - POSITIONS) ** 2).sum(-1)
    return flux_a[:, None] * FLUX / (2 * np.pi * total) * np.exp(-0.5 * square / total)


def share(table):
    return 1 - np.diag(table) / table.sum(axis=1)


COVARIANCE = WIDTH[:, None, None] ** 2 * np.eye(2)
MEASURES = {
    "blendedness": blendedness,
    "purity": purity,
    "gaussian": lambda isolated, **options: gaussian_blendedness(isolated, POSITIONS, COVARIANCE, **options),
    "aperture": lambda isolated, **options: aperture_blendedness(isolated, POSITIONS, WIDTH, **options),
    "overlap": lambda isolated, **options: pairwise_overlap(isolated, **options)[..., 0],
    "ratio": lambda isolated, **options: neighbour_flux_ratio(isolated, isolated > 0.02, **options),
}
EACH = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES.keys())


def test_gaussians_are_blended_as_their_integrals_say():
    images = gaussians()
    own = integrals(FLUX, WIDTH)
    np.testing.assert_allclose(blendedness(images), share(own), rtol=1e-4)
    np.testing.assert_allclose(purity(images), 1 - share(own), rtol=1e-5)
    np.testing.assert_allclose(
        gaussian_blendedness(images, POSITIONS, COVARIANCE), share(integrals(np.ones(3), WIDTH)), rtol=1e-4
    )
    norm = np.sqrt(np.diag(own))
    np.testing.assert_allclose(pairwise_overlap(images), own / norm / norm[:, None], rtol=1e-4)


def test_it_is_the_blendedness_of_the_simulated_truth_and_of_the_formula_by_bands():
    rng = np.random.default_rng(0)
    images = rng.exponential(size=(2, 3, 4, 9, 8)) * 10.0 ** rng.uniform(-3, 3, (2, 3, 4, 1, 1))
    expected = [[blendedness_of_truth(band) for band in blend] for blend in images]
    np.testing.assert_allclose(blendedness(images), expected, rtol=1e-5)
    image, others = images[1, 2, 0], images[1, 2, 1:].sum(axis=0)
    by_hand = 1 - np.sum(image**2) / np.sum(image * (image + others))
    np.testing.assert_allclose(blendedness(images)[1, 2, 0], by_hand, rtol=1e-5)


def test_an_elongated_weight_follows_its_source():
    images, covariance = gaussians(), np.array([[[9.0, 4.0], [4.0, 5.0]]] * 3)
    y, x = np.indices(SIZE)
    for k, found in enumerate(gaussian_blendedness(images, POSITIONS, covariance)):
        d = np.stack([x - POSITIONS[k, 0], y - POSITIONS[k, 1]], axis=-1)
        weight = np.exp(-0.5 * np.einsum("yxi,ij,yxj->yx", d, np.linalg.inv(covariance[k]), d))
        np.testing.assert_allclose(found, 1 - (weight * images[k]).sum() / (weight * images.sum(0)).sum(), rtol=1e-4)


def test_a_circle_counts_the_flux_inside():
    images, radius = gaussians(), np.array([3.0, 5.0, 4.0])
    y, x = np.indices(SIZE)
    for k, found in enumerate(aperture_blendedness(images, POSITIONS, radius)):
        inside = np.hypot(x - POSITIONS[k, 0], y - POSITIONS[k, 1]) <= radius[k]
        np.testing.assert_allclose(found, 1 - images[k][inside].sum() / images[:, inside].sum(), rtol=1e-4)


def test_alone_buried_and_twice_the_same():
    one = gaussians()[:1]
    places = {"positions": POSITIONS[:1], "covariance": COVARIANCE[:1]}
    assert blendedness(one) == 0
    assert purity(one) == 1
    assert gaussian_blendedness(one, **places) == 0
    assert aperture_blendedness(one, POSITIONS[:1], np.array([4.0])) == 0
    twice = np.concatenate([one, one])
    np.testing.assert_allclose(blendedness(twice), 0.5, rtol=1e-6)
    np.testing.assert_allclose(pairwise_overlap(twice), 1.0, rtol=1e-6)
    buried = np.concatenate([one, 1e-4 * one])
    np.testing.assert_allclose(blendedness(buried), [1e-4 / 1.0001, 1 / 1.0001], rtol=1e-4)
    np.testing.assert_allclose(pairwise_overlap(buried), 1.0, rtol=1e-6)


def test_a_brighter_neighbour_is_seen():
    before, after = (blendedness(gaussians(flux=FLUX * factor)) for factor in (1.0, np.array([1.0, 2.0, 1.0])))
    assert after[0] > before[0]
    assert after[1] < before[1]


def test_segments_that_overlap():
    masks = np.zeros((3, 4, 6), bool)
    masks[0, :, :4] = masks[1, :, 3:] = True  # 16 and 12 pixels, 4 in common; the third is empty
    np.testing.assert_allclose(blended_area(masks), [0.25, 1 / 3, np.nan])
    light = np.stack([np.full((4, 6), 2.0), np.full((4, 6), 3.0), np.zeros((4, 6))])
    np.testing.assert_allclose(neighbour_flux_ratio(light, masks), [1.5, 2 / 3, np.nan])
    images = gaussians()
    everywhere = neighbour_flux_ratio(images, np.ones(images.shape, bool))
    np.testing.assert_allclose(everywhere, (FLUX.sum() - FLUX) / FLUX, rtol=1e-3)
    assert blended_area(threshold_mask(images, 0.01))[0] > 0
    np.testing.assert_allclose(blended_area(masks, where=np.array([1, 0, 1], bool)[:, None, None]), [0, np.nan, np.nan])


def test_sources_without_light():
    images = gaussians(flux=np.array([1.0, 0.0, 1.0]))
    assert blendedness(images)[1] == 0
    assert blendedness_of_truth(images)[1] == 0
    assert purity(images)[1] == 1
    overlap = np.asarray(pairwise_overlap(images))
    np.testing.assert_array_equal(np.isnan(overlap), np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool))
    assert np.isnan(neighbour_flux_ratio(images, np.ones(images.shape, bool))[1])


@EACH
def test_an_empty_slot_changes_nothing(measure):
    images = gaussians()
    absent = np.where(np.array([False, False, True])[:, None, None], np.nan, images)
    found = np.asarray(measure(absent, where=np.array([True, True, False])[:, None, None]))
    dark = np.asarray(measure(gaussians(flux=FLUX * [1, 1, 0])))
    np.testing.assert_allclose(found[:2], dark[:2], rtol=1e-6)
    assert np.isnan(found[2])


@EACH
def test_jit_vmap_batch_unit_and_precision_agree(measure):
    images = np.stack([gaussians(), gaussians(FLUX[::-1])])
    found = np.asarray(measure(images)) if measure in (blendedness, purity) else None
    each = np.stack([np.asarray(measure(image)) for image in images])
    if found is not None:
        np.testing.assert_allclose(found, each, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(measure)(images), each, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(measure)(images[0]), each[0], rtol=1e-5)
    with jax.enable_x64(True):
        precise = measure(jnp.asarray(images[0]))
        assert precise.dtype == jnp.float64
    assert each.dtype == np.float32
    np.testing.assert_allclose(each[0], precise, rtol=1e-4)


@pytest.mark.parametrize("unit", [1e-25, 1e25])
def test_the_unit_is_free(unit):
    images = gaussians()
    for measure in (blendedness, pairwise_overlap, MEASURES["gaussian"], MEASURES["aperture"]):
        np.testing.assert_allclose(measure(images * unit), measure(images), rtol=1e-4)


def test_what_does_not_fit_is_refused():
    images = gaussians()
    with pytest.raises(ValueError, match=r"axes \(\.\.\., sources, y, x\), got shape \(40, 50\)"):
        blendedness(images[0])
    with pytest.raises(ValueError, match="isolated is NaN or infinite"):
        blendedness(np.where(images == images.max(), np.nan, images))
    with pytest.raises(ValueError, match=r"positions must have shape \(3, 2\)"):
        gaussian_blendedness(images, POSITIONS[:2], COVARIANCE)
    with pytest.raises(ValueError, match="radius must be positive, but is not for 1 of 3"):
        aperture_blendedness(images, POSITIONS, np.array([2.0, 0.0, 2.0]))
    with pytest.raises(ValueError, match="not positive definite for 1 of 3"):
        gaussian_blendedness(images, POSITIONS, COVARIANCE * np.array([1, -1, 1])[:, None, None])
    with pytest.raises(ValueError, match=r"radius must have shape \(3,\)"):
        aperture_blendedness(images, POSITIONS, np.ones(2))
    with pytest.raises(ValueError, match="masks must be booleans"):
        blended_area(images)
