import numpy as np
import pytest

from jaxblend.simulation.artefacts import Artefacts, bled

SKY = np.array([100.0, 200.0])
IMAGE = np.random.default_rng(0).normal(0, 10, (2, 40, 50))


def spoil(image=IMAGE, seed=0, **options):
    return Artefacts(**options).draw(np.random.default_rng(seed), image, SKY)


def test_no_defects_by_default():
    image, mask = spoil()
    np.testing.assert_allclose(image, IMAGE, atol=1e-10)
    assert not mask.any()


def test_bad_columns_hold_nothing_and_are_known():
    image, mask = spoil(bad_columns=3)
    dead = mask.all(axis=1)
    assert 1 <= dead[0].sum() <= 12
    np.testing.assert_array_equal(mask, np.broadcast_to(dead[:, None], mask.shape))
    np.testing.assert_allclose(image[0][:, dead[0]], -SKY[0])
    np.testing.assert_allclose(image[~mask], IMAGE[~mask], atol=1e-10)


def test_numbers_are_those_asked_for():
    columns = [spoil(seed=s, bad_columns=2.0)[1].all(axis=1).sum(1) for s in range(200)]
    assert np.mean(columns) == pytest.approx(2.0, abs=4 * np.sqrt(2.0 / 400) + 0.05)  # two may be the same one
    assert spoil(dead_pixels=0.1)[1].mean() == pytest.approx(0.1, abs=0.02)


def test_cosmic_rays_add_charge_where_the_mask_says():
    image, mask = spoil(cosmic_rays=4, cosmic_ray_charge=5000)
    added = image - IMAGE
    assert mask.any()
    assert (added[mask] > 0).all()
    np.testing.assert_allclose(added[~mask], 0, atol=1e-10)
    hidden, unknown = spoil(cosmic_rays=4, cosmic_ray_charge=5000, masked=0)
    np.testing.assert_array_equal(hidden, image)
    assert not unknown.any()


def test_saturated_stars_bleed_along_columns_and_keep_their_charge():
    charge = np.zeros((41, 3))
    charge[20, 1] = 1000.0
    result = bled(charge, 100.0)
    np.testing.assert_allclose(result.sum(), 1000.0)
    assert result.max() == 100.0
    np.testing.assert_array_equal(result[:, [0, 2]], 0)
    np.testing.assert_allclose(result[:, 1], result[::-1, 1])
    assert (result[:, 1] > 0).sum() == 11
    image, mask = spoil(np.broadcast_to(charge, (2, 41, 3)), saturation=500.0)
    assert mask[:, 20, 1].all()
    np.testing.assert_allclose((image + SKY[:, None, None]).max((1, 2)), 500.0)


def test_two_saturated_pixels_in_a_column_find_room_for_both():
    charge = np.zeros((41, 1))
    charge[19:21] = 1000.0
    np.testing.assert_allclose(bled(charge, 100.0).sum(), 2000.0)


@pytest.mark.parametrize(
    "wrong", [{"bad_columns": -1}, {"dead_pixels": 1.5}, {"cosmic_rays": np.nan}, {"saturation": 0}, {"masked": 2}]
)
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=f"Got {next(iter(wrong))}="):
        Artefacts(**wrong)
