import numpy as np
import pytest

from jaxblend.errors import JaxblendWarning
from jaxblend.io.mask import bad_pixels, mask_planes


def test_bits_are_chosen_by_number_or_by_name():
    mask = np.array([0, 1, 32, 33])
    np.testing.assert_array_equal(bad_pixels(mask, 1), [False, True, False, True])
    np.testing.assert_array_equal(bad_pixels(mask, -1), [False, True, True, True])
    assert not bad_pixels(mask, 0).any()
    named = mask_planes({"MP_BAD": 0, "MP_DETECTED": 5, "OTHER": 3})
    assert named == {"BAD": 0, "DETECTED": 5}
    np.testing.assert_array_equal(bad_pixels(mask, named=named), [False, True, False, True])


def test_zeros_and_ones_need_no_explanation():
    np.testing.assert_array_equal(bad_pixels(np.array([0.0, 1.0])), [False, True])
    np.testing.assert_array_equal(bad_pixels(np.array([True, False])), [True, False])
    with pytest.raises(ValueError, match="fractions"):
        bad_pixels(np.array([0.5]))


def test_unexplained_bits_are_left_with_a_warning():
    with pytest.warns(JaxblendWarning, match=r"bits \[2, 5\]"):
        assert not bad_pixels(np.array([4, 32, 0])).any()
