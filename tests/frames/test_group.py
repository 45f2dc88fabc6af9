import numpy as np
import pytest

from jaxblend.frames.group import apart, group_overlapping
from jaxblend.frames.stamps import LADDER, overlap, reach_of, stamp_around


def circles(n, radius=3.0):
    return np.tile([radius, radius, 0.0], (n, 1))


def test_friends_of_friends_are_one_group():
    positions = np.array([[0.0, 0.0], [50.0, 0.0], [8.0, 0.0], [16.0, 0.0]])
    assert group_overlapping(positions, circles(4), 3.0).tolist() == [0, 1, 0, 0]


def test_ellipses_reach_along_their_axis_only():
    footprints = np.array([[10.0, 1.0, 0.0]] * 2)
    assert group_overlapping(np.array([[0.0, 0.0], [18.0, 0.0]]), footprints, 1.0).tolist() == [0, 0]
    assert group_overlapping(np.array([[0.0, 0.0], [0.0, 18.0]]), footprints, 1.0).tolist() == [0, 1]


def test_large_groups_part_at_the_weakest_link():
    x = np.array([0.0, 4.0, 8.0, 15.0, 19.0, 23.0])
    labels = group_overlapping(np.stack([x, 0 * x], 1), circles(6), 3.0, max_size=3)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_groups_that_overlap_take_turns():
    x = np.array([0.0, 4.0, 8.0, 15.0, 19.0, 23.0, 90.0])
    positions = np.stack([x, 0 * x], 1)
    labels = group_overlapping(positions, circles(7), 3.0, max_size=3)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 2]
    turns = apart(labels, positions, circles(7), 3.0)
    assert turns[0] != turns[1]
    assert turns[2] == 0
    assert apart(np.zeros(7, int), positions, circles(7), 3.0).tolist() == [0]
    each = apart(np.arange(7), positions, circles(7), 3.0)
    close = (np.abs(x[:, None] - x) < 9) & ~np.eye(7, dtype=bool)  # two radii and the PSF
    assert (each[:, None] != each)[close].all()
    assert each.max() == 2
    assert apart(np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 3)), 3.0).shape == (0,)


def test_no_sources_no_groups():
    assert group_overlapping(np.zeros((0, 2)), np.zeros((0, 3)), 3.0).shape == (0,)
    with pytest.raises(ValueError, match="max_size"):
        group_overlapping(np.zeros((0, 2)), np.zeros((0, 3)), 3.0, max_size=0)


@pytest.mark.parametrize("position", [(2.0, 3.0), (150.0, 100.0), (198.0, 100.0)])
def test_stamps_hold_the_source_inside_the_image(position):
    rows, columns = stamp_around(np.array([position]), np.full((1, 2), 14.0), (120, 200), margin=2.0)
    assert rows.start >= 0
    assert columns.start >= 0
    assert rows.stop <= 120
    assert columns.stop <= 200
    assert rows.stop - rows.start == columns.stop - columns.start
    assert rows.stop - rows.start in LADDER
    assert columns.start <= position[0] < columns.stop
    assert rows.start <= position[1] < rows.stop


def test_stamps_of_a_small_image_are_cut_to_it():
    assert stamp_around(np.array([[5.0, 5.0]]), np.full((1, 2), 14.0), (20, 40)) == (slice(0, 20), slice(0, 32))


def test_reach_grows_where_light_is_cut():
    image = np.zeros((1, 32, 32))
    image[0, 10:21, 12:] = 1.0
    stamp = (slice(0, 32), slice(0, 32))
    reach = reach_of(image, np.ones(1), stamp, np.array([16.0, 15.0]), (100, 100))
    np.testing.assert_allclose(reach, [1.5 * 15, 5])
    assert reach_of(0 * image, np.ones(1), stamp, np.array([16.0, 15.0]), (100, 100)) is None


def test_overlap_of_stamps():
    a, b = (slice(0, 10), slice(0, 10)), (slice(6, 16), slice(8, 18))
    assert overlap(a, b) == ((slice(6, 10), slice(8, 10)), (slice(0, 4), slice(0, 2)))
    assert overlap(a, (slice(10, 20), slice(0, 10))) is None
